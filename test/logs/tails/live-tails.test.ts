/** Live tails: no line is missing and none comes twice, between stored and new lines, after a lost connection, when they are slow. */
import { connect } from 'node:net';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TailClient } from '../../support/receivers/tail-client.ts';
import {
  EventStreamTail,
  openWebSocketTail,
  type WebSocketTail,
} from '../../support/receivers/tail-protocols.ts';
import { connectTcp, numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

/** The numbers of lines called `line 7`. */
function numbers(texts: readonly string[]): number[] {
  return texts.map((text) => Number(/line (\d+)/.exec(text)?.[1]));
}

function isRising(list: readonly number[]): boolean {
  return list.every((number, i) => i === 0 || number === list[i - 1] + 1);
}

/** Lines that were not dropped, and the count of those that were, from their L11. */
function account(texts: readonly string[]): { got: number[]; dropped: number; notices: number } {
  const notices = texts.filter((text) => text.startsWith('Error L11'));
  const dropped = notices
    .map((text) =>
      Number(
        /dropped (\d+) messages (?:since \S+|from before \S+: the stream no longer has them)\.$/.exec(
          text,
        )?.[1],
      ),
    )
    .reduce((sum, count) => sum + count, 0);
  return { got: numbers(texts.filter((text) => text.startsWith('line '))), dropped, notices: notices.length };
}

let server: Server;

beforeAll(async () => {
  server = await startServer();
  return () => server.close();
});

describe('a tail', () => {
  let app: App;

  it('gives the last lines and then new ones, without a gap or a repeat between them', async () => {
    app = await server.createApp();
    let sent = 0;
    const push = async (): Promise<void> => {
      await pushLines(server, app.token, numberedMessages(50, 'line', sent));
      sent += 50;
    };
    for (let i = 0; i < 4; i++) await push();
    const tails: WebSocketTail[] = [];
    for (let i = 0; i < 30; i++) {
      tails.push(openWebSocketTail(server, app, i % 2 === 0 ? 'lines=10' : 'lines=120&format=json'));
      await push();
    }
    for (const [i, tail] of tails.entries()) {
      await until('the last line', () => numbers(tail.messageTexts.slice(-1))[0] === sent - 1);
      const got = numbers(tail.messageTexts);
      expect(isRising(got)).toBe(true);
      expect(got.length).toBeGreaterThanOrEqual(i % 2 === 0 ? 10 : 120);
      expect(tail.messages.filter(({ live }) => live)).toHaveLength(1);
    }
  });

  it('resumes after a position, and after the last event', async () => {
    app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(10));
    const first = openWebSocketTail(server, app, 'lines=3');
    await first.untilLive();
    expect(numbers(first.messageTexts)).toEqual([7, 8, 9]);
    first.socket.terminate();
    await pushLines(server, app.token, numberedMessages(5, 'line', 10));
    const second = openWebSocketTail(server, app, `lines=3&after=${first.position}`);
    await second.untilLive();
    expect(numbers(second.messageTexts)).toEqual([10, 11, 12, 13, 14]);

    const url = `${server.url}/apps/${app.name}/logs?tail=true&lines=1`;
    const key = { authorization: `Bearer ${server.key}` };
    const events = await new EventStreamTail().open(url, key);
    onTestFinished(() => events.close());
    await until('an event', () => events.lines.length === 1);
    events.close();
    await pushLines(server, app.token, numberedMessages(3, 'line', 15));
    const again = await new EventStreamTail().open(url, { ...key, 'last-event-id': events.lastEventId });
    onTestFinished(() => again.close());
    await until('three events', () => again.lines.length === 3);
    expect(numbers(again.lines)).toEqual([15, 16, 17]);
  });

  it('filters new lines as it filters stored ones', async () => {
    app = await server.createApp();
    await pushLines(server, app.token, ['line 0 good', 'line 1 bad']);
    const tail = openWebSocketTail(server, app, 'q=bad');
    await tail.untilLive();
    await pushLines(server, app.token, ['line 2 good', 'line 3 bad', 'line 4 good']);
    await until('the line', () => tail.messageTexts.length === 2);
    expect(numbers(tail.messageTexts)).toEqual([1, 3]);
  });

  it('ends after the first lines that were asked for', async () => {
    app = await server.createApp();
    const tail = openWebSocketTail(server, app, 'first=3&q=odd');
    await tail.untilLive();
    for (let i = 0; i < 8; i++) await pushLines(server, app.token, [`line ${i} ${i % 2 ? 'odd' : 'even'}`]);
    expect(await tail.untilClosed()).toBe(1000);
    expect(numbers(tail.messageTexts)).toEqual([1, 3, 5]);
  });

  it('finds the last lines that match far back, and pages backwards from them', async () => {
    app = await server.createApp();
    for (let i = 0; i < 20; i++) await pushLines(server, app.token, numberedMessages(500, 'line', i * 500));
    const ask = async (query: string): Promise<{ position: string; message: string }[]> => {
      const text = (await server.readLines(app, `format=json&${query}`)).map((line) => JSON.parse(line));
      return text;
    };
    const found: number[] = [];
    for (let before = ''; ; ) {
      const page = await ask(`q=%2Fline%20%5Cd*77%24%2F&lines=30${before && `&before=${before}`}`);
      if (page.length === 0) break;
      found.unshift(...numbers(page.map(({ message }) => message)));
      before = page[0].position;
    }
    expect(found).toEqual(Array.from({ length: 100 }, (_, i) => i * 100 + 77));
  });

  it('gives a thousand tails the same', async () => {
    app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(20));
    const tails = Array.from({ length: 1_000 }, (_, i) =>
      openWebSocketTail(server, app, i % 3 === 0 ? 'lines=5&q=line' : 'lines=5'),
    );
    for (const tail of tails) await until('a thousand tails', () => tail.messages.some(({ live }) => live));
    for (let i = 0; i < 20; i++)
      await pushLines(server, app.token, numberedMessages(100, 'line', 20 + i * 100));
    for (const tail of tails) {
      await until('the last line', () => tail.messageTexts.at(-1) === 'line 2019');
      expect(numbers(tail.messageTexts)).toEqual(Array.from({ length: 2_005 }, (_, i) => 15 + i));
    }
  });
});

