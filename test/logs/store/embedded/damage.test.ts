/**
 * Damage of every kind to every file of a small data folder. Whatever it is, a start says what is lost, or refuses and says what to do; a
 * changed line is never given to a reader; no number is given to two lines; and `tailrace repair` leaves a folder that is intact.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newAppChanges } from '../../../../src/apps/records/app-registry.ts';
import { TailraceError } from '../../../../src/common/errors.ts';
import type { AppId, Retention, StreamDamage } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { repairFolder } from '../../../../src/logs/store/embedded/repair/repair.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';
import { readAll } from '../conformance/streams.ts';

/** Segments of 64 KiB: the smallest. */
const RETENTION: Retention = { lines: 1e9, bytes: 1e6, ageMs: 1e12 };
const APPS = [newAppId(), newAppId()] as const;
const BATCHES = 30;
const LINES_A_BATCH = 3;
const LINES = BATCHES * LINES_A_BATCH;
const SEEDS = 4;
const NOTES = 200;

let base: string;
let work: string;
let segments: string[];

const lineOf = (app: AppId, sequence: number): string =>
  `${app} ${sequence} ${'x'.repeat(1_500 + ((sequence * 7) % 900))}`;

const noteOf = (i: number): string => `${i} ${'y'.repeat(100)}`;

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'tailrace-damage-'));
  base = join(work, 'base');
  const store = new EmbeddedStore({ folder: base, retention: RETENTION, durability: 'process' });
  for (const [i, app] of APPS.entries()) await store.transact('', newAppChanges(app, `app-${i}`).changes);
  for (let i = 0; i < NOTES; i++)
    await store.transact(APPS[i % 2], [{ key: `note/${i}`, value: { text: noteOf(i) } }]);
  for (let batch = 0; batch < BATCHES; batch++)
    for (const app of APPS) {
      const texts = Array.from({ length: LINES_A_BATCH }, (_, i) =>
        lineOf(app, batch * LINES_A_BATCH + i + 1),
      );
      await store.append(
        app,
        batchOf(...texts),
        batch % 4 === 0 ? { frameId: `${app} ${batch}` } : undefined,
      );
    }
  await store.close();
  segments = APPS.flatMap((app) =>
    readdirSync(join(base, 'streams', app))
      .sort()
      .map((name) => join('streams', app, name)),
  );
  expect(segments).toHaveLength(6);
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

interface Outcome {
  /** The sentence of a start that was refused. */
  readonly refusal?: string;
  /** Numbers of the lines that each app still has. */
  readonly kept: readonly (readonly number[])[];
  readonly damage: readonly StreamDamage[];
}

/** Opens the folder, reads everything, and appends a line to each app. */
async function start(folder: string, mayLoseRecords = false): Promise<Outcome> {
  let store: EmbeddedStore;
  try {
    store = new EmbeddedStore({ folder, retention: RETENTION, durability: 'process' });
  } catch (error) {
    if (!(error instanceof TailraceError)) throw error;
    return { refusal: error.message, kept: [], damage: [] };
  }
  try {
    await store.checked;
    const kept: number[][] = [];
    const damage: StreamDamage[] = [];
    const known = (await store.list<{ id: AppId }>('', 'app/')).map(({ value }) => value.id);
    for (const [i, app] of APPS.entries()) {
      // Those of an app that a repair has made anew are gone.
      const notes = known.includes(app) ? await store.list<{ text: string }>(app, 'note/') : [];
      const changedNotes = notes.filter(
        ({ key, value, version }) => version !== 1 || value.text !== noteOf(Number(key.slice(5))),
      );
      expect(changedNotes).toEqual([]);
      if (mayLoseRecords) expect(notes.length).toBeLessThanOrEqual(NOTES / 2);
      else expect(notes.map(({ key }) => Number(key.slice(5)) % 2)).toEqual(Array(NOTES / 2).fill(i));
      const batches = await readAll(store, app);
      const numbers = batches.flatMap(({ first, count }) =>
        Array.from({ length: count }, (_, i) => first + i),
      );
      const texts = linesOf(batches);
      const changed = numbers.filter(
        (number, k) => texts[k] !== (number <= LINES ? lineOf(app, number) : 'new'),
      );
      expect(changed).toEqual([]);
      kept.push(numbers.filter((number) => number <= LINES));
      const { first } = await store.append(app, batchOf('new'));
      expect(first).toBeGreaterThan(LINES);
      expect((await store.readBefore(app, first + 1, 1)).map(({ last }) => last)).toEqual([first]);
    }
    store.watchDamage((one) => void damage.push(one));
    return { kept, damage };
  } finally {
    await store.close();
  }
}

