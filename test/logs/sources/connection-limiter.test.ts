/** Limits of connections, partial frames and rates. */
import { rmSync } from 'node:fs';
import { request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { missing } from '../../support/program.ts';
import { makeClientCertificates } from '../../support/senders/client-certificates.ts';
import {
  basicAuth,
  connectTcp,
  logplexBody,
  logplexLine,
  numberedMessages,
  octetCounted,
  postLogs,
  sendOverTcp,
} from '../../support/senders/send-lines.ts';
import { type App, startServerForTest, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const closed = (socket: Awaited<ReturnType<typeof connectTcp>>): Promise<void> =>
  new Promise((resolve) => {
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
  });

describe('connections', () => {
  it('that are too many are closed; those that were there go on', async () => {
    const server = await startServerForTest({ env: { TAILRACE_CONNECTIONS: '2' } });
    const app = await server.createApp();
    const first = await connectTcp(server.syslogPort);
    const second = await connectTcp(server.syslogPort);
    first.write(`${logplexLine('one', app.token)}\n`);
    await until('the line', async () => (await server.readMessages(app)).length === 1);
    await closed(await connectTcp(server.syslogPort));
    second.end(`${logplexLine('two', app.token)}\n`);
    await until('the line', async () => (await server.readMessages(app)).length === 2);
    await until('room for another', async () => {
      await sendOverTcp(server.syslogPort, `${logplexLine('three', app.token)}\n`).catch(() => {});
      return (await server.readMessages(app)).includes('three');
    });
    first.destroy();
    expect((await server.sourceCounters('tcp')).cut).toBeGreaterThanOrEqual(1);
  });

  it('that are idle, or trickle a frame that never ends, are closed', async () => {
    const server = await startServerForTest({
      env: { TAILRACE_IDLE_TIMEOUT: '2s', TAILRACE_FRAME_TIMEOUT: '1s' },
    });
    const app = await server.createApp();
    const silent = closed(await connectTcp(server.syslogPort));
    const slow = await connectTcp(server.syslogPort);
    const trickle = setInterval(() => slow.write('x'), 100);
    slow.write(`${logplexLine('good', app.token)}\n<13>`);
    await Promise.all([silent, closed(slow)]);
    clearInterval(trickle);
    expect(await server.readMessages(app)).toEqual(['good']);
    expect(await server.sourceCounters('tcp')).toMatchObject({ cut: 2 });
  });

  it('what is there of their last frame is taken, counted or not', async () => {
    const server = await startServerForTest({ env: { TAILRACE_FRAME_TIMEOUT: '1s' } });
    const app = await server.createApp();
    const lasts = ['500000 COUNTED', '\ufeff500000 MARKED', 'LINE', '1000 <13>1 2012-12-10T03:00:48Z h t.0'];
    for (const last of lasts) {
      const socket = await connectTcp(server.syslogPort);
      onTestFinished(() => void socket.destroy());
      socket.write(octetCounted(logplexLine('good', app.token)));
      socket.write(last.replace(/[A-Z]+$/, (name) => logplexLine(name, app.token)));
    }
    await until('the last ones', async () => (await server.readMessages(app)).length >= 7);
    expect((await server.readMessages(app)).filter((text) => /^[A-Z]+$/.test(text)).sort()).toEqual([
      'COUNTED',
      'LINE',
      'MARKED',
    ]);
    // The one whose header isn't all there is none. One that should have been counted ends no connection.
    await until('the ends', async () => (await server.sourceCounters('tcp')).cut === 3);
    expect(await server.sourceCounters('tcp')).toMatchObject({ malformed: 1, unknownToken: 0 });
  });

  it('whose partial frames together take too much: the one that goes over the limit is closed', async () => {
    const server = await startServerForTest({ env: { TAILRACE_PARTIAL_BYTES: '1MB' } });
    const app = await server.createApp();
    const holders = await Promise.all(Array.from({ length: 4 }, () => connectTcp(server.syslogPort)));
    const ends = holders.map(closed);
    for (const holder of holders) holder.write(`900000 <13>1 ${'x'.repeat(400_000)}`);
    await Promise.race(ends);
    await until('the count', async () => (await server.sourceCounters('tcp')).cut >= 1);
    await sendOverTcp(server.syslogPort, octetCounted(logplexLine('good', app.token)));
    await until('the line', async () => (await server.readMessages(app)).length === 1);
    for (const holder of holders) holder.destroy();
  });

  it.skipIf(missing('openssl'))('that aren’t ready for lines count too, and are closed in time', async () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { serverCert, serverKey } = makeClientCertificates(folder);
    const server = await startServerForTest({
      env: {
        TAILRACE_SYSLOG_TLS_CERT: serverCert,
        TAILRACE_SYSLOG_TLS_KEY: serverKey,
        TAILRACE_PROXY_PROTOCOL: 'yes',
        TAILRACE_CONNECTIONS: '3',
        TAILRACE_FRAME_TIMEOUT: '1s',
      },
    });
    // Half a PROXY header; a header, and then a handshake that doesn't come, or not whole.
    const header = 'PROXY TCP4 10.1.2.3 127.0.0.1 40000 6514\r\n';
    const half = await connectTcp(server.tlsPort);
    half.write('PROXY TCP4 10.');
    const mute = await connectTcp(server.tlsPort);
    mute.write(header);
    const slow = await connectTcp(server.tlsPort);
    slow.write(header);
    slow.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0]));
    const startedMs = performance.now();
    const ends = [half, mute, slow].map(closed);
    await until('a fourth is refused', async () => {
      const fourth = await connectTcp(server.tlsPort);
      await Promise.race([closed(fourth), new Promise((resolve) => setTimeout(resolve, 20))]);
      const isRefused = fourth.closed;
      fourth.destroy();
      return isRefused;
    });
    await Promise.all(ends);
    // Before any limit of their own.
    expect(performance.now() - startedMs).toBeLessThan(8_000 + server.startTookMs);
    expect((await server.sourceCounters('tls')).cut).toBeGreaterThanOrEqual(4);
  });

  it('of HTTP: too many, idle ones, slow ones, and what isn’t HTTP', async () => {
    const server = await startServerForTest({
      env: { TAILRACE_FRAME_TIMEOUT: '1s', TAILRACE_CONNECTIONS: '12' },
    });
    const app = await server.createApp();
    const port = Number(new URL(server.url).port);
    const talk = async (first: string | Buffer, trickle = ''): Promise<string> => {
      const socket = await connectTcp(port);
      let answer = '';
      socket.on('data', (text) => {
        answer += text;
      });
      socket.write(first);
      const timer = setInterval(() => trickle !== '' && socket.writable && socket.write(trickle), 100);
      await closed(socket);
      clearInterval(timer);
      return answer;
    };
    const head = `POST /logs HTTP/1.1\r\nHost: x\r\nAuthorization: ${basicAuth(app.token)}\r\n`;
    const sentence = (answer: string): string => JSON.parse(answer.slice(answer.indexOf('{'))).message;
    const late = 'The request took too long: send it in one go.';
    const slow = await Promise.all([
      talk(head, 'X-Slow: x\r\n'),
      talk(`${head}Content-Type: text/plain\r\nContent-Length: 1000\r\n\r\n`, 'x'),
      // One that was opened ahead gets no answer: it would be taken for that of a request that is on its way.
      talk(''),
    ]);
    expect(slow.pop()).toBe('');
    for (const answer of slow) {
      expect(answer).toMatch(/^HTTP\/1\.1 408 /);
      expect(sentence(answer)).toBe(late);
    }
    expect((await server.sourceCounters('http')).cut).toBe(3);
    const large = await talk(`${head}X-Large: ${'x'.repeat(17_000)}\r\n\r\n`);
    expect(large).toMatch(/^HTTP\/1\.1 431 /);
    expect(sentence(large)).toBe('The header is over 16 KB: send fewer or shorter fields.');
    const tls = await talk(Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]));
    expect(sentence(tls)).toContain('This port speaks HTTP, not HTTPS');
    expect(sentence(await talk('<13>1 - - - - - - syslog\n'))).toBe('That was no HTTP request.');
    expect((await server.sourceCounters('http')).malformed).toBe(3);
    const refusals: [string, string][] = [
      [
        `${head}Content-Length: 3\r\nContent-Length: 4\r\n\r\n`,
        "The request can't be read: Duplicate Content-Length.",
      ],
      [`${head}X: a\0b\r\n\r\n`, "The request can't be read: Invalid header value char."],
      ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', "That was HTTP/2, which isn't spoken here: use HTTP/1.1."],
      ['GET / HTTP/1.1\r\n\r\n', 'The request has no Host: HTTP/1.1 requires one (RFC 9112, section 3.2).'],
      [
        'GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nHOST: a\r\n\r\n',
        'The request has more than one Host: send one (RFC 9112, section 3.2).',
      ],
    ];
    for (const [request, why] of refusals) {
      const answer = await talk(request);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(sentence(answer)).toBe(why);
    }
    for (const body of ['Content-Length: 9\r\n\r\nabc', 'Transfer-Encoding: chunked\r\n\r\n9\r\nabc']) {
      const cutOff = await connectTcp(port);
      let answer = '';
      cutOff.setEncoding('utf8').on('data', (text) => {
        answer += text;
      });
      cutOff.end(`${head}Content-Type: text/plain\r\n${body}`);
      await closed(cutOff);
      expect(sentence(answer)).toBe('The request ended before all of it was there: nothing of it was taken.');
    }
    const expecting = await talk(
      'GET /health HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expect(expecting).toMatch(
      /^HTTP\/1\.1 417 .*Expect: more can't be met: only 100-continue can\..*HTTP\/1\.1 200 /s,
    );
    const tunnel = await talk(
      'GET /health HTTP/1.1\r\nHost: x\r\n\r\nCONNECT logs:443 HTTP/1.1\r\nHost: logs\r\n\r\n',
    );
    expect(tunnel).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 405 Method Not Allowed\r\n/s);
    expect(tunnel).toContain('This is no proxy, and makes no tunnels (CONNECT)');
    const holders = await Promise.all(Array.from({ length: 13 }, () => connectTcp(port)));
    const ends = holders.map(closed);
    await Promise.race(ends);
    for (const holder of holders) holder.destroy();
    await until('room', async () => (await server.sourceCounters('http').catch(() => ({ cut: 0 }))).cut >= 4);
    expect((await postLogs(server, app.token, logplexBody(['still here']))).status).toBe(204);
    expect(await server.readMessages(app)).toEqual(['still here']);
  });
});

