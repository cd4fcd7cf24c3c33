/** Every reader of a stream in which an older version stored times that no calendar has, beside a line of today. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OldLine, storeOldLines } from '../../support/old-lines.ts';
import { runTailrace } from '../../support/program.ts';
import { startRawReceiver } from '../../support/receivers/raw-receiver.ts';
import { startTcpReceiver } from '../../support/receivers/receivers.ts';
import { TailClient } from '../../support/receivers/tail-client.ts';
import { octetCounted, postLogs, pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const IMPOSSIBLE = [
  '2026-11-28T09:20:60Z',
  '2026-11-28T09:20:00+99:99',
  '2026-02-30T09:20:00Z',
  '2026-11-28T24:00:01Z',
  '0000-01-01T00:00:00Z',
  '\u001b[2J',
  '-',
];
const OLD_LINES: OldLine[] = IMPOSSIBLE.map((timestamp, i) => ({ timestamp, message: `old ${i}` }));
const MESSAGES = [...OLD_LINES.map(({ message }) => message), 'newest'];

const data = temporaryFolder();
let server: Server;
let app: App;
beforeAll(async () => {
  const before = await startServer({ data });
  const stale = await before.createApp('stale');
  app = await before.createApp('old');
  await before.close();
  await storeOldLines(data, app.id, OLD_LINES);
  const timestamp = new Date().toISOString();
  await storeOldLines(data, stale.id, [{ timestamp, message: 'of now' }, ...OLD_LINES.slice(0, 1)]);
  server = await startServer({ data });
  await pushLines(server, app.token, ['newest']);
});
afterAll(async () => {
  await server.close();
  rmSync(data, { recursive: true, force: true });
});

describe('a line with a time that no calendar has', () => {
  it('is read by every tail', async () => {
    expect(await server.readMessages(app)).toEqual(MESSAGES);
    const json = (await server.readLines(app, 'format=json&lines=100')).map((line) => JSON.parse(line));
    expect(json.map(({ message }) => message)).toEqual(MESSAGES);
    expect(json.map(({ timestamp }) => timestamp).slice(0, -1)).toEqual(IMPOSSIBLE);
    for (const format of ['text', 'json'] as const) {
      const tail = await new TailClient(server, app, { lines: 100, tail: false, format }).opened();
      await until('all lines', () => tail.lines.length === MESSAGES.length);
    }
    for (const line of await server.readLines(app)) expect(line).not.toMatch(/[\x00-\x1f\u202e]/);
  });

  it('is found by search, level and time, which is the time of arrival', async () => {
    expect(await server.readMessages(app, 'lines=100&q=old')).toEqual(MESSAGES.slice(0, -1));
    expect(await server.readMessages(app, 'lines=100&level=info')).toEqual(MESSAGES);
    expect(await server.readMessages(app, 'lines=100&since=1h')).toEqual(MESSAGES);
    expect(await server.readMessages(app, 'lines=100&until=1h')).toEqual([]);
    expect(await server.readMessages(app, 'lines=2')).toEqual(MESSAGES.slice(-2));
  });

  it('is shown by the command line, and `--all` leaves no newest line out', async () => {
    const run = async (...args: string[]): Promise<string[]> => {
      const { status, stdout } = await runTailrace(['logs', ...args], { env: server.env });
      expect(status).toBe(0);
      return stdout.trimEnd().split('\n');
    };
    expect((await run('-a', 'old')).map((line) => line.slice(line.indexOf(']: ') + 3))).toEqual(MESSAGES);
    const json = (await run('-a', 'old', '--json')).map((line) => JSON.parse(line).message);
    expect(json).toEqual(MESSAGES);
    const all = await run('--all', '--json');
    expect(
      all
        .map((line) => JSON.parse(line))
        .filter((line) => line.app === 'old')
        .map(({ message }) => message),
    ).toEqual(MESSAGES);
    // The newest line of the other app has no time; the one before it is newer than all others.
    for (const flags of [[], ['--json']]) {
      const newest = await run('--all', '-n', '2', ...flags);
      expect(newest[0]).toContain('of now');
      expect(newest[1]).toContain('old 0');
    }
  });

  it('goes to drains', async () => {
    const [json, otlp, syslog] = [
      await startRawReceiver(),
      await startRawReceiver(),
      await startTcpReceiver(),
    ];
    for (const [url, format] of [
      [json.url, 'json'],
      [otlp.url, 'otlp'],
      [syslog.url, 'rfc5424'],
    ]) {
      const { id } = await server.request<{ id: string }>('POST', `/apps/${app.name}/log-drains`, {
        url,
        options: { format },
      });
      await server.request('POST', `/apps/${app.name}/log-drains/${id}/actions/replay`, { since: '1h' });
    }
    await until('all drains', async () =>
      (await server.listDrains(app)).every(
        ({ delivery }) => delivery.lagLines === 0 && delivery.delivered >= MESSAGES.length,
      ),
    );
    const lines = json.requests.flatMap(({ body }) =>
      String(body)
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    );
    expect(lines.map(({ message }) => message)).toEqual(MESSAGES);
    for (const { timestamp } of lines) expect(Date.parse(timestamp)).toBeGreaterThan(Date.UTC(2012, 0));
  });
});

it('the newest line of an app is shown by `logs --all` when its sender’s clock is years behind', async () => {
  const late = await server.createApp();
  const frame = (time: string, message: string) =>
    octetCounted(`<190>1 ${time} h token web.1 - - ${message}`);
  const frames = Buffer.concat([frame('-', 'of today'), frame('2001-01-01T00:00:00Z', 'the newest of all')]);
  expect((await postLogs(server, late.token, frames)).status).toBe(204);
  const { stdout } = await runTailrace(['logs', '--all', '-n', '2'], { env: server.env });
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(line.indexOf(']: ') + 3)),
  ).toEqual(['of today', 'the newest of all']);
});
