/** Senders that count wrong, or send lines without headers, to a real server: what is good among it is stored, and what is odd too. */
import { rmSync } from 'node:fs';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../support/free-port.ts';
import { missing } from '../../../support/program.ts';
import { makeClientCertificates } from '../../../support/senders/client-certificates.ts';
import { ODD_FRAMES } from '../../../support/senders/odd-frames.ts';
import {
  connectTcp,
  logplexLine,
  numberedMessages,
  octetCounted,
  sendOverTcp,
} from '../../../support/senders/send-lines.ts';
import {
  type App,
  type Server,
  startServer,
  startServerForTest,
  temporaryFolder,
} from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const GOODS = numberedMessages(1_000, 'good');
const frame = (message: string, { token }: App): Buffer => octetCounted(logplexLine(message, token));
const isGood = (message: string): boolean => message.startsWith('good ');
const arrived = (app: App, count: number, from = server): Promise<string[]> =>
  until(`${count} messages`, async () => {
    const messages = await from.readMessages(app, 'lines=10000');
    return messages.length >= count && messages;
  });

/** Good messages with odd frames before, between and behind them, several in a row. */
function mixed(app: App, kind: (typeof ODD_FRAMES)[number]): Buffer[] {
  const odd = (text: string): Buffer => kind.make((message) => logplexLine(message, app.token), text).wire;
  const goods = GOODS.map((message) => frame(message, app));
  goods.splice(999, 0, odd('d end'));
  goods.splice(500, 0, odd('b end'), odd('c end'));
  goods.splice(1, 0, odd('a end'));
  return goods;
}