/** The numbers of an app's lines that are gone. */
function missing(kept: readonly number[]): number[] {
  const there = new Set(kept);
  return Array.from({ length: LINES }, (_, i) => i + 1).filter((number) => !there.has(number));
}

/** Everything that is missing was said. */
function expectSaid({ kept, damage }: Outcome): void {
  for (const [i, app] of APPS.entries()) {
    const said = damage.filter((one) => one.app === app);
    const unsaid = missing(kept[i]).filter(
      (number) => !said.some(({ first, last }) => first <= number && number <= last),
    );
    expect(unsaid).toEqual([]);
  }
}

let copies = 0;
function copyOf(folder: string): string {
  const copy = join(work, String(++copies));
  cpSync(folder, copy, { recursive: true });
  return copy;
}

const newApp = (id: AppId, name: string) => newAppChanges(id, name).changes;

/** Damages a copy; starts on it, twice; then repairs another copy and starts on that. Returns how the first start went. */
async function tryDamage(damage: (folder: string) => void): Promise<Outcome> {
  const folder = copyOf(base);
  damage(folder);
  const damaged = copyOf(folder);
  const outcome = await start(folder);
  if (outcome.refusal === undefined) {
    expectSaid(outcome);
    const again = await start(folder);
    expect(again.refusal).toBeUndefined();
    expect(again.kept).toEqual(outcome.kept);
  } else expect(outcome.refusal).toMatch(/tailrace repair/);
  const report = await repairFolder({ folder: damaged, dryRun: false, newApp });
  const after = await repairFolder({ folder: damaged, dryRun: true, newApp });
  expect([...after.steps, ...after.lost]).toEqual([]);
  const repaired = await start(damaged, outcome.refusal !== undefined);
  expect(repaired.refusal).toBeUndefined();
  // What was repaired is known.
  expect(repaired.damage).toEqual([]);
  for (const [i, app] of APPS.entries()) {
    if (outcome.refusal === undefined)
      expect(repaired.kept[i].length).toBeGreaterThanOrEqual(outcome.kept[i].length);
    const lost = report.lost.filter((one) =>
      [app, `app-${i}`, `recovered-${app.slice(0, 8)}`].includes(one.app),
    );
    const isLost = (number: number): boolean =>
      lost.some(({ first, last }) => first <= number && number <= last);
    // Without the notes in store.mdb, nobody knows of what is missing at the ends.
    if (outcome.refusal === undefined)
      expect(missing(repaired.kept[i]).filter((number) => !isLost(number))).toEqual([]);
    expect(repaired.kept[i].filter(isLost)).toEqual([]);
  }
  for (const one of [folder, damaged]) rmSync(one, { recursive: true });
  return outcome;
}

const flip = (file: string, at: number, bits = 1): void => {
  const bytes = readFileSync(file);
  bytes[at] ^= bits;
  writeFileSync(file, bytes);
};
const size = (folder: string, file: string): number => readFileSync(join(folder, file)).length;

