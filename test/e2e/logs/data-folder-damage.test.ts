/** A real server on a damaged data folder: what it says, what readers and drains are told, and the way out of it. */
import { readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { describe, expect, it } from 'vitest';
import { runTailrace } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import {
  type App,
  dataFolderForTest,
  type Server,
  spawnServer,
  startServerForTest,
} from '../../support/server.ts';
import { until } from '../../support/until.ts';

/** Segments of 64 KiB: the smallest. */
const ENV = { TAILRACE_STREAM_BYTES: '1MB' };
const BATCHES = 14;
const LINES_A_BATCH = 100;

/** Pushes numbered lines of 100 bytes. */
async function push(server: Server, app: App, batches = BATCHES, from = 0): Promise<void> {
  for (let batch = 0; batch < batches; batch++) {
    const lines = Array.from(
      { length: LINES_A_BATCH },
      (_, i) => `number ${from + batch * LINES_A_BATCH + i + 1} ${'x'.repeat(80)}`,
    );
    const response = await fetch(`${server.url}/logs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${app.token}`, 'content-type': 'text/plain' },
      body: lines.join('\n'),
    });
    expect(response.status).toBe(204);
  }
}

const segmentsOf = (data: string, { id }: App): string[] =>
  readdirSync(join(data, 'streams', id))
    .sort()
    .map((name) => join(data, 'streams', id, name));

/** Removes what is noted of a stream: after a power cut it may be older than the cursors of drains. */
async function forgetStream(data: string, { id }: App): Promise<void> {
  const root = open({ path: join(data, 'store.mdb'), maxDbs: 8, noMemInit: true, encoding: 'binary' });
  await root.openDB({ name: 'streams', encoding: 'binary' }).remove(id);
  await root.close();
}

const numbersIn = (messages: readonly string[]): number[] =>
  messages.filter((message) => message.startsWith('number ')).map((message) => Number(message.split(' ')[1]));

/** Waits for an event in the server's own log. */
const logged = (server: Server, pattern: RegExp): Promise<true> =>
  until('it is logged', async () => pattern.test(server.program.stderr));

/** A stopped server's folder with the numbered lines of one app. */
async function folderWithLines(): Promise<{ data: string; app: App }> {
  const data = dataFolderForTest();
  const server = await startServerForTest({ data, env: ENV });
  const app = await server.createApp('brook');
  await push(server, app);
  await server.close();
  return { data, app };
}

describe('a server whose segment', () => {
  it('in the middle is gone says which lines, in its log, in the stream and to readers, and goes on', async () => {
    const { data, app } = await folderWithLines();
    const [, second, third] = segmentsOf(data, app);
    const first = Number(/(\d{16})-/.exec(second)![1]);
    const last = Number(/(\d{16})-/.exec(third)![1]) - 1;
    rmSync(second);
    const server = await startServerForTest({ data, env: ENV });
    await logged(
      server,
      new RegExp(`Lines ${first} to ${last} \\(${last - first + 1}\\) of brook are lost: `),
    );
    const messages = await until('the stream has been told', async () => {
      const all = await server.readMessages(app);
      return all.at(-1)?.includes('L16') ? all : undefined;
    });
    expect(messages.at(-1)).toBe(
      `Error L16 (stored lines lost) -> Lines ${first} to ${last} (${last - first + 1}) of this stream are gone: files were damaged or removed.`,
    );
    expect(messages.filter((message) => message.includes('L11'))).toEqual([
      expect.stringContaining(`dropped ${last - first + 1} messages since`),
    ]);
    const numbers = numbersIn(messages);
    expect(numbers.every((number, i) => i === 0 || number > numbers[i - 1])).toBe(true);
    expect(numbers).toHaveLength(BATCHES * LINES_A_BATCH - (last - first + 1));
    const { findings } = JSON.parse(
      (await runTailrace(['doctor', '--json'], { env: { TAILRACE_DATA: data, ...ENV }, cwd: '/' })).stdout,
    );
    expect(findings.filter(({ check }: { check: string }) => check === 'store')).toContainEqual(
      expect.objectContaining({
        level: 'concern',
        text: expect.stringContaining(`Lines ${first} to ${last}`),
      }),
    );
    await server.close();
    // Once is enough.
    const again = await startServerForTest({ data, env: ENV });
    await logged(again, /of brook are lost/);
    await push(again, app, 1, 5_000);
    expect((await again.readMessages(app)).filter((message) => message.includes('L16'))).toHaveLength(1);
  });

  it('was damaged while a drain was down counts the lines for the drain, and sends the others', async () => {
    const data = dataFolderForTest();
    const receiver = await startHttpReceiver(() => 503);
    const server = await startServerForTest({ data, env: ENV });
    const app = await server.createApp('brook');
    await server.createDrain(app, receiver.url);
    await push(server, app);
    await server.close();
    const [first, second] = segmentsOf(data, app);
    const bytes = readFileSync(second);
    bytes[(bytes.length / 2) | 0] ^= 1;
    writeFileSync(second, bytes);
    truncateSync(first, readFileSync(first).length - 10);
    receiver.plan = () => 200;
    const again = await startServerForTest({ data, env: ENV });
    const drain = await until('the drain has the rest', async () => {
      const [one] = await again.listDrains(app);
      return one.delivery.lagLines === 0 && one.delivery.lost > LINES_A_BATCH ? one : undefined;
    });
    const ranges = again.program.stderr
      .split('\n')
      .filter((line) => line.includes('lost: '))
      .map((line) => JSON.parse(line) as { first: number; last: number });
    const lost = ranges.reduce((sum, range) => sum + range.last - range.first + 1, 0);
    expect(ranges.length).toBe(2);
    expect(drain.delivery.lost).toBe(lost);
    // One of the two may hold a line about the drain, and nothing else.
    const missing = BATCHES * LINES_A_BATCH - new Set(numbersIn(receiver.acceptedMessages())).size;
    expect(missing).toBeGreaterThanOrEqual(LINES_A_BATCH);
    expect(missing).toBeLessThanOrEqual(lost);
    expect(receiver.acceptedMessages().filter((message) => message.includes('L10')).length).toBeGreaterThan(
      0,
    );
  });

  it.each([
    ['', false],
    [', and was never noted,', true],
  ])('at the end is gone%s gives no number twice, and a drain the lines that come', async (_, isUnknown) => {
    const data = dataFolderForTest();
    const receiver = await startHttpReceiver();
    const server = await startServerForTest({ data, env: ENV });
    const app = await server.createApp('brook');
    await server.createDrain(app, receiver.url);
    await push(server, app);
    await until(
      'all is delivered',
      async () => (await server.listDrains(app))[0].delivery.delivered === 1_400,
    );
    await server.close();
    rmSync(segmentsOf(data, app).at(-1)!);
    if (isUnknown) await forgetStream(data, app);
    const again = await startServerForTest({ data, env: ENV });
    await push(again, app, 1, 9_000);
    await until('the drain has what is new', async () =>
      numbersIn(receiver.acceptedMessages()).includes(9_100),
    );
    expect(numbersIn(receiver.acceptedMessages()).filter((number) => number > 9_000)).toHaveLength(
      LINES_A_BATCH,
    );
  });
});