describe('frames that are counted wrong', () => {
  it.each(ODD_FRAMES)('$name: all 1,000 good ones around them are stored, in order', async (kind) => {
    const app = await server.createApp();
    const frames = mixed(app, kind);
    // At once on one connection, frame by frame on another one.
    await sendOverTcp(server.syslogPort, Buffer.concat(frames));
    const once = await until('all', async () => {
      const messages = await server.readMessages(app, 'lines=10000');
      return messages.filter(isGood).length >= 1_000 && messages;
    });
    const before = kind.sticksToTheLineBefore ? /^good \d+/ : /^good \d+$/;
    expect(once.filter((text) => before.test(text)).map((text) => /^good \d+/.exec(text)?.[0])).toEqual(
      GOODS,
    );
    const all = once.join('\n');
    for (const part of kind.make((message) => message, 'b end').parts)
      expect(all.replaceAll('\n', '')).toContain(part.replaceAll('\n', ''));
    expect(all).not.toContain(app.token);
  });

  it('on several connections at once, whatever the chunks: each connection’s lines in order', async () => {
    const app = await server.createApp();
    const kinds = ODD_FRAMES.filter(({ sticksToTheLineBefore }) => !sticksToTheLineBefore);
    await Promise.all(
      kinds.slice(0, 12).map(async (kind, i) => {
        const line = (message: string): string => logplexLine(message, app.token, `c.${i}`);
        const goods = numberedMessages(50).map((message) => octetCounted(line(message)));
        for (const at of [40, 25, 10]) goods.splice(at, 0, kind.make(line, 'odd end').wire);
        const bytes = Buffer.concat(goods);
        const socket = await connectTcp(server.syslogPort);
        for (let at = 0; at < bytes.length; at += 577 + i)
          await new Promise((resolve) => socket.write(bytes.subarray(at, at + 577 + i), resolve));
        socket.end();
      }),
    );
    for (let i = 0; i < 12; i++)
      await until(`the lines of ${kinds[i].name}`, async () => {
        const messages = await server.readMessages(app, `dyno=c.${i}&lines=1000`);
        const found = messages
          .map((text) => /^line \d+/.exec(text)?.[0])
          .filter((text) => text !== undefined);
        return found.join() === numberedMessages(50).join();
      });
  });

  it('on a live connection: lines behind a frame that never ends come soon, and the connection stays', async () => {
    const app = await server.createApp();
    const socket = await connectTcp(server.syslogPort);
    onTestFinished(() => void socket.destroy());
    socket.write(frame('before', app));
    socket.write(`500000 ${logplexLine('odd', app.token)}`);
    let sent = 0;
    const timer = setInterval(() => socket.write(frame(`good ${sent++}`, app)), 50);
    onTestFinished(() => clearInterval(timer));
    const messages = await arrived(app, 22);
    expect(messages.filter((text) => !text.startsWith('Octet')).slice(0, 12)).toEqual([
      'before',
      'odd',
      ...numberedMessages(10, 'good'),
    ]);
    clearInterval(timer);
    expect((await server.sourceCounters('tcp')).cut).toBe(0);
    socket.end(frame('the end', app));
    await until('the end', async () => (await server.readMessages(app)).includes('the end'));
  });

  it('a frame that is right waits for its rest, whatever is in it', async () => {
    const app = await server.createApp();
    const other = await server.createApp();
    const patient = await connectTcp(server.syslogPort);
    const stalled = await connectTcp(server.syslogPort);
    onTestFinished(() => void [patient.destroy(), stalled.destroy()]);
    const forged = numberedMessages(20, 'forged').map((message) =>
      octetCounted(logplexLine(message, 't.none')),
    );
    const message = `${Buffer.concat(forged)} and the end`;
    const bytes = frame(message, app);
    const cut = bytes.indexOf('forged 7') + 4;
    patient.write(bytes.subarray(0, cut));
    stalled.write(`500000 ${logplexLine('odd', other.token)}`);
    stalled.write(frame('good', other));
    // By then the other one has been looked at as well.
    expect(await arrived(other, 2)).toEqual(['odd', 'good']);
    patient.end(bytes.subarray(cut));
    expect(await arrived(app, 1)).toEqual([message]);
  });

  it('are counted by the metrics, and told the app and the log, once', async () => {
    const own = await startServerForTest();
    const app = await own.createApp();
    const odd = (i: number): Buffer =>
      Buffer.from(`${logplexLine('x', app.token).length - 9} ${logplexLine(`odd ${i} end`, app.token)}`);
    const frames = Array.from({ length: 30 }, (_, i) => Buffer.concat([frame(`good ${i}`, app), odd(i)]));
    await sendOverTcp(own.syslogPort, ...frames, frame('the end', app));
    const notice = await until('the report', async () =>
      (await own.readMessages(app, 'lines=1000')).find((text) => text.startsWith('Octet counting: ')),
    );
    expect(notice).toMatch(
      /^Octet counting: \d+ frames since \S+ had a count that can't be right: a frame's count is its length in bytes/,
    );
    const { miscounted } = await own.sourceCounters('tcp');
    expect(miscounted).toBeGreaterThanOrEqual(30);
    const answer = await fetch(`${own.url}/metrics`, { headers: { authorization: `Bearer ${own.key}` } });
    expect(await answer.text()).toContain(`tailrace_in_miscounted_total{protocol="tcp"} ${miscounted}\n`);
    const warnings = own.program.stderr.split('\n').filter((text) => text.includes("octet count that can't"));
    expect(warnings).toHaveLength(1);
    const reports = (await own.readMessages(app, 'lines=1000')).filter((text) => text.startsWith('Octet'));
    expect(reports).toHaveLength(1);
  });

  it.skipIf(missing('openssl'))('over TLS as well', async () => {
    const folder = temporaryFolder();
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { serverCert, serverKey } = makeClientCertificates(folder);
    const own = await startServerForTest({
      env: { TAILRACE_SYSLOG_TLS_CERT: serverCert, TAILRACE_SYSLOG_TLS_KEY: serverKey },
    });
    const app = await own.createApp();
    const socket: TLSSocket = connectTls({ port: own.tlsPort, host: '127.0.0.1', rejectUnauthorized: false });
    const counted = ODD_FRAMES.find(({ name }) => name === 'a count in code points')!;
    socket.end(Buffer.concat([...mixed(app, ODD_FRAMES[0]), ...mixed(app, counted)]));
    const messages = await arrived(app, 2_008, own);
    expect(messages.filter(isGood)).toEqual([...GOODS, ...GOODS]);
  });
});

