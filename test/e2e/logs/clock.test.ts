import { describe, expect, it } from 'vitest';
import { type FakeClock, fakeClockForTest, missingFakeClock } from '../../support/fake-clock.ts';
import { startHttpReceiver, startTcpReceiver } from '../../support/receivers/receivers.ts';
import { TailClient } from '../../support/receivers/tail-client.ts';
import {
  logplexBody,
  numberedMessages,
  postLogs,
  pushLines,
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

async function postFrame(server: Server, app: App, id: string, messages: readonly string[]): Promise<void> {
  const headers = { 'logplex-frame-id': id };
  expect((await postLogs(server, app.token, logplexBody(messages), headers)).status).toBe(204);
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
      await until('the next lines at the drains', () => {
        return http.acceptedMessages().length >= 41 && syslog.messages().length >= 41;
      });
      expect(http.acceptedMessages()).toEqual([...before, ...after]);
      expect(syslog.messages()).toEqual([...before, ...after]);
      expect(await tail.waitForLines(20)).toEqual(after);
      const lines = await second.readLines(app);
      expect(lines.map((line) => line.slice(0, TIME.length))).toEqual(lines.map(() => TIME));
      expect(await second.readMessages(app)).toEqual([...before, ...after]);
      expect((await second.listDrains(app)).map(({ delivery }) => delivery.state)).not.toContain('elsewhere');
      tail.disconnect();
    },
  );
});
