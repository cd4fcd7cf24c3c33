/** The embedded store opens its files: complete, truncated, corrupt, or of another version. */
import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppId, Retention } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { copyAsKilled } from '../../../support/killed-store.ts';
import { until } from '../../../support/until.ts';
import { readAll, sequenceRanges } from '../conformance/streams.ts';

const ROOMY: Retention = { lines: 1e9, bytes: 1e9, ageMs: 1e9 };
/** Segments of 64 KiB: the smallest. */
const SMALL: Retention = { ...ROOMY, bytes: 200_000 };

let folder: string;
let app: AppId;
let stores: EmbeddedStore[];
let copies: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-embedded-'));
  app = newAppId();
  stores = [];
  copies = [];
});
afterEach(async () => {
  for (const store of stores) await store.close();
  for (const one of [folder, ...copies]) rmSync(one, { recursive: true, force: true });
});

function open(retention = ROOMY): EmbeddedStore {
  const store = new EmbeddedStore({ folder, retention, durability: 'process' });
  stores.push(store);
  return store;
}

async function close(store: EmbeddedStore): Promise<void> {
  stores.splice(stores.indexOf(store), 1);
  await store.close();
}

/** What a killed process leaves, in a folder of its own. */
function killedCopy(): string {
  const copy = mkdtempSync(join(tmpdir(), 'tailrace-copy-'));
  copies.push(copy, folder);
  copyAsKilled(folder, copy);
  return copy;
}