describe('a segment', () => {
  it('that is removed, whichever it is, is said with its lines', async () => {
    for (const [i, segment] of segments.entries()) {
      const { kept, damage } = await tryDamage((folder) => rmSync(join(folder, segment)));
      const app = Math.floor(i / 3);
      expect(kept[1 - app]).toHaveLength(LINES);
      expect(kept[app].length).toBeLessThan(LINES);
      expect(damage.map((one) => one.app)).toEqual([APPS[app]]);
      expect(damage[0].last - damage[0].first + 1).toBe(LINES - kept[app].length);
    }
  });

  it('that is removed and comes back is read again', async () => {
    for (const segment of segments.slice(0, 3)) {
      const folder = copyOf(base);
      renameSync(join(folder, segment), join(folder, 'aside'));
      expect((await start(folder)).kept[0].length).toBeLessThan(LINES);
      renameSync(join(folder, 'aside'), join(folder, segment));
      const { kept, damage } = await start(folder);
      expect(kept[0]).toHaveLength(LINES);
      expect(damage).toEqual([]);
    }
  });

  it('that is emptied, or cut off anywhere, is said with its lines', async () => {
    for (const segment of segments.slice(0, 3)) {
      const bytes = size(base, segment);
      for (const part of [0, 0.1, 0.6, 1 - 1 / bytes]) {
        const { damage } = await tryDamage((folder) =>
          truncateSync(join(folder, segment), Math.floor(bytes * part)),
        );
        expect(damage).toHaveLength(1);
      }
    }
  });

  it('with a flipped bit anywhere gives no changed line, and all the others', async () => {
    const random = seededRandom(SEEDS);
    for (const segment of segments.slice(0, 3)) {
      const bytes = size(base, segment);
      const places = [0, 1, 4, 8, 18, 25, 40, Math.floor(random() * bytes), bytes - 1];
      for (const at of places) {
        const { kept } = await tryDamage((folder) =>
          flip(join(folder, segment), at, 1 << Math.floor(random() * 8)),
        );
        expect(kept.flat().length).toBeGreaterThanOrEqual(2 * LINES - LINES_A_BATCH);
      }
    }
  });

  it('of random bytes, with more behind it, or with a piece missing, is said', async () => {
    const random = seededRandom(SEEDS + 1);
    const noise = (bytes: number): Buffer =>
      Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)));
    for (const segment of segments.slice(0, 3)) {
      const bytes = readFileSync(join(base, segment));
      const write = (content: Buffer) => (folder: string) => writeFileSync(join(folder, segment), content);
      await tryDamage(write(noise(bytes.length)));
      await tryDamage(write(Buffer.alloc(bytes.length)));
      await tryDamage(write(Buffer.concat([bytes, noise(5_000)])));
      await tryDamage(write(Buffer.concat([bytes, bytes])));
      await tryDamage(write(Buffer.concat([bytes.subarray(0, 20_000), bytes.subarray(30_000)])));
      await tryDamage(
        write(Buffer.concat([bytes.subarray(0, 20_000), noise(10_000), bytes.subarray(30_000)])),
      );
    }
  });

  it('under another name is not read there, and gets its place by a repair', async () => {
    for (const segment of segments.slice(0, 3)) {
      const other = segment.replace(/\d{16}-/, '0000000000000002-');
      await tryDamage((folder) => renameSync(join(folder, segment), join(folder, other)));
      const folder = copyOf(base);
      renameSync(join(folder, segment), join(folder, other));
      const { lost, steps } = await repairFolder({ folder, dryRun: false, newApp });
      expect(lost).toEqual([]);
      expect(steps).toHaveLength(1);
      expect((await start(folder)).kept.flat()).toHaveLength(2 * LINES);
    }
  });

  it('that is there twice is read once', async () => {
    for (const segment of segments.slice(0, 3)) {
      const other = segment.replace(/\d{16}-/, '0000000000000002-');
      const { kept } = await tryDamage((folder) => cpSync(join(folder, segment), join(folder, other)));
      expect(kept.flat()).toHaveLength(2 * LINES);
    }
  });

  it('that is swapped with one of another app is not read there, and gets its place by a repair', async () => {
    for (const [i, segment] of segments.slice(0, 3).entries()) {
      const swap = (folder: string): void => {
        renameSync(join(folder, segment), join(folder, 'aside'));
        renameSync(join(folder, segments[i + 3]), join(folder, segment));
        renameSync(join(folder, 'aside'), join(folder, segments[i + 3]));
      };
      const { damage } = await tryDamage(swap);
      expect(new Set(damage.map(({ app }) => app)).size).toBe(2);
      const folder = copyOf(base);
      swap(folder);
      expect((await repairFolder({ folder, dryRun: false, newApp })).lost).toEqual([]);
      expect((await start(folder)).kept.flat()).toHaveLength(2 * LINES);
    }
  });
});

