import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  type ArchiveProgram,
  ArchiveTestFolder,
  archivedLine,
  logplexFrame,
  octetCounted,
} from './archive-program.ts';

const TOKEN = 'd.0a1b2c3d-0000-4000-8000-000000000001';

const archives = new ArchiveTestFolder();
const start = archives.start.bind(archives);

function log(folder = 'unknown'): string {
  return readFileSync(join(archives.dir, folder, 'current.log'), 'utf8');
}

/** All lines of a drain, packed or not, oldest first. */
function allLines(folder = 'unknown'): string[] {
  const names = readdirSync(join(archives.dir, folder)).filter((name) => name.includes('.log'));
  const files = names.sort().map((name) => {
    const bytes = readFileSync(join(archives.dir, folder, name));
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  });
  return files.join('').split('\n').slice(0, -1);
}

describe('lines', () => {
  it('are in the file of their drain when the request is answered', async () => {
    const archive = await start();
    const body = Buffer.concat([logplexFrame('hello'), logplexFrame('State changed\n', 'heroku', 'web.3')]);
    const headers = { 'logplex-msg-count': '2', 'logplex-drain-token': TOKEN };
    expect(await archive.post(body, headers)).toEqual({ status: 204, body: '' });
    expect(log(TOKEN)).toBe(
      `${archivedLine('hello')}2012-12-10T03:00:48.123456+00:00 heroku[web.3]: State changed\n`,
    );
  });

  it('count as bytes, not characters', async () => {
    const archive = await start();
    const body = Buffer.concat([logplexFrame('grüße 🚰 你好'), logplexFrame('after')]);
    expect((await archive.post(body, { 'logplex-msg-count': '2' })).status).toBe(204);
    expect(log()).toBe(archivedLine('grüße 🚰 你好') + archivedLine('after'));
  });

  it('cannot forge other lines or control a terminal', async () => {
    const archive = await start();
    await archive.post(logplexFrame('one\r\ntwo\ttabbed \u001b[31mred\u009b0m \u007f\0 é \\n\n'));
    expect(log()).toBe(archivedLine('one\\r\\ntwo\ttabbed \\x1b[31mred\\xc2\\x9b0m \\x7f\\x00 é \\n'));
  });

  it('keep everything behind the message id in the Heroku form, and skip structured data in strict RFC 5424', async () => {
    const strict = '<13>1 2026-01-01T00:00:00Z h app web.1 m [a@1 k="x\\"] y"][b@2] \ufeffhello';
    const archive = await start();
    await archive.post(octetCounted(strict));
    expect(log()).toContain('app[web.1]: [a@1 k="x\\"] y"][b@2] \ufeffhello\n');
    await archive.stop();
    const rfc = await start(['--form', 'rfc5424']);
    const nil = '<13>1 - h app web.1 m - no data';
    await rfc.post(Buffer.concat([octetCounted(strict), octetCounted(nil)]), {
      'logplex-drain-token': TOKEN,
    });
    expect(log(TOKEN)).toMatch(
      /^2026-01-01T00:00:00Z app\[web.1\]: hello\n\d{4}-[^ ]+\+00:00 app\[web.1\]: no data\n$/,
    );
  });

  it('without a syslog header are kept, not rejected', async () => {
    const archive = await start();
    expect((await archive.post(octetCounted('just words'))).status).toBe(204);
    expect(log()).toMatch(/^\d{4}-\S+\+00:00 archive\[unparsed\]: just words\n$/);
  });

  it('are written as they were received with --raw', async () => {
    const archive = await start(['--raw']);
    await archive.post(Buffer.concat([logplexFrame('a\tb\u001b\nc\n'), octetCounted('odd')]));
    expect(log()).toBe('<190>1 2012-12-10T03:00:48.123456+00:00 host app web.1 - a\tb\u001b\\nc\nodd\n');
  });

  it('go to a folder that a token cannot escape from', async () => {
    const archive = await start();
    for (const token of ['../../evil', '..', '.', '.lock', 'a/b', 'a_b']) {
      expect((await archive.post(logplexFrame(token), { 'logplex-drain-token': token })).status).toBe(204);
    }
    const folders = readdirSync(archives.dir).filter((name) => name !== '.lock');
    expect(folders).toHaveLength(6);
    expect(folders.every((name) => /^[A-Za-z0-9_-]+$/.test(name))).toBe(true);
  });

  it('come gzipped and over https', async () => {
    const [key, cert] = [join(archives.dir, 'key.pem'), join(archives.dir, 'cert.pem')];
    const subject = ['-nodes', '-subj', '/CN=localhost', '-days', '2'];
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    execFileSync('openssl', ['req', '-x509', ...newKey, ...subject, '-keyout', key, '-out', cert], {
      stdio: 'ignore',
    });
    const archive = await start(['--tls-cert', cert, '--tls-key', key]);
    expect(archive.url).toMatch(/^https:/);
    const body = gzipSync(logplexFrame('packed'));
    expect((await archive.post(body, { 'content-encoding': 'gzip' })).status).toBe(204);
    expect(log()).toBe(archivedLine('packed'));
  });
});

