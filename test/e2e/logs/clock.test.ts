import { describe, expect, it } from 'vitest';
import type { CursorRecord } from '../../../src/logs/drains/progress/cursor-record.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import {
  type FakeClock,
  fakeClockForTest,
  missingFakeClock,
  startRedisByClock,
} from '../../support/fake-clock.ts';
import { startHttpReceiver, startTcpReceiver } from '../../support/receivers/receivers.ts';
import { TailClient } from '../../support/receivers/tail-client.ts';
import { hasRedis } from '../../support/redis/redis-server.ts';
import {
  logplexBody,
  numberedMessages,
  postLogs,
  pushLines,
  sendOverTcp,
  TIME,
} from '../../support/senders/send-lines.ts';
import { type App, dataFolderForTest, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const noClock = missingFakeClock();

const jumps = [
  ['back an hour', -HOUR_MS],
  ['forward a day', DAY_MS],
] as const;
const stops = [
  ['a graceful stop', 'SIGTERM'],
  ['kill -9', 'SIGKILL'],
] as const;

function startWith(clock: FakeClock, data: string, env: Record<string, string> = {}): Promise<Server> {
  return startServerForTest({ data, env: { ...clock.env, ...env } });
}

/** Posts lines until they are taken: the rate may be limited. */
async function postFrame(server: Server, app: App, id: string, messages: readonly string[]): Promise<void> {
  const headers = id === '' ? undefined : { 'logplex-frame-id': id };
  await until('the rate allows more', async () => {
    const { status } = await postLogs(server, app.token, logplexBody(messages), headers);
    expect([204, 429]).toContain(status);
    return status === 204;
  });
}

describe('a drain’s cursor that was written under a fence made of a time', () => {
  it('of a clock that was ahead goes on: as data of an earlier version has it', async () => {
    const data = dataFolderForTest();
    const http = await startHttpReceiver();
    const first = await startServerForTest({ data });
    const app = await first.createApp();
    const { id } = await first.createDrain(app, http.url);
    await pushLines(first, app.token, ['first']);
    await until('the first line', () => http.acceptedMessages().length === 1);
    await first.close();
    const retention = { lines: 1_000, bytes: 1_000_000, ageMs: DAY_MS };
    const store = new EmbeddedStore({ folder: data, retention, durability: 'process' });
    const cursor = await store.get<CursorRecord>(app.id as AppId, `cursor/${id}`);
    const value = { ...cursor?.value, fence: Date.now() + 400 * DAY_MS };
    expect(await store.transact(app.id, [{ key: `cursor/${id}`, value }])).toBe(true);
    await store.close();
    const second = await startServerForTest({ data });
    await pushLines(second, app.token, ['second']);
    await until('the next line', () => http.acceptedMessages().length === 2);
    expect(http.acceptedMessages()).toEqual(['first', 'second']);
  });
});

/** Not the platform's own, about the rate. */
function isSent(message: string): boolean {
  return !message.startsWith('Rate limit:');
}

describe.skipIf(noClock)('the clock is set while the server is stopped', () => {
  it.each(
    jumps.flatMap(([jump, offsetMs]) => stops.map(([stop, signal]) => ({ jump, offsetMs, stop, signal }))),
  )(
    '$jump, after $stop: drains and tails go on, and nothing is lost or doubled',
    async ({ offsetMs, signal }) => {
      const clock = fakeClockForTest();
      const data = dataFolderForTest();
      const [http, syslog] = [await startHttpReceiver(), await startTcpReceiver()];
      // Shorter than the jump: what was stored just now isn't old.
      const env = { TAILRACE_STREAM_AGE: '30m' };
      const first = await startWith(clock, data, env);
      const app = await first.createApp();
      await first.createDrain(app, http.url);
      await first.createDrain(app, syslog.url);
      await pushLines(first, app.token, numberedMessages(20));
      await postFrame(first, app, 'frame-1', ['in a frame']);
      const before = [...numberedMessages(20), 'in a frame'];
      await until('the first lines at the drains', () => {
        return http.acceptedMessages().length >= 21 && syslog.messages().length >= 21;
      });
      await until('the cursors', async () =>
        (await first.listDrains(app)).every(({ delivery }) => delivery.delivered === 21),
      );
      const { position } = JSON.parse((await first.readLines(app, 'format=json&lines=1'))[0]);
      await first.program.stop(signal);
      clock.set(offsetMs);
      const second = await startWith(clock, data, env);
      const tail = new TailClient(second, app, { after: position, tail: true });
      await tail.opened();
      await postFrame(second, app, 'frame-1', ['in a frame']);
      await pushLines(second, app.token, numberedMessages(20, 'after'));
      const after = numberedMessages(20, 'after');
      await until('the next lines at the drains', () =>
        [http.acceptedMessages(), syslog.messages()].every((messages) => messages.includes('after 19')),
      );
      // After a kill the last ones may come again: the cursor may not have been written yet.
      const arrived = (messages: string[]) => (signal === 'SIGKILL' ? [...new Set(messages)] : messages);
      expect(arrived(http.acceptedMessages())).toEqual([...before, ...after]);
      expect(arrived(syslog.messages())).toEqual([...before, ...after]);
      expect(await tail.waitForLines(20)).toEqual(after);
      const lines = await second.readLines(app);
      expect(lines.map((line) => line.slice(0, TIME.length))).toEqual(lines.map(() => TIME));
      expect(await second.readMessages(app)).toEqual([...before, ...after]);
      expect((await second.listDrains(app)).map(({ delivery }) => delivery.state)).not.toContain('elsewhere');
      tail.disconnect();
    },
  );
});

describe.skipIf(noClock)('the clock is set while the server runs', () => {
  it('back an hour, forward a day, and back again: lines go in and out as before', async () => {
    const clock = fakeClockForTest();
    const data = dataFolderForTest();
    const [http, syslog] = [await startHttpReceiver(), await startTcpReceiver()];
    const server = await startWith(clock, data, {
      TAILRACE_STREAM_AGE: '30m',
      TAILRACE_TOKEN_LINES_PER_S: '500',
    });
    const app = await server.createApp();
    await server.createDrain(app, http.url);
    await server.createDrain(app, syslog.url);
    const tail = await new TailClient(server, app, { tail: true }).opened();
    const sent: string[] = [];
    for (const [round, offsetMs] of [0, -HOUR_MS, DAY_MS, -DAY_MS].entries()) {
      clock.set(offsetMs);
      // As many as a second allows: the rate goes on being refilled.
      for (let i = 0; i < 6; i++) {
        const lines = numberedMessages(100, `round ${round}`, i * 100);
        await postFrame(server, app, '', lines);
        sent.push(...lines);
      }
      // A retry of the frame before the jump, and one of this round.
      if (round > 0) await postFrame(server, app, `frame-${round - 1}`, [`frame ${round - 1}`]);
      await postFrame(server, app, `frame-${round}`, [`frame ${round}`]);
      sent.push(`frame ${round}`);
      await until(`the lines of round ${round}`, () =>
        [http.acceptedMessages(), syslog.messages(), tail.messages()].every((messages) =>
          messages.includes(`frame ${round}`),
        ),
      );
      await until('the cursors', async () =>
        (await server.listDrains(app)).every(({ delivery }) => delivery.lagLines === 0),
      );
    }
    expect(http.acceptedMessages().filter(isSent)).toEqual(sent);
    expect(syslog.messages().filter(isSent)).toEqual(sent);
    expect(tail.messages().filter(isSent)).toEqual(sent);
    expect((await server.readMessages(app)).filter(isSent)).toEqual(sent);
    const lines = (await server.readLines(app)).filter((line) => line.includes(' app['));
    expect(lines.map((line) => line.slice(0, TIME.length))).toEqual(sent.map(() => TIME));
    tail.disconnect();
    // A clock that runs ahead as it stops cuts nothing off, one that is set back doesn't hold it up.
    clock.set(-HOUR_MS);
    expect(await server.program.stop('SIGTERM')).toMatchObject({ status: 0 });
  });

  it('a drain that fails is tried again after its pause, and one that failed says for how long', async () => {
    const clock = fakeClockForTest();
    const http = await startHttpReceiver(() => 503);
    const server = await startWith(clock, dataFolderForTest());
    const app = await server.createApp();
    await server.createDrain(app, http.url);
    await pushLines(server, app.token, ['first']);
    await until('the first attempts', () => http.requests.length >= 3);
    for (const offsetMs of [-HOUR_MS, DAY_MS, -DAY_MS]) {
      clock.set(offsetMs);
      const attempts = http.requests.length;
      await until('another attempt', () => http.requests.length > attempts);
    }
    http.plan = () => 200;
    await until('the line', () => http.acceptedMessages().includes('first'));
    const recovery = await until('the report of the recovery', async () =>
      (await server.readMessages(app)).find((message) => message.includes('accepts lines again')),
    );
    expect(Number(/after (-?\d+) s/.exec(recovery)?.[1])).toBeLessThan(100);
    expect(Number(/after (-?\d+) s/.exec(recovery)?.[1])).toBeGreaterThanOrEqual(0);
  });
});

describe.skipIf(noClock)('the clock is set back between two rules for senders', () => {
  it('of those that fit as well the older one still decides', async () => {
    const clock = fakeClockForTest();
    const server = await startWith(clock, dataFolderForTest());
    const app = await server.createApp();
    const addRule = (source: string, network: string) =>
      server.request('POST', `/apps/${app.name}/source-rules`, { source, network });
    await addRule('older', '127.0.0.0/8');
    clock.set(-HOUR_MS);
    await addRule('newer', '127.0.0.1/32');
    await sendOverTcp(server.syslogPort, '<13>1 - host program - - - hello\n');
    const line = await until('the line', async () => (await server.readLines(app))[0]);
    expect(line).toMatch(/ older\[.*hello$/);
  });
});

const stores = [
  ['embedded', async () => ({})],
  ['redis', async (clock: FakeClock) => ({ REDIS_URL: (await startRedisByClock(clock)).url })],
] as const;

describe.skipIf(noClock || !hasRedis).each(stores)('the clock of the store is set: %s', (_, storeEnv) => {
  it('what was stored since a time is found, also behind lines that were stored in the future', async () => {
    const clock = fakeClockForTest();
    const server = await startWith(clock, dataFolderForTest(), await storeEnv(clock));
    const app = await server.createApp();
    await pushLines(server, app.token, ['long ago']);
    clock.set(5 * DAY_MS);
    await pushLines(server, app.token, ['in the future']);
    clock.set(HOUR_MS);
    await pushLines(server, app.token, ['a while ago']);
    clock.set(2 * HOUR_MS);
    await pushLines(server, app.token, ['now']);
    expect(await server.readMessages(app, 'since=10m')).toEqual(['now']);
    expect(await server.readMessages(app, 'until=10m')).toEqual(['long ago', 'in the future', 'a while ago']);
    clock.set(0);
    await pushLines(server, app.token, ['after it was set back']);
    expect(await server.readMessages(app, 'since=10m')).toContain('after it was set back');
    expect(await server.readMessages(app, 'until=0m')).toContain('after it was set back');
  });

  it('what was stored in the future grows old as anything else', async () => {
    const clock = fakeClockForTest();
    const env = { TAILRACE_STREAM_AGE: '2s', ...(await storeEnv(clock)) };
    const server = await startWith(clock, dataFolderForTest(), env);
    const app = await server.createApp();
    clock.set(5 * DAY_MS);
    await pushLines(server, app.token, ['in the future']);
    clock.set(0);
    await pushLines(server, app.token, ['now']);
    expect(await server.readMessages(app)).toEqual(['in the future', 'now']);
    await until('it to be gone', async () => {
      await pushLines(server, app.token, ['later']);
      return !(await server.readMessages(app)).includes('in the future');
    });
  });

  it('a request that is sent again is not stored again', async () => {
    const clock = fakeClockForTest();
    const server = await startWith(clock, dataFolderForTest(), await storeEnv(clock));
    const app = await server.createApp();
    const sent: string[] = [];
    // Within the 20 minutes after which Redis gives up a key by its own clock.
    for (const [i, offsetMs] of [0, 15 * 60_000, -HOUR_MS, 0, 15 * 60_000].entries()) {
      clock.set(offsetMs);
      if (i > 0) await postFrame(server, app, `frame ${i - 1}`, [`frame ${i - 1}`]);
      await postFrame(server, app, `frame ${i}`, [`frame ${i}`]);
      sent.push(`frame ${i}`);
    }
    expect(await server.readMessages(app)).toEqual(sent);
  });
});