/** Runs a program whose files can't become larger than 100 KiB; returns what it printed. */
async function runLimited(script: string): Promise<string> {
  const child = spawn('bash', ['-c', 'ulimit -f 100; exec node --input-type=module'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(script);
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  await new Promise((resolve) => child.on('close', resolve));
  return printed.trim();
}

/** The lines that a store says are lost. */
function damageOf(store: EmbeddedStore): number[][] {
  const found: number[][] = [];
  store.watchDamage(({ first, last }) => void found.push([first, last]))();
  return found;
}

const segments = () =>
  readdirSync(join(folder, 'streams', app))
    .sort()
    .map((name) => join(folder, 'streams', app, name));

/** A trace event of Node.js for a call to the file system. */
interface TraceEvent {
  readonly name: string;
  /** `b`: it begins. */
  readonly ph: string;
  readonly args: { readonly path?: string };
}

const MODULE = JSON.stringify(join(process.cwd(), 'dist/src/logs/store/embedded/embedded-store.js'));

describe('the files of a stream', () => {
  it.each([
    ['disk', 2],
    ['process', 0],
  ] as const)(
    'with durability `%s`: the names of %i new ones are brought to the disk',
    (durability, synced) => {
      const trace = join(folder, 'trace.json');
      const script = `
      import { EmbeddedStore } from ${MODULE};
      const store = new EmbeddedStore({ folder: ${JSON.stringify(folder)}, durability: '${durability}', retention: ${JSON.stringify(SMALL)} });
      for (let i = 0; i < 4; i++) {
        const bytes = Buffer.alloc(40_000, 97);
        bytes.writeUInt32LE(bytes.length - 44, 32);
        await store.append(${JSON.stringify(app)}, { bytes, count: 1 });
      }
      await store.close();`;
      const flags = ['--trace-event-categories', 'node.fs.async', '--trace-event-file-pattern', trace];
      execFileSync(process.execPath, [...flags, '--input-type=module', '-e', script]);
      expect(segments().length).toBe(2);
      const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8')) as { traceEvents: TraceEvent[] };
      const begun = traceEvents.filter(({ ph }) => ph === 'b');
      const opened = begun.filter(({ args }) => args.path === join(folder, 'streams', app));
      expect(opened.length).toBe(synced);
      const syncs = begun.filter(({ name }) => name === 'fsync');
      // Those above it are synced once.
      expect(syncs.length).toBe(synced === 0 ? 0 : synced + 2);
    },
  );

  it('are read without a gap while they grow', async () => {
    const store = open();
    await store.append(app, batchOf('the first'));
    for (let ticks = 0; ticks < 30; ticks++) {
      const reading = store.read(app, 0, 1e9);
      for (let i = 0; i < ticks; i++) await undefined;
      const appended = Array.from({ length: 10 }, () => store.append(app, batchOf('x'.repeat(20_000))));
      const batches = await reading;
      const holes = batches.filter(({ first }, i) => first !== (i === 0 ? 1 : batches[i - 1].last + 1));
      expect(holes).toEqual([]);
      await Promise.all(appended);
    }
  });

  it('are several when there is much, and are removed when they are trimmed', async () => {
    const store = open(SMALL);
    for (let i = 0; i < 100; i++) await store.append(app, batchOf('x'.repeat(10_000)));
    const { first, last } = await store.bounds(app);
    expect(last - first + 1).toBe(19);
    await until('what is not needed is gone', async () => segments().length <= 4);
    expect(sequenceRanges(await readAll(store, app)).at(0)).toEqual([first, first]);
    await close(store);
    const again = open(SMALL);
    expect(await again.bounds(app)).toMatchObject({ first, last });
    expect(await again.readBefore(app, last + 1, 1e9)).toHaveLength(19);
    expect(await again.sequenceAt(app, Date.now() + 60_000)).toBe(last);
  });

  it('are not removed while their index is built', async () => {
    const large: Retention = { ...ROOMY, bytes: 64_000_000 };
    const store = open(large);
    for (let i = 0; i < 673; i++) await store.append(app, batchOf('x'.repeat(100_000)));
    await close(store);
    // As if written long ago: then their index isn't built at the start.
    for (const file of segments().slice(0, -1)) utimesSync(file, 1_700_000_000, 1_700_000_000);
    const again = open(large);
    const { first } = await again.bounds(app);
    let found = false;
    const reading = again.read(app, first - 1, 1).then(() => {
      found = true;
    });
    const held: number[] = [];
    while (!found) {
      await again.append(app, batchOf('y'.repeat(60_000)));
      held.push((await again.bounds(app)).bytes);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await reading;
    // Trimmed to within one batch of the bound, no further.
    expect(Math.min(...held)).toBeGreaterThan(large.bytes - 160_000);
  });

  it('count in the status of the store', async () => {
    const store = open();
    const before = Number((await store.status()).facts.bytes);
    await store.append(app, batchOf('x'.repeat(100_000)));
    expect(Number((await store.status()).facts.bytes) - before).toBeGreaterThanOrEqual(100_000);
  });

  it('that a killed process left with half a batch are truncated, and appended to from there', async () => {
    const store = open();
    await store.append(app, batchOf('one'));
    await close(store);
    const { size } = statSync(segments()[0]);
    const killed = open();
    await killed.append(app, batchOf('two', 'three'));
    folder = killedCopy();
    truncateSync(segments()[0], statSync(segments()[0]).size - 1);
    const again = open();
    expect(await again.bounds(app)).toMatchObject({ first: 1, last: 1 });
    expect(statSync(segments()[0]).size).toBe(size);
    await again.append(app, batchOf('2'));
    expect(linesOf(await readAll(again, app))).toEqual(['one', '2']);
    expect(damageOf(again)).toEqual([]);
  });

  it('that hold sectors that never reached the disk lose what was in them, as a gap in the sequences', async () => {
    const store = open();
    for (const text of ['one', 'x'.repeat(5_000), 'three']) await store.append(app, batchOf(text));
    await close(store);
    const torn = readFileSync(segments()[0]);
    torn.fill(0, 1_024, 2_048);
    writeFileSync(segments()[0], torn);
    const again = open();
    expect(linesOf(await readAll(again, app))).toEqual(['one', 'three']);
    expect(damageOf(again)).toEqual([[2, 2]]);
  });

  it('that are corrupt in the middle lose what comes after that in their segment, as a gap in the sequences', async () => {
    const store = open({ ...ROOMY, bytes: 1_000_000 });
    for (let i = 0; i < 30; i++) await store.append(app, batchOf('x'.repeat(10_000)));
    await close(store);
    const files = segments();
    expect(files.length).toBeGreaterThan(2);
    const broken = readFileSync(files[1]);
    broken.fill(0, 25_000, 26_000);
    writeFileSync(files[1], broken);
    const again = open({ ...ROOMY, bytes: 1_000_000 });
    const lines = sequenceRanges(await readAll(again, app)).map(([first]) => first);
    expect(lines[0]).toBe(1);
    expect(lines.at(-1)).toBe(30);
    const gaps = lines.filter((line, i) => i > 0 && line > lines[i - 1] + 1);
    expect(gaps).toHaveLength(1);
  });

  it('that are empty are a stream that goes on', async () => {
    const store = open();
    await store.append(app, batchOf('one', 'two'));
    await close(store);
    const { size } = statSync(segments()[0]);
    writeFileSync(
      join(folder, 'streams', app, `${'3'.padStart(16, '0')}-${String(size).padStart(16, '0')}.log`),
      '',
    );
    const again = open();
    expect((await again.append(app, batchOf('three'))).first).toBe(3);
    expect(linesOf(await readAll(again, app))).toEqual(['one', 'two', 'three']);
  });

  it('are removed with the app, also when the process ended meanwhile', async () => {
    const store = open();
    await store.append(app, batchOf('one'));
    await store.dropStream(app);
    expect(readdirSync(join(folder, 'streams'))).toEqual([]);
    await store.append(app, batchOf('new'));
    expect(linesOf(await readAll(store, app))).toEqual(['new']);
    await close(store);
    const aside = join(folder, 'streams', `.dropped-${newAppId()}-1`);
    execFileSync('cp', ['-r', join(folder, 'streams', app), aside]);
    open();
    await until('it is gone', async () => !existsSync(aside));
  });

  it('of an earlier version are an error, and not an empty stream', () => {
    writeFileSync(join(folder, 'journal-0'), '');
    expect(() => open()).toThrow(/earlier version/);
  });
});

describe('a frame id', () => {
  it('that was written last before the process died is found again', async () => {
    await close(open());
    // LMDB's part of it may be missing in what a killed process leaves.
    const copy = killedCopy();
    const store = open();
    const before = await store.append(app, batchOf('a', 'b'), { frameId: 'frame-1' });
    execFileSync('cp', ['-r', join(folder, 'streams'), copy]);
    const other = new EmbeddedStore({ folder: copy, retention: ROOMY, durability: 'process' });
    expect(await other.append(app, batchOf('a', 'b'), { frameId: 'frame-1' })).toMatchObject({
      ...before,
      duplicate: true,
    });
    expect(linesOf(await readAll(other, app))).toEqual(['a', 'b']);
    await other.close();
  });

  it('of each part of a request that was written last is found again, and the rest of it is stored', async () => {
    await close(open());
    const copy = killedCopy();
    const store = open();
    const parts = ['a', 'b', 'c'].map((text, i) => ({ batch: batchOf(text), frameId: `frame-1/${i}` }));
    await store.appendAll(app, parts.slice(0, 2));
    execFileSync('cp', ['-r', join(folder, 'streams'), copy]);
    const other = new EmbeddedStore({ folder: copy, retention: ROOMY, durability: 'process' });
    expect((await other.appendAll(app, parts)).map(({ duplicate }) => duplicate)).toEqual([
      true,
      true,
      false,
    ]);
    expect(linesOf(await readAll(other, app))).toEqual(['a', 'b', 'c']);
    await other.close();
  });

  it('of hundreds that come at once, some twice, is stored once', async () => {
    const store = open();
    const all = Array.from({ length: 400 }, (_, i) => i % 200);
    await Promise.all(all.map((n) => store.append(app, batchOf(`${n}`), { frameId: `frame ${n}` })));
    const lines = linesOf(await readAll(store, app));
    expect(lines).toHaveLength(200);
    expect(new Set(lines).size).toBe(200);
  });
});

describe('a store whose process', () => {
  it('can’t write rejects appends, and accepts them afterwards', async () => {
    const script = `
      import { EmbeddedStore } from ${MODULE};
      process.on('SIGXFSZ', () => {});
      const store = new EmbeddedStore({ folder: ${JSON.stringify(folder)}, durability: 'process', retention: ${JSON.stringify(ROOMY)} });
      const outcomes = [];
      for (const size of [1000, 3000000, 50000, 60000, 1000]) {
        const bytes = Buffer.alloc(size, 122);
        bytes.writeUInt32LE(size - 44, 32);
        outcomes.push(await store.append(${JSON.stringify(app)}, { bytes, count: 1 }).then(({ first }) => first, ({ code }) => code));
      }
      console.log(outcomes.join(' '));
      process.kill(process.pid, 'SIGKILL');`;
    const printed = await runLimited(script);
    expect(printed).toBe('1 store_full 2 store_full 3');
    expect(sequenceRanges(await readAll(open(), app))).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  it('of many apps is killed has everything that was acknowledged, whatever was refused for want of space', async () => {
    const script = `
      import { EmbeddedStore } from ${MODULE};
      process.on('SIGXFSZ', () => {});
      const store = new EmbeddedStore({ folder: ${JSON.stringify(folder)}, durability: 'process', retention: ${JSON.stringify(ROOMY)} });
      const apps = Array.from({ length: 5 }, (_, i) => '00000000-0000-4000-8000-00000000000' + i);
      const append = (app, size) => {
        const bytes = Buffer.alloc(size, 97 + apps.indexOf(app));
        bytes.writeUInt32LE(size - 44, 32);
        return store.append(app, { bytes, count: 1 }).then(({ first }) => first, ({ code }) => code);
      };
      const outcomes = [];
      for (const size of [1000, ...Array(7).fill(3000), 1000, 3000, 500])
        outcomes.push((await Promise.all(apps.map((app) => append(app, size)))).join(' '));
      console.log(outcomes.join(', '));
      process.kill(process.pid, 'SIGKILL');`;
    const printed = await runLimited(script);
    const each = (outcome: number | string): string => Array(5).fill(outcome).join(' ');
    const outcomes = [1, 2, 3, 4, 5, 6, 7, 'store_full', 8, 'store_full', 9];
    expect(printed).toBe(outcomes.map(each).join(', '));
    const store = open();
    await store.checked;
    expect(damageOf(store)).toEqual([]);
    for (let i = 0; i < 5; i++) {
      const batches = await readAll(store, `00000000-0000-4000-8000-00000000000${i}` as AppId);
      expect(sequenceRanges(batches)).toEqual(Array.from({ length: 9 }, (_, k) => [k + 1, k + 1]));
      expect(linesOf(batches).join('')).toMatch(new RegExp(`^${'abcde'[i]}+$`));
    }
  });

  it('can’t bring to segments what it has acknowledged keeps it in the commit log', async () => {
    const script = `
      import { EmbeddedStore } from ${MODULE};
      process.on('SIGXFSZ', () => {});
      const store = new EmbeddedStore({ folder: ${JSON.stringify(folder)}, durability: 'process', retention: ${JSON.stringify(ROOMY)} });
      const apps = Array.from({ length: 5 }, (_, i) => '00000000-0000-4000-8000-00000000000' + i);
      const append = (app, size) => {
        const bytes = Buffer.alloc(size, 97 + apps.indexOf(app));
        bytes.writeUInt32LE(size - 44, 32);
        return store.append(app, { bytes, count: 1 }).then(({ first }) => first, ({ code }) => code);
      };
      const outcomes = [];
      for (const app of apps) outcomes.push(await append(app, 95000));
      for (let i = 0; i < 5; i++) outcomes.push(...await Promise.all(apps.map((app) => append(app, 3000))));
      await store.close();
      console.log(outcomes.join(' '));`;
    const printed = await runLimited(script);
    const each = (outcome: number): string => Array(5).fill(outcome).join(' ');
    expect(printed).toBe([1, 2, 3, 4, 5, 6].map(each).join(' '));
    const store = open();
    await store.checked;
    expect(damageOf(store)).toEqual([]);
    for (let i = 0; i < 5; i++) {
      const batches = await readAll(store, `00000000-0000-4000-8000-00000000000${i}` as AppId);
      expect(sequenceRanges(batches)).toEqual(Array.from({ length: 6 }, (_, k) => [k + 1, k + 1]));
    }
    await close(store);
    expect(readdirSync(join(folder, 'commits'))).toEqual([]);
  });

  it('of many apps is killed at any time has everything that was acknowledged', async () => {
    const script = `
      import { EmbeddedStore } from ${MODULE};
      const store = new EmbeddedStore({ folder: ${JSON.stringify(folder)}, durability: 'process', retention: ${JSON.stringify(SMALL)} });
      const apps = Array.from({ length: 20 }, (_, i) => '00000000-0000-4000-8000-0000000000' + (10 + i));
      for (let i = 1; ; i++) {
        const done = await Promise.all(apps.map((app, k) => {
          const bytes = Buffer.alloc(44 + ((i + k) * 7919) % 2000 + ((i + k) % 50 === 0 ? 100000 : 0), 97);
          bytes.writeUInt32LE(bytes.length - 44, 32);
          return store.append(app, { bytes, count: 1 });
        }));
        process.stdout.write(Math.min(...done.map(({ last }) => last)) + '\\n');
      }`;
    const acknowledged = await acknowledgedWhenKilled(script, 500);
    const store = open(SMALL);
    await store.checked;
    expect(damageOf(store)).toEqual([]);
    for (let i = 0; i < 20; i++) {
      const one = `00000000-0000-4000-8000-0000000000${10 + i}` as AppId;
      const { last } = await store.bounds(one);
      expect(last).toBeGreaterThanOrEqual(acknowledged);
      const held = sequenceRanges(await readAll(store, one));
      expect(held.at(-1)).toEqual([last, last]);
      for (const [k, [first]] of held.entries()) expect(first).toBe(held[0][0] + k);
      expect((await store.append(one, batchOf('next'))).first).toBe(last + 1);
    }
  });

  it('is killed has everything that was acknowledged', async () => {
    const script = `
      import { EmbeddedStore } from ${MODULE};
      const store = new EmbeddedStore({ folder: ${JSON.stringify(folder)}, durability: 'process', retention: ${JSON.stringify(SMALL)} });
      for (let i = 1; ; i++) {
        const bytes = Buffer.alloc(44 + (i * 7919) % 5000 + (i % 50 === 0 ? 100000 : 0), 97);
        bytes.writeUInt32LE(bytes.length - 44, 32);
        const { last } = await store.append(${JSON.stringify(app)}, { bytes, count: 1 });
        process.stdout.write(last + '\\n');
      }`;
    const acknowledged = await acknowledgedWhenKilled(script, 2_000);
    const store = open(SMALL);
    const { last } = await store.bounds(app);
    expect(last).toBeGreaterThanOrEqual(acknowledged);
    const held = sequenceRanges(await readAll(store, app));
    expect(held.at(-1)).toEqual([last, last]);
    for (const [i, [first]] of held.entries()) expect(first).toBe(held[0][0] + i);
    expect((await store.append(app, batchOf('next'))).first).toBe(last + 1);
  });
});

describe('a sector of zeros', () => {
  it('after the last batch, as a power cut leaves it, is no batch', async () => {
    const store = open();
    await store.append(app, batchOf('one'));
    await close(store);
    appendFileSync(segments()[0], Buffer.alloc(10_000));
    const again = open();
    expect(await again.bounds(app)).toMatchObject({ first: 1, last: 1 });
  });
});

/** Runs a program that prints what is acknowledged, kills it beyond a number, and returns the last one. */
async function acknowledgedWhenKilled(script: string, beyond: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let acknowledged = 0;
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      acknowledged = Number(chunk.toString().trim().split('\n').at(-1)) || acknowledged;
      if (acknowledged > beyond) child.kill('SIGKILL');
    });
    child.on('close', () => resolve());
  });
  return acknowledged;
}