describe('a retried frame', () => {
  it('is written once, also when it overtakes the response, and across a restart', async () => {
    const first = await start();
    const headers = { 'logplex-frame-id': 'f00d', 'logplex-drain-token': TOKEN };
    const both = await Promise.all([
      first.post(logplexFrame('once'), headers),
      first.post(logplexFrame('once'), headers),
    ]);
    expect(both.map((answer) => answer.status)).toEqual([204, 204]);
    await first.stop();
    const second = await start();
    expect((await second.post(logplexFrame('once'), headers)).status).toBe(204);
    await second.post(logplexFrame('other'), { ...headers, 'logplex-frame-id': 'beef' });
    await second.post(logplexFrame('once'), { ...headers, 'logplex-drain-token': 'd.another' });
    expect(log(TOKEN)).toBe(archivedLine('once') + archivedLine('other'));
    expect(log('d.another')).toBe(archivedLine('once'));
  });

  it('is recognized after kill -9 and after a rotation', async () => {
    const first = await start(['--max-bytes', '100B']);
    for (const id of ['1', '2', '3'])
      await first.post(logplexFrame(`line ${id}`), { 'logplex-frame-id': id });
    await first.stop('SIGKILL');
    const second = await start(['--max-bytes', '100B']);
    for (const id of ['1', '2', '3'])
      await second.post(logplexFrame(`line ${id}`), { 'logplex-frame-id': id });
    await second.stop();
    expect(allLines()).toEqual([1, 2, 3].map((id) => archivedLine(`line ${id}`).trimEnd()));
  });
});

describe('kill -9 in the middle', () => {
  it('loses no acknowledged line, and a retry of the others writes each exactly once', async () => {
    const flags = ['--max-bytes', '20000B'];
    const ids = Array.from({ length: 400 }, (_, index) => `id-${index}`);
    const body = (id: string) => Buffer.concat([logplexFrame(`${id} begins`), logplexFrame(`${id} ends`)]);
    const send = (archive: ArchiveProgram, id: string) => archive.post(body(id), { 'logplex-frame-id': id });

    const acknowledged = new Set<string>();
    const killed = await start(flags);
    const attempts = ids.map(async (id) => {
      if ((await send(killed, id)).status !== 204) return;
      acknowledged.add(id);
      if (acknowledged.size === 100) killed.child.kill('SIGKILL');
    });
    await Promise.allSettled(attempts);
    expect(acknowledged.size).toBeGreaterThanOrEqual(100);
    expect(acknowledged.size).toBeLessThan(ids.length);
    await killed.exited;

    const restarted = await start(flags);
    const kept = allLines();
    for (const id of acknowledged) expect(kept).toContain(archivedLine(`${id} ends`).trimEnd());
    await Promise.all(ids.filter((id) => !acknowledged.has(id)).map((id) => send(restarted, id)));
    await restarted.stop();
    const expected = ids.flatMap((id) =>
      [`${id} begins`, `${id} ends`].map((text) => archivedLine(text).trimEnd()),
    );
    expect(allLines().sort()).toEqual(expected.sort());
  });

  it('leaves bytes behind the last acknowledged line, and they are truncated', async () => {
    const first = await start();
    await first.post(logplexFrame('acknowledged'));
    await first.stop('SIGKILL');
    writeFileSync(join(archives.dir, 'unknown', 'current.log'), 'half a li', { flag: 'a' });
    writeFileSync(join(archives.dir, 'unknown', 'frames.journal'), 'frame half 9', { flag: 'a' });
    const second = await start();
    expect(log()).toBe(archivedLine('acknowledged'));
    await second.post(logplexFrame('next'), { 'logplex-frame-id': 'half' });
    await second.stop('SIGKILL');
    await start();
    expect(log()).toBe(archivedLine('acknowledged') + archivedLine('next'));
  });
});