describe('a tail of a short stream', () => {
  let server: Server;

  beforeAll(async () => {
    server = await startServer({ env: { TAILRACE_STREAM_BYTES: '4MB' } });
    return () => server.close();
  });

  it('reports how many lines are gone to a reader who resumes too late', async () => {
    const app = await server.createApp();
    await pushLines(server, app.token, ['line 0']);
    for (let i = 0; i < 100; i++)
      await pushLines(
        server,
        app.token,
        numberedMessages(10, 'line', 1 + i * 10).map((text) => text + 'x'.repeat(9_000)),
      );
    const tail = openWebSocketTail(server, app, 'after=1');
    await tail.untilLive();
    const { got, dropped, notices } = account(tail.messageTexts);
    expect(notices).toBe(1);
    expect(tail.messageTexts[0]).toMatch(/^Error L11 \(Tail buffer overflow\) -> This tail session dropped/);
    expect(isRising(got)).toBe(true);
    expect(got.at(-1)).toBe(1_000);
    expect(dropped + got.length).toBe(1_000);
    // A reader who didn't ask for what is gone gets no L11.
    const fresh = openWebSocketTail(server, app, 'lines=100000');
    await fresh.untilLive();
    expect(account(fresh.messageTexts).notices).toBe(0);
    // Within JSON it is a line with a position and a level.
    const json = openWebSocketTail(server, app, 'after=1&format=json');
    await json.untilLive();
    expect(json.lines[0]).toMatchObject({ source: 'heroku', dyno: 'logplex', level: 'warn', severity: 4 });
  });

  it('lets a slow tail lag behind in bounded memory, and counts what it lost', async () => {
    const app = await server.createApp();
    const slow = openWebSocketTail(server, app, 'lines=0');
    await slow.untilLive();
    slow.socket.pause();
    for (let i = 0; i < 600; i++)
      await pushLines(
        server,
        app.token,
        numberedMessages(10, 'line', i * 10).map((text) => text + 'x'.repeat(9_000)),
      );
    slow.socket.resume();
    await until('the last line', () => slow.messageTexts.at(-1)?.startsWith('line 5999x'));
    const { got, dropped, notices } = account(slow.messageTexts);
    expect(notices).toBeGreaterThanOrEqual(1);
    expect(got.every((number, i) => i === 0 || number > got[i - 1])).toBe(true);
    expect(dropped + got.length).toBe(6_000);
  });

  it('lets plain text readers lag as well', async () => {
    const app = await server.createApp();
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    onTestFinished(() => {
      socket.destroy();
    });
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.write(
      `GET /apps/${app.name}/logs?tail=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\n\r\n`,
    );
    await until('the head', () => text.includes('\r\n\r\n'));
    socket.pause();
    for (let i = 0; i < 600; i++)
      await pushLines(
        server,
        app.token,
        numberedMessages(10, 'line', i * 10).map((line) => line + 'x'.repeat(9_000)),
      );
    socket.resume();
    await until('the last line', () => text.includes('line 5999x'));
    const lines = [...text.matchAll(/\]: ((?:line \d+|Error L11)[^\r\n]*)/g)].map(([, line]) => line);
    const { got, dropped } = account(lines);
    expect(dropped).toBeGreaterThan(0);
    expect(dropped + got.length).toBe(6_000);
  });
});

