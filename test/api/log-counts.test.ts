/** Counts of lines over time, of a real server. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeLinesAt } from '../support/old-lines.ts';
import { pushLines } from '../support/senders/send-lines.ts';
import { type App, type Server, startServer, temporaryFolder } from '../support/server.ts';

interface Counts {
  readonly since: string;
  readonly until: string;
  readonly step_ms: number;
  readonly errors: number[];
  readonly warnings: number[];
  readonly others: number[];
  readonly counted_since: string;
  readonly before: string | null;
  readonly position: string;
  readonly around: string | null;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A whole hour, some hours ago. */
const START = Math.floor(Date.now() / HOUR) * HOUR - 5 * HOUR;

let data: string;
let server: Server;
let app: App;
beforeAll(async () => {
  data = temporaryFolder();
  const before = await startServer({ data });
  app = await before.createApp();
  await before.close();
  await storeLinesAt(data, app.id, [
    {
      storedAtMs: START + 1 * MINUTE,
      lines: [{ message: 'first' }, { message: 'ERROR: second', dyno: 'worker.1' }],
    },
    { storedAtMs: START + 30 * MINUTE, lines: [{ message: 'third status=500' }] },
    {
      storedAtMs: START + 61 * MINUTE,
      lines: [{ message: 'level=warn fourth' }, { message: 'fifth status=200' }],
    },
  ]);
  server = await startServer({ data });
});
afterAll(async () => {
  await server.close();
  rmSync(data, { recursive: true, force: true });
});

const count = (query: Record<string, string>): Promise<Counts> =>
  server.request<Counts>('GET', `/apps/${app.name}/log-counts?${new URLSearchParams(query)}`);
const iso = (ms: number): string => new Date(ms).toISOString();
const range = { since: iso(START), until: iso(START + 2 * HOUR), step: '1h' };

async function refusal(query: string): Promise<string> {
  const response = await fetch(`${server.url}/apps/${app.name}/log-counts?${query}`, {
    headers: { authorization: `Bearer ${server.key}` },
  });
  expect(response.status).toBe(422);
  return ((await response.json()) as { message: string }).message;
}

describe('counts', () => {
  it('are by time and level', async () => {
    expect(await count(range)).toMatchObject({
      since: iso(START),
      until: iso(START + 2 * HOUR),
      step_ms: HOUR,
      errors: [1, 0],
      warnings: [0, 1],
      others: [2, 1],
      counted_since: iso(START),
      before: null,
      position: '5',
      around: null,
    });
  });

  it('are of the lines that a tail with the same filters has', async () => {
    expect((await count({ ...range, q: 'status:>=300' })).others).toEqual([1, 0]);
    expect((await count({ ...range, dyno: 'worker' })).errors).toEqual([1, 0]);
    expect(await count({ ...range, level: 'warn' })).toMatchObject({
      errors: [1, 0],
      warnings: [0, 1],
      others: [0, 0],
    });
    expect((await count({ ...range, source: 'heroku' })).others).toEqual([0, 0]);
    expect((await count({ ...range, before: '4' })).others).toEqual([2, 0]);
    // The times of a search count exactly, within the buckets.
    const q = `since:"${iso(START + 10 * MINUTE)}" until:"${iso(START + 61 * MINUTE)}"`;
    expect(await count({ ...range, q })).toMatchObject({ errors: [0, 0], others: [1, 1] });
  });

  it('are of whole buckets, also where the range begins or ends within one', async () => {
    const odd = { since: iso(START + 15 * MINUTE), until: iso(START + 62 * MINUTE), step: '30m' };
    expect(await count(odd)).toMatchObject({
      since: iso(START),
      until: iso(START + 90 * MINUTE),
      others: [1, 1, 1],
    });
  });

  it('are around a line, or of the last hour', async () => {
    const { since, until, around, others } = await count({ around: '3', range: '20m', step: '10m' });
    expect([since, until, around]).toEqual([
      iso(START + 20 * MINUTE),
      iso(START + 40 * MINUTE),
      iso(START + 30 * MINUTE),
    ]);
    expect(others).toEqual([0, 1]);
    await pushLines(server, app.token, ['now']);
    const last = await count({});
    expect([last.step_ms, last.others.at(-1), last.position]).toEqual([MINUTE, 1, '6']);
    // A position that is gone, or never was: the end.
    expect((await count({ around: '999', range: '10m' })).around).toBeNull();
  });

  it('refuse what they can’t use, with a sentence', async () => {
    expect(await refusal('step=5')).toMatch(/^step: "5" has no unit/);
    expect(await refusal('range=7d&step=1s')).toMatch(/step is too short.*longer step/);
    expect(await refusal('since=1h&until=2h')).toMatch(/since must be before until/);
    expect(await refusal('q=(')).toMatch(/^q: the parenthesis at character 1/);
    expect(await refusal('lines=5')).toMatch(/no parameter lines here/);
    expect(await refusal('q=a&q=b')).toMatch(/q must be given once/);
    expect(await refusal('around=x')).toMatch(/^around must be a position/);
  });

  it('need a key', async () => {
    expect((await fetch(`${server.url}/apps/${app.name}/log-counts`)).status).toBe(401);
  });
});