describe('limits', () => {
  it('of lines: what is over is rejected, counted, and logged to the app in one line', async () => {
    const server = await startServerForTest({ env: { TAILRACE_APP_LINES_PER_S: '100' } });
    const app = await server.createApp();
    const other = await server.createApp();
    await sendOverTcp(
      server.syslogPort,
      ...numberedMessages(1_000).map((message) => octetCounted(logplexLine(message, app.token))),
    );
    await sendOverTcp(server.syslogPort, octetCounted(logplexLine('mine', other.token)));
    await until('the other app’s line', async () => (await server.readMessages(other)).length === 1);
    const reportLine = await until('the notice', async () =>
      (await server.readMessages(app)).filter((message) => message.startsWith('Rate limit:')).at(0),
    );
    const refused = Number(/: (\d+) messages refused/.exec(reportLine)?.[1]);
    const { limited } = await server.sourceCounters('tcp');
    expect(refused).toBe(limited);
    expect(refused).toBeGreaterThan(500);
    expect((await server.readMessages(app)).length - 1).toBe(1_000 - refused);
    expect(reportLine).toContain('Allowed are 100 lines/s an app.');
    const notice = (await server.readLines(app)).find((text) => text.includes('Rate limit'));
    expect(notice).toContain(' heroku[logplex]: ');
  });

  it('of requests whose lines have tokens of their own: all of its lines are taken, or none', async () => {
    const server = await startServerForTest({ env: { TAILRACE_APP_LINES_PER_S: '50' } });
    const [noisy, quiet] = [await server.createApp(), await server.createApp()];
    const headers = { authorization: `Bearer ${server.key}` };
    const body = (name: string): Buffer =>
      Buffer.concat([
        octetCounted(logplexLine(`${name} of quiet`, quiet.token)),
        ...numberedMessages(200, name).map((text) => octetCounted(logplexLine(text, noisy.token))),
      ]);
    const lines = async (app: App): Promise<string[]> =>
      (await server.readMessages(app)).filter((text) => !text.startsWith('Rate limit'));
    // The first overdraws the budget, and the second is refused with all that it has.
    expect((await postLogs(server, '', body('taken'), headers)).status).toBe(204);
    const refused = await postLogs(server, '', body('refused'), headers);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(await lines(noisy)).toEqual(numberedMessages(200, 'taken'));
    expect(await lines(quiet)).toEqual(['taken of quiet']);
    expect((await server.sourceCounters('http')).limited).toBe(201);
    await until('the notice', async () =>
      (await server.readMessages(noisy)).some((text) => text.startsWith('Rate limit: 200 messages refused')),
    );
    await until(
      'the debt is paid',
      async () => (await postLogs(server, '', body('later'), headers)).status === 204,
    );
    expect(await lines(quiet)).toEqual(['taken of quiet', 'later of quiet']);
  });

  it('of requests: 429 with Retry-After, and it is taken later', async () => {
    const server = await startServerForTest({ env: { TAILRACE_TOKEN_BYTES_PER_S: '2KB' } });
    const app = await server.createApp();
    const lines = logplexBody(numberedMessages(100));
    expect((await postLogs(server, app.token, lines)).status).toBe(204);
    const refused = await postLogs(server, app.token, lines);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    // Not on the fast path.
    const text = await request(`${server.url}/logs`, {
      method: 'POST',
      headers: { authorization: basicAuth(app.token), 'content-type': 'text/plain' },
      body: 'x',
    });
    expect(text.statusCode).toBe(429);
    expect(text.headers['retry-after']).toBe(refused.headers['retry-after']);
    await text.body.dump();
    const nginx = await server.addToken(app, 'nginx');
    expect((await postLogs(server, nginx, logplexBody(['another token']))).status).toBe(204);
    await until(
      'the debt is paid',
      async () => (await postLogs(server, app.token, logplexBody(['later']))).status === 204,
    );
    const answer = await request(`${server.url}/logs`, {
      method: 'POST',
      headers: { authorization: basicAuth('t.none'), 'content-type': 'text/plain' },
      body: 'x',
    });
    expect(answer.statusCode).toBe(401);
    await answer.body.dump();
  });
});