describe('rotation', () => {
  it('compresses full files, keeps every line in order, and deletes the oldest beyond --keep', async () => {
    const archive = await start(['--max-bytes', '130B', '--keep', '2']);
    for (let at = 0; at < 9; at++) await archive.post(logplexFrame(`line ${at}`));
    await archive.stop();
    // Stopping leaves unfinished packing to the next start.
    const next = await start(['--max-bytes', '130B', '--keep', '2']);
    await next.post(logplexFrame('line 9'));
    await next.post(logplexFrame('line 10'));
    await next.waitForOutput('packed unknown/');
    await next.stop();
    const last = await start(['--keep', '2']);
    await last.stop();
    const lines = allLines();
    const rotated = readdirSync(join(archives.dir, 'unknown')).filter((name) =>
      /Z(_\d+)?\.log(\.gz)?$/.test(name),
    );
    expect(rotated).toHaveLength(2);
    const expected = Array.from({ length: 11 }, (_, at) => archivedLine(`line ${at}`).trimEnd());
    expect(lines).toEqual(expected.slice(-lines.length));
    expect(lines).toHaveLength(5);
  });

  it('happens by age without a new line, and the compressed file holds the same bytes', async () => {
    const archive = await start(['--max-age', '1s']);
    await archive.post(logplexFrame('grüße'));
    const [, name] = /packed unknown\/(\S+)/.exec(await archive.waitForOutput('packed '))!;
    expect(name).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.log\.gz$/);
    expect(gunzipSync(readFileSync(join(archives.dir, 'unknown', name))).toString()).toBe(
      archivedLine('grüße'),
    );
    expect(existsSync(join(archives.dir, 'unknown', 'current.log'))).toBe(false);
    await archive.post(logplexFrame('later'));
    expect(log()).toBe(archivedLine('later'));
  });

  it('is finished at the next start when a crash interrupted the compression', async () => {
    const first = await start(['--max-bytes', '80B']);
    await first.post(logplexFrame('one'));
    await first.stop();
    const folder = join(archives.dir, 'unknown');
    writeFileSync(join(folder, '2020-01-01T00-00-00Z.log'), 'left over\n');
    writeFileSync(join(folder, '2020-01-01T00-00-00Z.log.gz.tmp'), 'half');
    writeFileSync(join(folder, '2020-01-02T00-00-00Z.log'), 'packed already\n');
    writeFileSync(join(folder, '2020-01-02T00-00-00Z.log.gz'), gzipSync('packed already\n'));
    const second = await start();
    await second.waitForOutput('packed unknown/2020-01-01T00-00-00Z.log.gz');
    await second.stop();
    expect(readdirSync(folder).sort()).toEqual(
      expect.arrayContaining(['2020-01-01T00-00-00Z.log.gz', '2020-01-02T00-00-00Z.log.gz', 'current.log']),
    );
    expect(readdirSync(folder).some((name) => name.endsWith('.tmp') || name.endsWith('Z.log'))).toBe(false);
    expect(allLines()).toEqual(['left over', 'packed already', archivedLine('one').trimEnd()]);
  });
});

