import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ARCHIVE_SETTINGS } from '../../drains/archive/config/settings-table.ts';
import { ArchiveTestFolder, archivedLine, logplexFrame, octetCounted } from './archive-program.ts';

const archives = new ArchiveTestFolder();
const launch = archives.launch.bind(archives);
const start = archives.start.bind(archives);
const wroteNothing = () => !existsSync(join(archives.dir, 'unknown'));
const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` });

describe('a rejected request', () => {
  it('has the wrong password, or none', async () => {
    const archive = await start(['--user', 'dräin'], { ARCHIVE_PASSWORD: 'se:cret' });
    for (const headers of [{}, basic('dräin:wrong'), basic('dräin'), { authorization: 'Bearer se:cret' }]) {
      expect((await archive.post(logplexFrame('x'), headers)).status).toBe(401);
    }
    expect(wroteNothing()).toBe(true);
    expect((await archive.post(logplexFrame('x'), basic('dräin:se:cret'))).status).toBe(204);
  });

  it('has another number of frames than it says', async () => {
    const archive = await start();
    const body = Buffer.concat([logplexFrame('a'), logplexFrame('b')]);
    for (const count of ['1', '3', 'two', '']) {
      const answer = await archive.post(body, { 'logplex-msg-count': count });
      expect(answer).toEqual({ status: 400, body: 'Message count mismatch\n' });
    }
    expect(wroteNothing()).toBe(true);
  });

  it('has frames that are no frames, of which not even the good ones are written', async () => {
    const archive = await start();
    const good = logplexFrame('good');
    for (const bad of ['hello', '5 hell', '05 hello', '0 ', '99999999999 x', '-1 x', '5', '5hello', '\n']) {
      const answer = await archive.post(Buffer.concat([good, Buffer.from(bad)]));
      expect(answer.status, bad).toBe(400);
      expect(answer.body).toContain(`Malformed frame at byte ${good.length}`);
    }
    expect(wroteNothing()).toBe(true);
  });

  it('is no POST, or no logplex-1', async () => {
    const archive = await start();
    expect((await archive.post('', {}, 'PUT')).status).toBe(405);
    expect((await archive.post('', {}, 'GET')).status).toBe(405);
    expect((await archive.post(logplexFrame('x'), { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await archive.post(logplexFrame('x'), { 'content-encoding': 'br' })).status).toBe(415);
    const { hostname, port } = new URL(archive.url);
    const tunnel = connect(Number(port), hostname);
    tunnel.write('CONNECT logs:443 HTTP/1.1\r\nHost: logs\r\n\r\n');
    let answer = '';
    for await (const chunk of tunnel) answer += chunk;
    expect(answer).toMatch(/^HTTP\/1\.1 405 .*\r\n\r\nThis is no proxy: only POST is understood/s);
    const withParameter = { 'content-type': 'Application/Logplex-1; charset=utf-8' };
    expect((await archive.post(logplexFrame('x'), withParameter)).status).toBe(204);
  });

  it('is larger than it may be: as it is, in chunks, or after decompression', async () => {
    const archive = await start(['--max-body', '100KB']);
    const large = logplexFrame('a'.repeat(200_000));
    expect((await archive.post(large)).status).toBe(413);
    expect((await archive.post(large, { 'transfer-encoding': 'chunked' })).status).toBe(413);
    const bomb = gzipSync(Buffer.alloc(50_000_000, octetCounted('x')));
    expect(bomb.length).toBeLessThan(100_000);
    const answer = await archive.post(bomb, { 'content-encoding': 'gzip' });
    expect(answer).toEqual({ status: 413, body: 'A body may hold at most 102400 bytes, unpacked.\n' });
    expect((await archive.post(gzipSync(logplexFrame('x')), { 'content-encoding': 'gzip' })).status).toBe(
      204,
    );
  });

  it('has broken gzip', async () => {
    const archive = await start();
    const whole = gzipSync(logplexFrame('hello'));
    for (const body of [whole.subarray(0, whole.length - 4), Buffer.from('not gzip'), Buffer.alloc(0)]) {
      expect((await archive.post(body, { 'content-encoding': 'gzip' })).status).toBe(400);
    }
    expect(wroteNothing()).toBe(true);
  });

  it('has too many tiny frames', async () => {
    const archive = await start();
    expect((await archive.post(Buffer.alloc(3 * 250_001, '1 x'))).status).toBe(413);
  });
});

describe('the program', () => {
  it('answers GET /health without a password', async () => {
    const archive = await start([], { ARCHIVE_USER: 'u', ARCHIVE_PASSWORD: 'p' });
    const answer = await fetch(`${archive.url}/health`);
    expect([answer.status, await answer.text()]).toEqual([200, 'OK\n']);
  });

  it('accepts an empty request', async () => {
    const archive = await start();
    expect((await archive.post('', { 'logplex-msg-count': '0' })).status).toBe(204);
  });

  it('finishes what is in flight at SIGTERM, and exits with 0', async () => {
    const archive = await start();
    const { hostname, port } = new URL(archive.url);
    const socket = connect(Number(port), hostname);
    const body = logplexFrame('in flight');
    const head = `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/logplex-1\r\nContent-Length: ${body.length}\r\n`;
    // The server says 100 when it has begun with this request; then, and not before, the signal comes.
    socket.write(`${head}Expect: 100-continue\r\n\r\n`);
    let answer = '';
    for await (const chunk of socket) {
      answer += chunk;
      if (answer.endsWith('100 Continue\r\n\r\n')) {
        archive.child.kill('SIGTERM');
        socket.write(body);
      }
    }
    expect(answer).toContain('HTTP/1.1 204 ');
    expect(await archive.exited).toBe(0);
    expect(readFileSync(join(archives.dir, 'unknown', 'current.log'), 'utf8')).toBe(
      archivedLine('in flight'),
    );
  });

  it('rejects a folder that another archive writes to, but not after that one was killed', async () => {
    const first = await start();
    const second = launch();
    expect(await second.exited).toBe(1);
    expect(second.printed).toEqual([`archive: Another archive is already writing to ${archives.dir}.`]);
    await first.stop('SIGKILL');
    // Two find its lock at the same moment: one gets it.
    const [third, fourth] = [launch(), launch()];
    const refused = await Promise.race([third, fourth].map(async (one) => (await one.exited) && one));
    expect(refused).toMatchObject({
      printed: [`archive: Another archive is already writing to ${archives.dir}.`],
    });
    await (refused === third ? fourth : third).waitUntilListening();
  });

  it('says in one sentence which setting is wrong, and exits with 1', async () => {
    const file = join(archives.dir, 'file');
    writeFileSync(file, 'no certificate');
    const cases: [string[], Record<string, string>, RegExp][] = [
      [['--port', 'http'], {}, /--port is "http": it must be a port from 0 to 65535\./],
      [['--max-bytes', '0'], {}, /--max-bytes is "0": it must be a number of bytes/],
      [[], { ARCHIVE_MAX_BYTES: '1 MiBB' }, /ARCHIVE_MAX_BYTES is "1 MiBB"/],
      [['--form', 'json'], {}, /--form is "json": it must be one of heroku, rfc5424/],
      [['--max-age', '5'], {}, /--max-age is "5": it must be "day", or a time such as/],
      [['--prot', '1'], {}, /Unknown option '--prot'/],
      [['--password', 'x'], {}, /ARCHIVE_PASSWORD only/],
      [['--user', 'x'], {}, /ARCHIVE_PASSWORD is not/],
      [['--tls-cert', file], {}, /--tls-key is not/],
      [['--tls-cert', file, '--tls-key', file], {}, /no certificate and key/],
      [['--tls-cert', '/nonexistent', '--tls-key', file], {}, /Cannot read \/nonexistent/],
      [['--dir', join(file, 'inside')], {}, /Cannot make the folder/],
      [['--host', '192.0.2.1'], {}, /Cannot listen on 192.0.2.1/],
      [
        [],
        { ARCHIVE_PASSWROD: 'x' },
        /There is no setting ARCHIVE_PASSWROD: did you mean ARCHIVE_PASSWORD\?/,
      ],
    ];
    await Promise.all(
      cases.map(async ([flags, env, sentence]) => {
        const program = launch(flags, env);
        expect(await program.exited).toBe(1);
        expect(program.printed).toHaveLength(1);
        expect(program.printed[0]).toMatch(sentence);
      }),
    );
  });

  it.runIf(existsSync('/proc/self'))('refuses a folder that can’t be made', async () => {
    const program = launch(['--dir', '/proc/nowhere/a/b']);
    expect(await program.exited).toBe(1);
    expect(program.printed).toEqual([
      'archive: Cannot make the folder /proc/nowhere/a/b: no folder can be made in /proc.',
    ]);
  });

  it('has every setting in its README', () => {
    const readme = readFileSync(
      join(import.meta.dirname, '../../drains/archive/README.md'),
      'utf8',
    ).replaceAll(/ +/g, ' ');
    for (const { variable, fallback, meaning } of Object.values(ARCHIVE_SETTINGS)) {
      expect(readme).toContain(`\`${variable}\` |${fallback && ` \`${fallback}\``} | ${meaning} |`);
    }
  });
});
