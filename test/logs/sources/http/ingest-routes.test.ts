import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { gzipSync } from 'node:zlib';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSameLines } from '../../../support/expect-same-lines.ts';
import { missing, runProgram } from '../../../support/program.ts';
import {
  basicAuth,
  logplexBody,
  logplexLine,
  numberedMessages,
  octetCounted,
  postLogs,
  TIME,
} from '../../../support/senders/send-lines.ts';
import { type App, dataFolderForTest, type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const BODY_BYTES_MAX = 8_000_000;
let server: Server;
let app: App;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

async function freshApp(): Promise<App> {
  app = await server.createApp();
  return app;
}

describe('POST /logs', () => {
  it('responds with 204 without a body, and the lines are stored', async () => {
    await freshApp();
    const answer = await postLogs(server, app.token, logplexBody(['a', 'b']), { 'logplex-msg-count': '2' });
    expect(answer).toMatchObject({ status: 204, text: '' });
    expect(await server.readLines(app)).toEqual([`${TIME} app[web.1]: a`, `${TIME} app[web.1]: b`]);
  });

  it.each(['application/logplex-1', 'application/x-logplex-1', 'Application/Logplex-1; charset=utf-8'])(
    'takes %s',
    async (type) => {
      await freshApp();
      expect((await postLogs(server, app.token, logplexBody(['a']), { 'content-type': type })).status).toBe(
        204,
      );
      expect(await server.readMessages(app)).toEqual(['a']);
    },
  );

  it('takes an empty body', async () => {
    await freshApp();
    expect((await postLogs(server, app.token, '')).status).toBe(204);
    expect((await postLogs(server, app.token, '', { 'logplex-msg-count': '0' })).status).toBe(204);
  });

  it('takes gzip', async () => {
    await freshApp();
    const packed = gzipSync(logplexBody(numberedMessages(1_000)));
    expect((await postLogs(server, app.token, packed, { 'content-encoding': 'gzip' })).status).toBe(204);
    expectSameLines(await server.readMessages(app), numberedMessages(1_000));
  });

  it('takes zstd where Node.js has it, and neither bombs nor halves of it; elsewhere the error says so', async () => {
    await freshApp();
    const zstd = { 'content-encoding': 'zstd' };
    const { zstdCompressSync: pack } = zlib as { zstdCompressSync?: (bytes: Buffer) => Buffer };
    if (!pack) {
      const version = process.versions.node.split('.')[0];
      expect(await postLogs(server, app.token, 'x', zstd)).toMatchObject({
        status: 415,
        text: `Content-Encoding zstd isn't supported by Node.js ${version}: send gzip or none, or run tailrace on Node.js 22.15 or later.`,
      });
      return;
    }
    const packed = pack(logplexBody(numberedMessages(1_000)));
    expect((await postLogs(server, app.token, packed, zstd)).status).toBe(204);
    expectSameLines(await server.readMessages(app), numberedMessages(1_000));
    expect(await postLogs(server, app.token, packed.subarray(0, 100), zstd)).toMatchObject({
      status: 400,
      text: 'Bad request: the body is not valid zstd.',
    });
    expect((await postLogs(server, app.token, pack(Buffer.alloc(50_000_000)), zstd)).status).toBe(413);
    const two = Buffer.concat([pack(logplexBody(['first frame'])), pack(logplexBody(['second frame']))]);
    expect((await postLogs(server, app.token, two, zstd)).status).toBe(204);
    expect((await server.readMessages(app)).slice(-2)).toEqual(['first frame', 'second frame']);
  });

  it('takes a chunked body, as log-shuttle sends it', async () => {
    await freshApp();
    const bytes = logplexBody(numberedMessages(500));
    const { statusCode } = await request(`${server.url}/logs`, {
      method: 'POST',
      headers: { authorization: basicAuth(app.token), 'content-type': 'application/logplex-1' },
      body: Readable.from(
        Array.from({ length: Math.ceil(bytes.length / 777) }, (_, i) =>
          bytes.subarray(i * 777, (i + 1) * 777),
        ),
      ),
    });
    expect(statusCode).toBe(204);
    expect(await server.readMessages(app)).toEqual(numberedMessages(500));
  });

  it('takes requests that would go on in HTTP/2, as Java’s client sends them first, and answers them as others', async () => {
    await freshApp();
    const upgrade =
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
    const post = (fields: string, line: string): string =>
      `POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: ${basicAuth(app.token)}\r\nContent-Type: text/plain\r\n${fields}Content-Length: ${line.length}\r\n\r\n${line}`;
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    let answers = '';
    socket.setEncoding('utf8').on('data', (text) => {
      answers += text;
    });
    const statuses = (): string[] => answers.match(/HTTP\/1.1 \d+/g) ?? [];
    const requests = [
      post(upgrade, 'first'),
      post('', 'second'),
      `GET /health HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`,
      post(upgrade, 'third'),
    ];
    for (const [number, text] of requests.entries()) {
      socket.write(text);
      await until('its answer', () => statuses().length > number);
    }
    socket.destroy();
    expect(statuses()).toEqual([204, 204, 200, 204].map((status) => `HTTP/1.1 ${status}`));
    expect(await server.readMessages(app)).toEqual(['first', 'second', 'third']);
  });

  it('with an API key every line goes to the app of its own token', async () => {
    const one = await server.createApp();
    const other = await server.createApp();
    const nginx = await server.addToken(other, 'nginx');
    const bytes = Buffer.concat([
      octetCounted(logplexLine('to one', one.token)),
      octetCounted(logplexLine('to other', nginx)),
      octetCounted(logplexLine('to nobody', 't.11111111-0000-4000-8000-000000000000')),
      octetCounted(logplexLine('to one again', one.token)),
    ]);
    const before = (await server.sourceCounters('http')).unknownToken;
    const answer = await postLogs(server, '', bytes, {
      authorization: `Bearer ${server.key}`,
      'logplex-msg-count': '4',
    });
    expect(answer.status).toBe(204);
    expect(await server.readMessages(one)).toEqual(['to one', 'to one again']);
    expect(await server.readLines(other)).toEqual([`${TIME} nginx[web.1]: to other`]);
    expect((await server.sourceCounters('http')).unknownToken).toBe(before + 1);
  });

  it('keeps NUL bytes, bytes that are no UTF-8, empty messages and lines without a header', async () => {
    await freshApp();
    const odd = Buffer.from([0x61, 0x00, 0xff, 0x62]);
    const bytes = Buffer.concat([
      octetCounted(Buffer.concat([Buffer.from(logplexLine('')), odd])),
      octetCounted(logplexLine('')),
      octetCounted('just words'),
      octetCounted(logplexLine('late').replace(TIME, 'tomorrow')),
      octetCounted(logplexLine('loud').replace('<190>', '<999>')),
    ]);
    expect((await postLogs(server, app.token, bytes, { 'logplex-msg-count': '5' })).status).toBe(204);
    const messages = await server.readMessages(app);
    expect(messages.slice(0, 4)).toEqual(['a\\x00\ufffdb', '', 'just words', 'late']);
    expect(messages[4]).toContain('loud');
  });

  it('keeps the order of a body of many batches', async () => {
    await freshApp();
    const messages = numberedMessages(20_000, 'a rather long line to fill several batches'.repeat(3));
    expect((await postLogs(server, app.token, logplexBody(messages))).status).toBe(204);
    expectSameLines(await server.readMessages(app), messages);
  });
});

describe('plain text', () => {
  it('is one line a line, empty ones too', async () => {
    await freshApp();
    const answer = await postLogs(server, app.token, 'one\r\n\ntwo\nthree', { 'content-type': 'text/plain' });
    expect(answer.status).toBe(204);
    expect((await server.readLines(app)).map((text) => text.slice(text.indexOf(' ') + 1))).toEqual([
      'app[log]: one',
      'app[log]: ',
      'app[log]: two',
      'app[log]: three',
    ]);
  });

  it.each([
    ['nothing', '', []],
    ['a newline', '\n', ['']],
    ['line ends alone', '\r\n\n', ['', '']],
    ['an empty line at the end', 'a\n\n', ['a', '']],
    ['an empty line first', '\n\na', ['', '', 'a']],
  ])('%s', async (_name, body, expected) => {
    await freshApp();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded'])
      expect((await postLogs(server, app.token, body, { 'content-type': type })).status).toBe(204);
    expect(await server.readMessages(app)).toEqual([...expected, ...expected]);
  });

  it('of more lines than a request may have: 413, and nothing is stored', async () => {
    await freshApp();
    const body = gzipSync('\n'.repeat(8_000_000));
    const answer = await postLogs(server, app.token, body, {
      'content-type': 'text/plain',
      'content-encoding': 'gzip',
    });
    expect(answer).toMatchObject({
      status: 413,
      text: 'The body has over 100000 lines: send them in several requests.',
    });
    expect(await server.readMessages(app)).toEqual([]);
  });

  it('takes the first of several dynos and tokens in the address', async () => {
    await freshApp();
    const { statusCode } = await request(
      `${server.url}/logs?dyno=a.1&token=${app.token}&dyno=b.2&token=t.other`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${server.key}`, 'content-type': 'text/plain' },
        body: 'x',
      },
    );
    expect(statusCode).toBe(204);
    expect(await server.readMessages(app, 'dyno=a.1')).toEqual(['x']);
  });

  it.skipIf(missing('curl'))(
    'goes in with `curl --data-binary @file`, token in the address or as the password',
    async () => {
      await freshApp();
      const file = join(dataFolderForTest(), 'lines.txt');
      writeFileSync(file, 'from a file\nGrüße\n');
      const curl = (...args: string[]) =>
        runProgram('curl', ['-sS', '-w', '%{http_code}', '--data-binary', `@${file}`, ...args]);
      const first = await curl('-u', `token:${app.token}`, `${server.url}/logs?dyno=cron.1`);
      expect(first).toMatchObject({ status: 0, stdout: '204' });
      const key = `Authorization: Bearer ${server.key}`;
      const second = await curl(
        '-H',
        key,
        '-H',
        'Content-Type: text/plain',
        `${server.url}/logs?token=${app.token}`,
      );
      expect(second).toMatchObject({ status: 0, stdout: '204' });
      expect(await server.readMessages(app)).toEqual(['from a file', 'Grüße', 'from a file', 'Grüße']);
      expect(await server.readMessages(app, 'dyno=cron.1')).toEqual(['from a file', 'Grüße']);
    },
  );
});

describe('what is rejected', () => {
  it.each([
    ['too few', '1'],
    ['too many', '3'],
    ['no number', 'two'],
    ['nothing', ' '],
  ])('a count that is %s: 400, and nothing is stored', async (_name, count) => {
    await freshApp();
    const answer = await postLogs(server, app.token, logplexBody(['a', 'b']), { 'logplex-msg-count': count });
    expect(answer).toMatchObject({ status: 400, text: 'Message count mismatch' });
    expect(await server.readMessages(app)).toEqual([]);
  });

  it.each([
    ['not framed', 'hello\n'],
    ['a length over the end', '99 <190>1 - - token web.1 - - m'],
    ['broken in the middle', `${octetCounted(logplexLine('a'))}xyz`],
  ])('a body that is malformed: %s: 400, and nothing is stored', async (_name, bytes) => {
    await freshApp();
    expect(await postLogs(server, app.token, bytes)).toMatchObject({
      status: 400,
      text: 'Malformed log messages',
    });
    expect(await server.readMessages(app)).toEqual([]);
  });

  it('a line without a token, sent with an API key: 400, and nothing of the request is stored', async () => {
    await freshApp();
    const bytes = Buffer.concat([
      octetCounted(logplexLine('before', app.token)),
      octetCounted('no header'),
      octetCounted(logplexLine('after', app.token)),
    ]);
    const answer = await postLogs(server, '', bytes, { authorization: `Bearer ${server.key}` });
    expect(answer).toMatchObject({ status: 400, text: 'Malformed log messages' });
    await postLogs(server, app.token, logplexBody(['later']));
    expect(await server.readMessages(app)).toEqual(['later']);
  });

  it('lines with an API key of which none has a token that is known: 401', async () => {
    const nobodys = octetCounted(logplexLine('to nobody', 't.11111111-0000-4000-8000-000000000000'));
    const answer = await postLogs(server, '', Buffer.concat([nobodys, nobodys]), {
      authorization: `Bearer ${server.key}`,
    });
    expect(answer.status).toBe(401);
    expect(answer.text).toMatch(/^Unauthorized: none of the lines has a source token that is known/);
  });

  it.each(['HTTP/1.0', 'HTTP/1.1'])(
    'a body in %s without a length, which nobody can read: 411',
    async (version) => {
      await freshApp();
      const head = `POST /logs ${version}\r\nHost: x\r\nAuthorization: ${basicAuth(app.token)}\r\nContent-Type: text/plain\r\n\r\n`;
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
      let answer = '';
      socket.setEncoding('utf8').on('data', (text) => {
        answer += text;
      });
      socket.end(`${head}lost`);
      await until('its answer', () => answer.includes('\r\n\r\n'));
      socket.destroy();
      expect(answer).toMatch(/^HTTP\/1.1 411 /);
    },
  );

  it.each([
    ['an unknown token', () => basicAuth('t.11111111-0000-4000-8000-000000000000')],
    ['an unknown key', () => 'Bearer k.nonsense'],
    ['a scheme nobody knows', () => 'Digest x'],
    ['nothing', () => ''],
    ['nonsense', () => 'Basic %%%'],
  ])('%s as credentials: 401', async (_name, authorization) => {
    const { status, headers } = await postLogs(server, '', logplexBody(['a']), {
      authorization: authorization(),
    });
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toMatch(/^Basic realm="?Logplex"?$/);
  });

  it('a revoked token', async () => {
    await freshApp();
    await postLogs(server, app.token, logplexBody(['a']));
    await server.request('DELETE', `/apps/${app.name}/tokens/${app.token}`);
    expect((await postLogs(server, app.token, logplexBody(['b']))).status).toBe(401);
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const)('%s: 405', async (method) => {
    const { statusCode, headers, body: answer } = await request(`${server.url}/logs`, { method });
    await answer.dump();
    expect(statusCode).toBe(405);
    expect(headers.allow).toBe('POST');
  });

  it.each([
    ['Content-Type', { 'content-type': 'application/xml' }],
    ['Content-Type', { 'content-type': 'image/png' }],
    ['Content-Encoding', { 'content-encoding': 'br' }],
  ])('another %s: 415', async (_name, headers) => {
    await freshApp();
    expect(
      (await postLogs(server, app.token, logplexBody(['a']), headers as Record<string, string>)).status,
    ).toBe(415);
  });

  it('a body that is packed by its Transfer-Encoding: 415, and nothing is stored', async () => {
    await freshApp();
    const answer = await exchange(
      `POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: ${basicAuth(app.token)}\r\nContent-Type: text/plain\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 415 /);
    expect(answer).toContain("Transfer-Encoding gzip, chunked isn't supported");
    expect(await server.readMessages(app)).toEqual([]);
  });

  it('no Content-Type: 415', async () => {
    await freshApp();
    const answer = await exchange(
      `POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: ${basicAuth(app.token)}\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 415 /);
  });

  it('a body that isn’t gzip as its Content-Encoding says: 400', async () => {
    await freshApp();
    expect(
      (await postLogs(server, app.token, logplexBody(['a']), { 'content-encoding': 'gzip' })).status,
    ).toBe(400);
    expect(
      (
        await postLogs(server, app.token, gzipSync(logplexBody(['a'])).subarray(0, 30), {
          'content-encoding': 'gzip',
        })
      ).status,
    ).toBe(400);
  });
});

describe('too large', () => {
  it('a length over the limit: 413 before a byte of the body has come', async () => {
    await freshApp();
    const answer = await exchange(
      `POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: ${basicAuth(app.token)}\r\nContent-Type: application/logplex-1\r\nContent-Length: ${BODY_BYTES_MAX + 1}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });

  it('a chunked body without end: 413 when it has passed the limit', async () => {
    await freshApp();
    const head = `POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: ${basicAuth(app.token)}\r\nContent-Type: application/logplex-1\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const chunk = Buffer.alloc(0x10000, 'x');
    const answer = await exchange(
      head,
      Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')]),
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });

  it('a gzip bomb: 413, and the server’s memory doesn’t grow with it', async () => {
    await freshApp();
    const bomb = gzipSync(Buffer.alloc(100_000_000));
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => postLogs(server, app.token, bomb, { 'content-encoding': 'gzip' })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(413));
    const { memory_bytes: memory } = await server.request<{ memory_bytes: number }>('GET', '/status');
    expect(memory).toBeLessThan(400_000_000);
    expect((await postLogs(server, app.token, logplexBody(['still here']))).status).toBe(204);
  });
});

/** Writes a request by hand, `more` again and again; returns the response that comes meanwhile. */
async function exchange(head: string, more?: Buffer): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => {
    answer += text;
  });
  socket.on('error', () => {}); // it may be cut off before we have sent everything
  socket.write(head);
  const pump = (): void => {
    if (more && !socket.destroyed && answer === '') socket.write(more, pump);
  };
  pump();
  await until('an answer', () => answer.includes('\r\n\r\n'));
  socket.destroy();
  return answer;
}