describe('lines without a header, from a sender who is known', () => {
  const STACK = [
    'java.lang.IllegalStateException: no',
    '\tat com.example.A.b(A.java:7)',
    '\t... 12 more',
    '1795858227 epoch',
    '5000000 rows',
    '99999999999 x',
    '12 ',
    '2026-11-28 09:20:60 INFO started',
    '{"json":true}',
    '<html>',
  ];

  it.each(['\n', '\r\n'])('by the token of the line before, with %j', async (end) => {
    const app = await server.createApp();
    const socket = await connectTcp(server.syslogPort);
    onTestFinished(() => void socket.destroy());
    const text = [logplexLine('first', app.token, 'web.7'), ...STACK, logplexLine('last', app.token), ''];
    socket.write(text.join(end));
    expect(await arrived(app, STACK.length + 2)).toEqual(['first', ...STACK, 'last']);
    // Of the same dyno, and in the next chunk too.
    expect(await server.readMessages(app, 'dyno=web.7')).toHaveLength(STACK.length + 1);
    socket.end(`\tin another chunk${end}`);
    expect((await arrived(app, STACK.length + 3)).at(-1)).toBe('\tin another chunk');
  });

  it('thousands of them at once are all taken, in order, while others are', async () => {
    const app = await server.createApp();
    const other = await server.createApp();
    const rows = Array.from({ length: 8_000 }, (_, i) => String(i));
    await Promise.all([
      sendOverTcp(server.syslogPort, `${[logplexLine('first', app.token), ...rows].join('\n')}\n`),
      sendOverTcp(server.syslogPort, frame('theirs', other)),
    ]);
    expect(await arrived(app, rows.length + 1)).toEqual(['first', ...rows]);
    expect(await arrived(other, 1)).toEqual(['theirs']);
  });

  it('by a rule, also before any other line', async () => {
    const app = await server.createApp();
    const port = await freePort();
    await server.request('POST', `/apps/${app.name}/source-rules`, { source: 'legacy', port });
    await until('the port', () =>
      connectTcp(port).then(
        (socket) => socket.destroy(),
        () => false,
      ),
    );
    await sendOverTcp(port, ...STACK.map((text) => `${text}\n`));
    expect(await arrived(app, STACK.length)).toHaveLength(STACK.length);
  });

  it('in octet counting: a frame without a PRI is what its twin with a newline is', async () => {
    const app = await server.createApp();
    const other = await server.createApp();
    await sendOverTcp(
      server.syslogPort,
      frame('first', app),
      ...STACK.map((text) => octetCounted(text)),
      frame('first', other),
      octetCounted('theirs'),
    );
    expect(await arrived(app, STACK.length + 1)).toHaveLength(STACK.length + 1);
    expect(await arrived(other, 2)).toEqual(['first', 'theirs']);
  });

  it('of one who isn’t they are counted and refused, on every connection anew', async () => {
    const app = await server.createApp();
    const before = await server.sourceCounters('tcp');
    await sendOverTcp(server.syslogPort, `${logplexLine('known', app.token)}\n`);
    await sendOverTcp(server.syslogPort, ...STACK.map((text) => `${text}\n`));
    await sendOverTcp(
      server.syslogPort,
      `${logplexLine('unknown', 't.none')}\n`,
      ...STACK.map((text) => `${text}\n`),
    );
    await until('the counts', async () => {
      const { malformed, unknownToken } = await server.sourceCounters('tcp');
      // One of them begins with a time, as an old line may.
      return malformed + unknownToken - before.malformed - before.unknownToken === 2 * STACK.length + 1;
    });
    expect(await server.readMessages(app)).toEqual(['known']);
  });
});