describe('a segment that is damaged while the store is open', () => {
  it('loses what is damaged, is said, and gives everything else', async () => {
    for (const [i, segment] of segments.slice(0, 3).entries()) {
      const folder = copyOf(base);
      const store = new EmbeddedStore({ folder, retention: RETENTION, durability: 'process' });
      await store.checked;
      const damage: StreamDamage[] = [];
      store.watchDamage((one) => void damage.push(one));
      if (i === 1) rmSync(join(folder, segment));
      else flip(join(folder, segment), 20_000);
      const batches = await readAll(store, APPS[0]);
      const numbers = batches.flatMap(({ first, count }) =>
        Array.from({ length: count }, (_, k) => first + k),
      );
      for (const [k, text] of linesOf(batches).entries()) expect(text).toBe(lineOf(APPS[0], numbers[k]));
      const lost = damage.flatMap(({ first, last }) =>
        Array.from({ length: last - first + 1 }, (_, k) => first + k),
      );
      expect(missing(numbers)).toEqual(lost);
      if (i !== 1) expect(lost).toHaveLength(LINES_A_BATCH);
      // Reading backwards finds the same.
      const backwards: number[] = [];
      for (let before = LINES + 1; ; ) {
        const found = await store.readBefore(APPS[0], before, 1);
        if (found.length === 0) break;
        for (const { first, count } of found) for (let k = count - 1; k >= 0; k--) backwards.push(first + k);
        before = found.at(-1)!.first;
      }
      expect(backwards.reverse()).toEqual(numbers);
      await store.close();
    }
  });
});

describe('the folder of streams', () => {
  it('of one app, or of all, that is removed is said', async () => {
    const one = await tryDamage((folder) => rmSync(join(folder, 'streams', APPS[0]), { recursive: true }));
    expect(one.damage).toMatchObject([{ app: APPS[0], first: 1, last: LINES, isNew: true }]);
    const all = await tryDamage((folder) => rmSync(join(folder, 'streams'), { recursive: true }));
    expect(all.damage.map(({ last }) => last)).toEqual([LINES, LINES]);
  });

  it('swapped between two apps is said, and put right by a repair', async () => {
    const swap = (folder: string): void => {
      const [a, b] = APPS.map((app) => join(folder, 'streams', app));
      renameSync(a, join(folder, 'aside'));
      renameSync(b, a);
      renameSync(join(folder, 'aside'), b);
    };
    expect((await tryDamage(swap)).damage).toHaveLength(2);
    const folder = copyOf(base);
    swap(folder);
    await repairFolder({ folder, dryRun: false, newApp });
    expect((await start(folder)).kept.flat()).toHaveLength(2 * LINES);
  });

  it('that is a file is refused with a sentence', () => {
    const folder = copyOf(base);
    rmSync(join(folder, 'streams'), { recursive: true });
    writeFileSync(join(folder, 'streams'), '');
    expect(() => new EmbeddedStore({ folder, retention: RETENTION, durability: 'process' })).toThrow(
      TailraceError,
    );
  });
});