describe('a server whose store.mdb', () => {
  it('is gone is refused with a sentence; after `tailrace repair` the lines are there under a new name', async () => {
    const { data, app } = await folderWithLines();
    renameSync(join(data, 'store.mdb'), join(data, '..', `${app.id}.mdb`));
    const { status, stderr } = await spawnServer(data, { env: ENV }).exited;
    rmSync(join(data, '..', `${app.id}.mdb`));
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^ › {3}Error: There is no store\.mdb in .*lines of 2 apps: put .* or run `.*tailrace repair`.*\n$/,
    );
    const env = { TAILRACE_DATA: data };
    const dry = await runTailrace(['repair', '--dry-run'], { env, cwd: '/' });
    expect(dry).toMatchObject({ status: 2, stdout: expect.stringContaining('Nothing was changed') });
    const repaired = await runTailrace(['repair'], { env, cwd: '/' });
    expect(repaired.stdout).toMatch(
      /store\.mdb is missing: a new one is made[\s\S]*recovered-[\s\S]*No line is lost/,
    );
    expect(repaired.status).toBe(2);
    const server = await startServerForTest({ data, env: ENV });
    const name = `recovered-${app.id.slice(0, 8)}`;
    const recovered = { ...app, name, token: await server.tokenOf(name, 'app') };
    expect(numbersIn(await server.readMessages(recovered))).toHaveLength(BATCHES * LINES_A_BATCH);
    await push(server, recovered, 1, 5_000);
    const refused = await runTailrace(['repair'], { env, cwd: '/' });
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/in use by another tailrace/) });
    await server.close();
    const well = await runTailrace(['repair', '--json'], { env, cwd: '/' });
    expect(well.status).toBe(0);
    expect(JSON.parse(well.stdout)).toMatchObject({ steps: [], lost: [], damagedBytes: 0 });
  });

  it('holds a damaged record is refused by its name, with no stack', async () => {
    const { data, app } = await folderWithLines();
    const file = join(data, 'store.mdb');
    const bytes = readFileSync(file);
    for (let at = bytes.indexOf('"name":"brook"'); at !== -1; at = bytes.indexOf('"name":"brook"', at + 1))
      bytes[at] ^= 2;
    writeFileSync(file, bytes);
    const { status, stderr } = await spawnServer(data, { env: ENV }).exited;
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(
        new RegExp(`^ › {3}Error: The record app/${app.id} in .* is damaged: put .*repair.*\n$`),
      ),
    });
    const { findings } = JSON.parse(
      (await runTailrace(['doctor', '--json'], { env: { TAILRACE_DATA: data }, cwd: '/' })).stdout,
    );
    expect(findings).toContainEqual({
      check: 'store',
      level: 'trouble',
      text: expect.stringContaining(`The record app/${app.id}`),
    });
    await runTailrace(['repair'], { env: { TAILRACE_DATA: data }, cwd: '/' });
    expect(readdirSync(join(data, 'damaged'))).toHaveLength(1);
    await startServerForTest({ data, env: ENV });
  });
});

describe('tailrace doctor', () => {
  it('finds damaged bytes, with a server running and without', async () => {
    const { data, app } = await folderWithLines();
    const [first] = segmentsOf(data, app);
    const bytes = readFileSync(first);
    bytes[30_000] ^= 0x10;
    writeFileSync(first, bytes);
    const streams = async (): Promise<string[]> => {
      const { stdout } = await runTailrace(['doctor', '--json'], { env: { TAILRACE_DATA: data }, cwd: '/' });
      const { findings } = JSON.parse(stdout) as {
        findings: { check: string; level: string; text: string }[];
      };
      return findings
        .filter(({ check }) => check === 'streams')
        .map(({ level, text }) => `${level}: ${text}`);
    };
    expect(await streams()).toEqual([
      expect.stringMatching(/^trouble: \d{16}-\d{16}\.log of brook has \d+ damaged bytes/),
      expect.stringMatching(/^trouble: Lines \d+ to \d+ of brook are lost/),
    ]);
    await startServerForTest({ data, env: ENV });
    expect(await streams()).toEqual([
      expect.stringMatching(/^trouble: \d+ of \d+ bytes in streams\/.*are damaged/),
    ]);
  });
});