it('compresses for clients on other machines, each message once for all of them', async () => {
  const app = await server.createApp();
  // As a reverse proxy on this machine forwards requests of other machines.
  const headers = { 'x-forwarded-for': '192.0.2.1' };
  const tails = [1, 2].map(() => openWebSocketTail(server, app, 'lines=0', { headers, deflate: true }));
  const local = openWebSocketTail(server, app, 'lines=0', { deflate: true });
  for (const tail of [...tails, local]) await tail.untilLive();
  for (let i = 0; i < 5; i++) await pushLines(server, app.token, numberedMessages(200, 'line', i * 200));
  for (const tail of [...tails, local]) {
    await until('all lines', () => tail.messageTexts.length === 1_000);
    expect(tail.messageTexts).toEqual(numberedMessages(1_000));
  }
  expect(tails.map(({ socket }) => socket.extensions)).toEqual(['permessage-deflate', 'permessage-deflate']);
  expect(local.socket.extensions).toBe('');
});

it('ends when its app is destroyed', async () => {
  const app = await server.createApp();
  const other = await server.createApp();
  await pushLines(server, app.token, numberedMessages(3));
  const [tail, stays] = [openWebSocketTail(server, app), openWebSocketTail(server, other)];
  const events = await new EventStreamTail().open(`${server.url}/apps/${app.name}/logs?tail=true`, {
    authorization: `Bearer ${server.key}`,
  });
  onTestFinished(() => events.close());
  for (const one of [tail, stays]) await one.untilLive();
  await server.request('DELETE', `/apps/${app.name}`);
  expect(await tail.untilClosed()).toBe(1000);
  await until('the end of the events', () => events.hasEnded);
  expect(tail.messageTexts.slice(0, 3)).toEqual(numberedMessages(3));
  await pushLines(server, other.token, ['still here']);
  await until('the other app', () => stays.messageTexts.includes('still here'));
});

it('ends with a close code when the server stops, which waits for no reader that doesn’t answer', async () => {
  const server = await startServerForTest();
  const app = await server.createApp();
  await pushLines(server, app.token, numberedMessages(5));
  const tail = openWebSocketTail(server, app, 'lines=10');
  await tail.untilLive();
  const deaf = await new TailClient(server, app).opened();
  deaf.socket.pause();
  const events = await fetch(`${server.url}/apps/${app.name}/logs?tail=true`, {
    headers: { authorization: `Bearer ${server.key}`, accept: 'text/event-stream' },
  });
  const sender = await connectTcp(server.syslogPort);
  expect((await server.program.stop('SIGTERM')).status).toBe(0);
  expect(await tail.untilClosed()).toBe(1001);
  await events.text().catch(() => {}); // cut off in the middle: that is an end too
  sender.destroy();
  deaf.disconnect();
});

it('begins after all that was scanned when nothing was found', async () => {
  const app = await server.createApp();
  await pushLines(server, app.token, numberedMessages(50));
  const tail = openWebSocketTail(server, app, 'q=nowhere');
  await tail.untilLive();
  // A line of the platform may be the newest one of an app's stream.
  expect(tail.messages[0]).toEqual({
    position: tail.messages[0].newest,
    newest: tail.messages[0].newest,
    lines: [],
  });
  expect(Number(tail.messages[0].newest)).toBeGreaterThanOrEqual(50);
});