describe('store.mdb', () => {
  it('that is removed or empty while there are lines is refused', async () => {
    for (const damage of [
      (folder: string) => rmSync(join(folder, 'store.mdb')),
      (folder: string) => truncateSync(join(folder, 'store.mdb')),
    ]) {
      const { refusal } = await tryDamage(damage);
      expect(refusal).toMatch(
        /store\.mdb.*lines of 2 apps: put store\.mdb back from a copy, or run `.*tailrace repair`/,
      );
    }
  });

  it('that is cut off, or of random bytes, is refused or whole', async () => {
    const bytes = size(base, 'store.mdb');
    for (let i = 1; i < 12; i++)
      await tryDamage((folder) => truncateSync(join(folder, 'store.mdb'), Math.floor((bytes * i) / 12)));
    const { refusal } = await tryDamage((folder) =>
      writeFileSync(join(folder, 'store.mdb'), Buffer.alloc(bytes, 7)),
    );
    expect(refusal).toMatch(/store\.mdb .*damaged/);
  });

  it('with flipped bits is refused, or its records are what they were', async () => {
    const random = seededRandom(SEEDS + 2);
    const bytes = size(base, 'store.mdb');
    for (let i = 0; i < 30; i++) {
      const at = Math.floor(random() * bytes);
      await tryDamage((folder) => flip(join(folder, 'store.mdb'), at, 1 << Math.floor(random() * 8)));
    }
  });

  it('with a damaged record is refused by its name, and a repair keeps the others', async () => {
    const bytes = readFileSync(join(base, 'store.mdb'));
    // The newest of its copies is the one in use.
    const at = bytes.lastIndexOf('"text":"17 yyy');
    const { refusal } = await tryDamage((folder) => {
      for (let i = bytes.indexOf('"text":"17 yyy'); i !== -1; i = bytes.indexOf('"text":"17 yyy', i + 1))
        flip(join(folder, 'store.mdb'), i + 3);
    });
    expect(at).toBeGreaterThan(0);
    expect(refusal).toMatch(/^The record note\/17 of .* in .*store\.mdb is damaged: put/);
  });

  it('with a wrong name of a database is refused: LMDB would make an empty one', async () => {
    const bytes = readFileSync(join(base, 'store.mdb'));
    for (const name of ['records', 'format', 'streams', 'frames']) {
      const { refusal } = await tryDamage((folder) => {
        for (let at = bytes.indexOf(`${name}\0`); at !== -1; at = bytes.indexOf(`${name}\0`, at + 1))
          flip(join(folder, 'store.mdb'), at + name.length - 1);
      });
      expect(refusal).toMatch(/store\.mdb in .* is damaged/);
    }
  });

  it('of a later version is refused', async () => {
    const folder = copyOf(base);
    writeFileSync(join(folder, 'journal-0'), 'tailrace data folder, format 99: something\n');
    expect((await start(folder)).refusal).toMatch(/newer version of tailrace/);
  });

  it('from before its streams were made is said', async () => {
    const folder = copyOf(base);
    const empty = join(work, 'empty');
    await new EmbeddedStore({ folder: empty, retention: RETENTION, durability: 'process' }).close();
    cpSync(join(empty, 'store.mdb'), join(folder, 'store.mdb'));
    const problems: string[] = [];
    const onProblem = (message: string): void => void problems.push(message);
    const store = new EmbeddedStore({ folder, retention: RETENTION, durability: 'process', onProblem });
    await store.checked;
    expect(problems).toEqual([expect.stringMatching(/lines of 2 apps .* that store\.mdb doesn't know/)]);
    expect((await store.status()).concerns).toEqual(problems);
    await store.close();
    await repairFolder({ folder, dryRun: false, newApp });
    const { kept } = await start(folder, true);
    expect(kept.flat()).toHaveLength(2 * LINES);
  });
});

describe('any other file of the folder', () => {
  it('that is removed, emptied or overwritten changes nothing', async () => {
    for (const name of ['journal-0', 'store.mdb-lock', 'lock'])
      for (const content of [undefined, Buffer.alloc(0), Buffer.alloc(9_000, 0xa5)]) {
        const { refusal, kept } = await tryDamage((folder) => {
          if (content) writeFileSync(join(folder, name), content);
          else rmSync(join(folder, name), { force: true });
        });
        expect(refusal).toBeUndefined();
        expect(kept.flat()).toHaveLength(2 * LINES);
      }
  });

  it('in a folder of streams is left alone', async () => {
    const { kept } = await tryDamage((folder) => {
      mkdirSync(join(folder, 'streams', 'old'));
      writeFileSync(join(folder, 'streams', APPS[0], 'notes.txt'), 'hello');
      writeFileSync(join(folder, 'streams', 'README'), 'hello');
    });
    expect(kept.flat()).toHaveLength(2 * LINES);
    expect(existsSync(join(base, 'damaged'))).toBe(false);
  });
});