describe('a full disk', () => {
  it('is a 503, leaves nothing half-written, and smaller lines still fit', async () => {
    const archive = await archives.launchOnSmallDisk(8).waitUntilListening();
    expect((await archive.post(logplexFrame('a'.repeat(5000)))).status).toBe(204);
    const refused = await archive.post(logplexFrame('b'.repeat(5000)), { 'logplex-frame-id': 'retry' });
    expect(refused).toEqual({ status: 503, body: 'The lines cannot be written at the moment.\n' });
    expect(log()).toBe(archivedLine('a'.repeat(5000)));
    expect((await archive.post(logplexFrame('c'))).status).toBe(204);
    await archive.stop();
    const roomy = await start();
    expect((await roomy.post(logplexFrame('b'.repeat(5000)), { 'logplex-frame-id': 'retry' })).status).toBe(
      204,
    );
    expect(log()).toBe(archivedLine('a'.repeat(5000)) + archivedLine('c') + archivedLine('b'.repeat(5000)));
  });

  it('is over when it can be written again', async () => {
    const archive = await start();
    writeFileSync(join(archives.dir, TOKEN), 'in the way');
    const headers = { 'logplex-drain-token': TOKEN, 'logplex-frame-id': '1' };
    const health = async (): Promise<[number, string]> => {
      const answer = await fetch(`${archive.url}/health`);
      return [answer.status, await answer.text()];
    };
    expect(await health()).toEqual([200, 'OK\n']);
    expect((await archive.post(logplexFrame('hello'), headers)).status).toBe(503);
    expect(await health()).toEqual([
      503,
      expect.stringMatching(/^The lines cannot be written at the moment: d\.\S+: EEXIST/),
    ]);
    rmSync(join(archives.dir, TOKEN));
    expect((await archive.post(logplexFrame('hello'), headers)).status).toBe(204);
    expect(await health()).toEqual([200, 'OK\n']);
    expect(readdirSync(archives.dir).sort()).toEqual(['.lock', TOKEN]);
    expect(log(TOKEN)).toBe(archivedLine('hello'));
    await archive.waitForOutput(`writing to ${TOKEN} again`);
  });
});

describe('what somebody does to current.log', () => {
  it('moving, emptying or deleting the folder does no harm to later lines', async () => {
    const archive = await start();
    const path = join(archives.dir, 'unknown', 'current.log');
    await archive.post(logplexFrame('one'));
    writeFileSync(path, '');
    await archive.post(logplexFrame('two'));
    expect(log()).toBe(archivedLine('two'));
    rmSync(path);
    await archive.post(logplexFrame('three'));
    expect(log()).toBe(archivedLine('three'));
    rmSync(join(archives.dir, 'unknown'), { recursive: true });
    expect((await archive.post(logplexFrame('four'))).status).toBe(204);
    expect(log()).toBe(archivedLine('four'));
    rmSync(archives.dir, { recursive: true });
    const both = ['a', 'b'].map((token) =>
      archive.post(logplexFrame('five'), { 'logplex-drain-token': token }),
    );
    expect((await Promise.all(both)).map(({ status }) => status)).toEqual([204, 204]);
    expect([log('a'), log('b')]).toEqual([archivedLine('five'), archivedLine('five')]);
  });

  it('a log without its journal is rotated whole', async () => {
    const first = await start();
    await first.post(logplexFrame('old'));
    await first.stop();
    rmSync(join(archives.dir, 'unknown', 'frames.journal'));
    const second = await start();
    await second.post(logplexFrame('new'));
    await second.stop();
    expect(log()).toBe(archivedLine('new'));
    expect(allLines()).toEqual([archivedLine('old').trimEnd(), archivedLine('new').trimEnd()]);
  });
});
