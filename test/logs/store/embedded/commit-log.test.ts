/** Small batches of many apps that come together: in one file, in memory, and in their segments in the end. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { open as openLmdb } from 'lmdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkStreams } from '../../../../src/cli/doctor/streams.ts';
import { LogRouter } from '../../../../src/logs/router/log-router.ts';
import type { AppendResult, AppId, Retention } from '../../../../src/logs/store/contract.ts';
import {
  COMMIT_HEADER,
  readCommitFile,
} from '../../../../src/logs/store/embedded/commit-log/commit-entry.ts';
import { CommitMemory } from '../../../../src/logs/store/embedded/commit-log/commit-memory.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { FolderIdentity } from '../../../../src/logs/store/embedded/folder-identity.ts';
import { sealValue } from '../../../../src/logs/store/embedded/records/sealed-value.ts';
import {
  FORMAT_DATABASE,
  readStoreFile,
  STORE_FILE,
} from '../../../../src/logs/store/embedded/records/store-file.ts';
import { repairFolder } from '../../../../src/logs/store/embedded/repair/repair.ts';
import {
  checksumSeed,
  parseSegmentFileName,
} from '../../../../src/logs/store/embedded/segments/entry-format.ts';
import { scanBytes } from '../../../../src/logs/store/embedded/segments/entry-scan.ts';
import { OpenFileCache } from '../../../../src/logs/store/embedded/segments/open-file-cache.ts';
import { StoreClock } from '../../../../src/logs/store/embedded/store-clock.ts';
import { AppStream } from '../../../../src/logs/store/embedded/streams/app-stream.ts';
import { Appender } from '../../../../src/logs/store/embedded/streams/appender.ts';
import { SyslogHeader, scanHeader } from '../../../../src/logs/syslog/header.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { copyAsKilled } from '../../../support/killed-store.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';
import { until } from '../../../support/until.ts';
import { readAll } from '../conformance/streams.ts';

const ROOMY: Retention = { lines: 1e9, bytes: 1e9, ageMs: 1e9 };

let folder: string;
let apps: AppId[];
let stores: EmbeddedStore[];
let copies: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-commits-'));
  apps = Array.from({ length: 5 }, newAppId);
  stores = [];
  copies = [];
});
afterEach(async () => {
  for (const store of stores) await store.close();
  for (const one of [folder, ...copies]) rmSync(one, { recursive: true, force: true });
});

function open(
  at = folder,
  durability: 'process' | 'disk' = 'process',
  retention = ROOMY,
  commitFileBytes?: number,
): EmbeddedStore {
  const store = new EmbeddedStore({ folder: at, retention, durability, commitFileBytes });
  stores.push(store);
  return store;
}

async function close(store: EmbeddedStore): Promise<void> {
  stores.splice(stores.indexOf(store), 1);
  await store.close();
}

/** What a killed process leaves, in a folder of its own. */
function killedCopy(from = folder): string {
  const copy = mkdtempSync(join(tmpdir(), 'tailrace-copy-'));
  copies.push(copy);
  copyAsKilled(from, copy);
  return copy;
}

/** A batch of each app, in one turn. */
function appendTogether(
  store: EmbeddedStore,
  text: string,
  to: readonly AppId[] = apps,
): Promise<AppendResult[]> {
  return Promise.all(to.map((app) => store.append(app, batchOf(`${text} of ${app}`))));
}

/** Each app has a segment, and after that lines in the commit log. */
async function fill(store: EmbeddedStore, rounds = 3): Promise<string[]> {
  const texts = ['first', ...Array.from({ length: rounds }, (_, i) => `line ${i}`)];
  for (const text of texts) await appendTogether(store, text);
  return texts;
}

const commitFiles = (at = folder): string[] =>
  existsSync(join(at, 'commits'))
    ? readdirSync(join(at, 'commits')).map((name) => join(at, 'commits', name))
    : [];

const linesIn = async (store: EmbeddedStore, app: AppId): Promise<string[]> =>
  linesOf(await readAll(store, app));

const expected = (app: AppId, texts: readonly string[]): string[] => texts.map((text) => `${text} of ${app}`);

function damageOf(store: EmbeddedStore): [AppId, number, number][] {
  const found: [AppId, number, number][] = [];
  store.watchDamage(({ app, first, last }) => void found.push([app, first, last]))();
  return found;
}

describe.each(['process', 'disk'] as const)(
  'lines that come together, with durability `%s`',
  (durability) => {
    it('are read at once, after a kill, and after a close', async () => {
      const store = open(folder, durability);
      const texts = await fill(store);
      expect(commitFiles()).toHaveLength(1);
      for (const app of apps) expect(await linesIn(store, app)).toEqual(expected(app, texts));
      const killed = open(killedCopy());
      for (const app of apps) expect(await linesIn(killed, app)).toEqual(expected(app, texts));
      await close(store);
      expect(commitFiles()).toEqual([]);
      const again = open();
      await again.checked;
      for (const app of apps) expect(await linesIn(again, app)).toEqual(expected(app, texts));
      expect(damageOf(again)).toEqual([]);
      expect((await appendTogether(again, 'next')).map(({ first }) => first)).toEqual(
        apps.map(() => texts.length + 1),
      );
    });

    it('are followed by a large batch, and by what has a frame id', async () => {
      const store = open(folder, durability);
      const texts = await fill(store);
      const [app] = apps;
      const large = 'x'.repeat(300_000);
      await Promise.all([
        ...apps.map((one) => store.append(one, batchOf(`small of ${one}`))),
        store.append(app, batchOf(large)),
        store.append(app, batchOf('named'), { frameId: 'a frame' }),
        store.appendAll(app, [
          { batch: batchOf('one'), frameId: 'one' },
          { batch: batchOf('two'), frameId: '' },
        ]),
      ]);
      const all = [...expected(app, [...texts, 'small']), large, 'named', 'one', 'two'];
      expect(await linesIn(store, app)).toEqual(all);
      const killed = open(killedCopy());
      expect(await linesIn(killed, app)).toEqual(all);
      const again = await killed.append(app, batchOf('named'), { frameId: 'a frame' });
      expect(again).toMatchObject({ duplicate: true, first: texts.length + 3 });
      await store.append(app, batchOf(large));
      expect(await linesIn(store, app)).toEqual([...all, large]);
    });
  },
);

describe('what is in the commit log only', () => {
  it('is read backwards, by time and by its bounds, together with the segment', async () => {
    const store = open();
    const texts = await fill(store);
    const [app] = apps;
    const all = expected(app, texts);
    expect(await store.bounds(app)).toMatchObject({ first: 1, last: texts.length });
    expect(linesOf((await store.readBefore(app, texts.length, 1e6)).reverse())).toEqual(all.slice(0, -1));
    expect(linesOf(await store.readBefore(app, 1e9, 1))).toEqual(all.slice(-1));
    expect(linesOf(await store.read(app, 2, 1))).toEqual(all.slice(2, 3));
    expect(await store.sequenceAt(app, Date.now() + 1_000)).toBe(texts.length);
    expect(await store.sequenceAt(app, 0)).toBe(0);
  });

  it('is kept as it was when its sender uses its memory again', async () => {
    const store = open();
    const router = new LogRouter(store, { pendingBytesMax: 1e9, onAppendFailed: () => {} });
    const header = new SyslogHeader();
    const add = async (i: number): Promise<void> => {
      const stored = apps.map((app) => {
        const batcher = router.requestBatcher(app);
        for (let k = 0; k < 15; k++) {
          const line = Buffer.from(
            `<190>1 2026-01-01T00:00:00.000000+00:00 host t web.1 - - ${i} ${k} ${'x'.repeat(100)} ${app}`,
          );
          scanHeader(line, 0, line.length, header);
          batcher.add(
            line,
            0,
            line.length,
            header,
            { sourceBytes: Buffer.from('app') } as never,
            Buffer.from('h'),
          );
        }
        return batcher.whenStored();
      });
      await Promise.all(stored);
    };
    for (let i = 0; i < 60; i++) await add(i);
    await router.close(1_000);
    const wanted = (app: AppId): string[] =>
      Array.from({ length: 60 * 15 }, (_, n) => `${Math.floor(n / 15)} ${n % 15} ${'x'.repeat(100)} ${app}`);
    const messages = async (of: EmbeddedStore, app: AppId): Promise<string[]> =>
      (await linesIn(of, app)).map((line) => line.split(' - - ')[1]);
    for (const app of apps) expect(await messages(store, app)).toEqual(wanted(app));
    const killed = open(killedCopy());
    for (const app of apps) expect(await messages(killed, app)).toEqual(wanted(app));
    await killed.checked;
    expect(damageOf(killed)).toEqual([]);
  });

  it('is within what a stream may hold', async () => {
    const store = open(folder, 'process', { ...ROOMY, lines: 4 });
    await fill(store, 20);
    for (const app of apps) expect(await store.bounds(app)).toMatchObject({ first: 18, last: 21 });
  });

  it('goes to segments while more is always on its way', async () => {
    const store = open(folder, 'disk');
    await fill(store, 1);
    const sender = async (app: AppId, count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await store.append(app, batchOf('x'.repeat(3_000)));
    };
    // Two for each app: one's batch waits while the other's is written.
    const last = apps.map((app) => sender(app, 70));
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all(apps.map((app) => sender(app, 50)));
    for (const app of apps) {
      const [segment] = readdirSync(join(folder, 'streams', app));
      expect(statSync(join(folder, 'streams', app, segment)).size).toBeGreaterThan(200_000);
    }
    await Promise.all(last);
    const killed = open(killedCopy(), 'disk');
    for (const app of apps) expect(await killed.bounds(app)).toMatchObject({ first: 1, last: 122 });
  });

  it('does not come back with an app that was removed', async () => {
    const store = open();
    const texts = await fill(store);
    const [gone, kept] = apps;
    await store.dropStream(gone);
    const killed = open(killedCopy());
    await killed.checked;
    expect(await killed.bounds(gone)).toMatchObject({ first: 1, last: 0 });
    expect(await linesIn(killed, kept)).toEqual(expected(kept, texts));
    // Nor behind the lines of another one with its id.
    await store.append(gone, batchOf('anew'));
    expect(await linesIn(open(killedCopy()), gone)).toEqual(['anew']);
  });

  it('gives no numbers to one that is removed while frames wait for others', async () => {
    const store = open();
    const [app] = apps;
    await fill(store);
    const named = Array.from({ length: 20 }, (_, i) => ({ batch: batchOf('a'), frameId: `frame ${i}` }));
    const first = named.map(({ batch, frameId }) => store.append(app, batch, { frameId }));
    const second = store.appendAll(app, [
      ...named.map(({ frameId }) => ({ batch: batchOf('a'), frameId })),
      { batch: batchOf('b'), frameId: 'b' },
    ]);
    const dropped = store.dropStream(app);
    await Promise.all([...first, second, dropped]);
    const { last } = await store.bounds(app);
    expect([0, 1]).toContain(last);
    const third = await Promise.all([store.append(app, batchOf('c')), store.append(app, batchOf('d'))]);
    expect(third.map((one) => one.first)).toEqual([last + 1, last + 2]);
    expect(await linesIn(store, app)).toEqual(last === 1 ? ['b', 'c', 'd'] : ['c', 'd']);
  });

  it('is stored again when the file of it is removed', async () => {
    const store = open();
    const texts = await fill(store);
    for (const file of commitFiles()) rmSync(file);
    await expect(appendTogether(store, 'refused')).rejects.toMatchObject({ code: 'unavailable' });
    await appendTogether(store, 'next');
    for (const app of apps) expect(await linesIn(store, app)).toEqual(expected(app, [...texts, 'next']));
    await close(store);
    const again = open();
    for (const app of apps) expect(await linesIn(again, app)).toEqual(expected(app, [...texts, 'next']));
  });
});

describe('a file of the commit log', () => {
  it('that was cut off anywhere has all that is in front of that', async () => {
    const store = open();
    await fill(store);
    const [file] = commitFiles();
    const bytes = readFileSync(file);
    const whole = readCommitFile(bytes, apps);
    const ends = [...whole.batches.values()].flat().length;
    expect(ends).toBe(3 * apps.length);
    let before = 0;
    for (let length = 0; length <= bytes.length; length++) {
      const { batches, damaged, damagedBytes } = readCommitFile(Buffer.from(bytes.subarray(0, length)), apps);
      const found = [...batches].flatMap(([app, own]) => own.map(({ stored }) => [app, linesOf([stored])]));
      expect([damaged.length, damagedBytes]).toEqual([0, 0]);
      expect(found.length).toBeGreaterThanOrEqual(before);
      before = found.length;
      for (const [app, own] of batches)
        expect(own.map(({ stored }) => linesOf([stored]))).toEqual(
          whole.batches
            .get(app)!
            .slice(0, own.length)
            .map(({ stored }) => linesOf([stored])),
        );
    }
    expect(before).toBe(ends);
  });

  it('in which a bit was flipped has every other batch, and never a changed line', async () => {
    const store = open();
    await fill(store, 1);
    const bytes = readFileSync(commitFiles()[0]);
    const lines = (content: ReturnType<typeof readCommitFile>): string[] =>
      [...content.batches.values()].flatMap((own) => own.flatMap(({ stored }) => linesOf([stored])));
    const all = lines(readCommitFile(bytes, apps));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      const content = readCommitFile(flipped, apps);
      const found = lines(content);
      expect(all).toEqual(expect.arrayContaining(found));
      // A flip in front of a batch costs nothing; one in it, that batch, and the log says of whom it was.
      expect(found.length + content.damaged.length).toBe(all.length);
      expect(content.damaged.length).toBeLessThanOrEqual(1);
      expect(content.damagedBytes).toBeGreaterThan(0);
    }
  });

  it('that is damaged costs the lines that it says, and no number is given again', async () => {
    const store = open();
    const records = apps.map((app) => ({ key: `app/${app}`, value: { id: app, name: app } }));
    await store.transact('', records);
    const texts = await fill(store, 2);
    const bytes = readFileSync(commitFiles()[0]);
    const entry = bytes.length / (2 * apps.length);
    for (let i = 0; i < 2 * apps.length; i++) {
      const copy = killedCopy();
      const flipped = Buffer.from(bytes);
      flipped[Math.floor((i + 0.9) * entry)] ^= 4;
      writeFileSync(commitFiles(copy)[0], flipped);
      const repaired = killedCopy(copy);
      const damaged = open(copy);
      await damaged.checked;
      const [hit, line] = [apps[i % apps.length], Math.floor(i / apps.length) + 2];
      expect(damageOf(damaged)).toEqual([[hit, line, line]]);
      for (const app of apps) {
        const wanted = expected(app, texts).filter((_, k) => app !== hit || k !== line - 1);
        expect(await linesIn(damaged, app)).toEqual(wanted);
      }
      expect((await appendTogether(damaged, 'next')).map(({ first }) => first)).toEqual(apps.map(() => 4));
      await close(damaged);
      const again = open(copy);
      await again.checked;
      for (const app of apps) {
        const wanted = expected(app, [...texts, 'next']).filter((_, k) => app !== hit || k !== line - 1);
        expect(await linesIn(again, app)).toEqual(wanted);
      }
      for (const one of damageOf(again)) expect(one).toEqual([hit, line, line]);
      await close(again);
      const repair = (dryRun: boolean) => repairFolder({ folder: repaired, dryRun, newApp: () => [] });
      expect((await repair(true)).steps).toHaveLength(1);
      for (const isRunning of [true, false])
        expect((await checkStreams(repaired, isRunning)).map(({ text }) => text)).toContainEqual(
          expect.stringContaining('commits/'),
        );
      const { steps, lost } = await repair(false);
      expect(steps).toHaveLength(1);
      expect(lost).toEqual([{ app: hit, first: line, last: line }]);
      expect(await repair(true)).toMatchObject({ steps: [], lost: [], damagedBytes: 0 });
      const mended = open(repaired);
      await mended.checked;
      expect(damageOf(mended)).toEqual([]);
      for (const app of apps) {
        const wanted = expected(app, texts).filter((_, k) => app !== hit || k !== line - 1);
        expect(await linesIn(mended, app)).toEqual(wanted);
      }
      expect((await appendTogether(mended, 'next')).map(({ first }) => first)).toEqual(apps.map(() => 4));
      await close(mended);
    }
  });

  it('that ends in an entry that was never whole goes on without it', async () => {
    const store = open();
    const texts = await fill(store);
    const copy = killedCopy();
    const [file] = commitFiles(copy);
    truncateSync(file, readFileSync(file).length - 10);
    const cut = open(copy);
    await cut.checked;
    expect(damageOf(cut)).toEqual([]);
    const last = apps.at(-1)!;
    expect(await linesIn(cut, last)).toEqual(expected(last, texts.slice(0, -1)));
    expect((await cut.append(last, batchOf('next'))).first).toBe(texts.length);
  });
});

describe('a power cut with durability disk', () => {
  /** Each app has written to segments what is in the commit log, too; how large the files were that were synced. */
  async function fillSegments(
    store: EmbeddedStore,
  ): Promise<{ texts: string[]; synced: Map<string, number> }> {
    const texts = ['first', ...Array.from({ length: 60 }, (_, i) => `${i} ${'x'.repeat(3_000)}`)];
    await appendTogether(store, texts[0]);
    const synced = new Map(segmentFiles(folder).map((path) => [basename(path), statSync(path).size]));
    for (const text of texts.slice(1)) await appendTogether(store, text);
    return { texts, synced };
  }

  const segmentFiles = (at: string): string[] =>
    apps.flatMap((app) =>
      readdirSync(join(at, 'streams', app))
        .sort()
        .map((name) => join(at, 'streams', app, name)),
    );

  /** The streams that a copy of the folder has, twice: what was taken from the commit log is in segments then. */
  async function expectAll(copy: string, texts: readonly string[]): Promise<void> {
    for (let start = 0; start < 2; start++) {
      const store = open(copy, 'disk', SMALL);
      await store.checked;
      expect(damageOf(store)).toEqual([]);
      for (const app of apps) expect(await linesIn(store, app)).toEqual(expected(app, texts));
      const killed = open(killedCopy(copy), 'disk', SMALL);
      for (const app of apps) expect(await linesIn(killed, app)).toEqual(expected(app, texts));
      await close(killed);
      await close(store);
    }
    expect(commitFiles(copy)).toEqual([]);
  }

  const SMALL: Retention = { ...ROOMY, bytes: 1_000_000 };

  it.each([
    ['nothing that was not synced', (_path: string, size: number) => size],
    ['no second segment', (path: string, size: number) => (size > 0 ? statSync(path).size : 0)],
    ['no end of the first segment', (path: string, size: number) => (size > 0 ? size : statSync(path).size)],
    ['a hole in each segment', () => undefined],
  ])('leaves segments with %s, and costs nothing', async (_, sizeOf) => {
    const store = open(folder, 'disk', SMALL);
    const { texts, synced } = await fillSegments(store);
    expect(segmentFiles(folder).length).toBeGreaterThan(apps.length);
    await until('all segments are noted', () => {
      const { notes } = readStoreFile(folder);
      return apps.every((app) => (notes.get(app)?.segments.length ?? 0) > 1);
    });
    const copy = killedCopy();
    for (const path of segmentFiles(copy)) {
      const known = synced.get(basename(path)) ?? 0;
      const size = sizeOf(path, known);
      if (size === 0) rmSync(path);
      else if (size !== undefined) truncateSync(path, size);
      else {
        const bytes = readFileSync(path);
        writeFileSync(path, bytes.fill(0, known + 8_192, known + 16_384));
      }
    }
    const repaired = killedCopy(copy);
    await expectAll(copy, texts);
    const { lost } = await repairFolder({ folder: repaired, dryRun: false, newApp: () => [] });
    expect(lost).toEqual([]);
    await expectAll(repaired, texts);
  });

  it('finds what a killed process had in segments, which the next one syncs before it removes the log', async () => {
    const store = open(folder, 'disk', SMALL);
    await fillSegments(store);
    const killed = open(killedCopy(), 'disk', SMALL);
    await killed.checked;
    const byApp = killed['streams']['byApp'];
    expect(byApp.size).toBe(apps.length);
    // Until they are synced, the log stays.
    for (const { stream, appender } of byApp.values())
      expect([...appender['unsynced']]).toEqual(expect.arrayContaining([...stream.segments]));
    // One that is under way already may have begun before.
    await until('all are synced', async () => {
      await killed['streams'].sync();
      return [...byApp.values()].every(({ appender }) => !appender.hasUnsynced);
    });
  });

  it('finds what is in no log behind what is in one', async () => {
    const [app] = apps;
    const files = new OpenFileCache();
    const place = new FolderIdentity(folder, [], () => {});
    const stream = streamOf(app, SMALL, files, place);
    const appender = new Appender(stream, { files, durability: 'disk', place });
    const memory = new CommitMemory();
    for (let i = 0; i < 2; i++) {
      const allocated = stream.allocate(batchOf('x'.repeat(70_000)), undefined);
      memory.reserve(COMMIT_HEADER + allocated.stored.bytes.length);
      const at = memory.at + COMMIT_HEADER;
      memory.piece.set(allocated.stored.bytes, at);
      memory.keep(COMMIT_HEADER + allocated.stored.bytes.length);
      stream.commitUnwritten(allocated, memory.pieceNumber, at);
      expect(appender.writeUnwritten()).toBe(true);
    }
    expect(appender.hasUnsynced).toBe(true);
    await appender.append([stream.allocate(batchOf('large'), undefined)], false);
    expect(stream.segments).toHaveLength(3);
    // Else a start would take the log to end before it.
    expect(appender.hasUnsynced).toBe(false);
    files.closeAll();
    place.close();
  });
});

describe('an appender', () => {
  it('writes at once what senders wait for', async () => {
    const files = new OpenFileCache();
    const place = new FolderIdentity(folder, [], () => {});
    const stream = streamOf(newAppId(), ROOMY, files, place);
    const appender = new Appender(stream, { files, durability: 'process', place });
    const batch = batchOf(...Array.from({ length: 3 }, () => 'x'.repeat(50_000)));
    const written = appender.append([stream.allocate(batch, undefined)], true);
    expect(stream.bounds.last).toBe(3);
    await written;
    // Meanwhile more lines come of those that nobody waits for.
    const later = appender.append([stream.allocate(batch, undefined)], false);
    expect(stream.bounds.last).toBe(3);
    await later;
    expect(stream.bounds.last).toBe(6);
    files.closeAll();
    place.close();
  });
});

const streamOf = (app: AppId, retention: Retention, files: OpenFileCache, place: FolderIdentity): AppStream =>
  new AppStream({
    app,
    folder: join(folder, app),
    retention,
    files,
    clock: new StoreClock(undefined),
    place,
    note: undefined,
    left: [],
    onFrameId: () => {},
    onLost: () => {},
    onChanged: () => {},
  });

/**
 * What a power cut may leave of a copy of the folder, with durability disk: of what is in the commit log, too, and has nothing behind it that
 * isn't, segments have anything.
 */
function cutPower(copy: string, below: (n: number) => number): void {
  const inLog = new Map<AppId, Set<number>>();
  for (const path of commitFiles(copy).sort()) {
    const { batches, dropped } = readCommitFile(readFileSync(path), apps);
    for (const app of dropped) inLog.delete(app);
    for (const [app, own] of batches)
      inLog.set(app, new Set([...(inLog.get(app) ?? []), ...own.map(({ stored }) => stored.first)]));
  }
  for (const [app, own] of inLog) {
    const streamFolder = join(copy, 'streams', app);
    if (!existsSync(streamFolder)) continue;
    const entries: { path: string; start: number; end: number; first: number }[] = [];
    for (const name of readdirSync(streamFolder).sort()) {
      const path = join(streamFolder, name);
      const from = { offset: 0, bytesSoFar: parseSegmentFileName(name)!.bytesBefore };
      scanBytes(readFileSync(path), from, checksumSeed(app), {
        onEntry: ({ start, end, first }) => void entries.push({ path, start, end, first }),
        onDamage: () => {},
      });
    }
    const unsynced = entries.slice(entries.findLastIndex(({ first }) => !own.has(first)) + 1);
    if (unsynced.length === 0) continue;
    const { path, start, end } = unsynced[below(unsynced.length)];
    const at = start + below(end - start);
    if (below(2) === 0) {
      truncateSync(path, at);
      const later = new Set(unsynced.map((one) => one.path).filter((one) => one > path));
      for (const one of later) if (below(3) > 0) rmSync(one);
    } else {
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0, at, Math.min(at + 4_096, bytes.length)));
    }
  }
}

it.each([
  ...[1, 2, 3, 4, 5, 6, 21, 45].map((seed) => [seed, undefined] as const),
  // Files of the commit log are full all the time: what is in them is moved out of memory, and written to segments when they are many.
  ...[7, 8, 9, 10].map((seed) => [seed, 4_000] as const),
])(
  'whatever happens, nothing that was acknowledged is lost or changed (seed %i, commit files of %s bytes)',
  async (seed, commitFileBytes) => {
    const random = seededRandom(seed);
    const below = (n: number): number => Math.floor(random() * n);
    const durability = seed % 2 === 0 ? 'process' : 'disk';
    const model = new Map<AppId, string[]>(apps.map((app) => [app, []]));
    const reopen = (at = folder): EmbeddedStore =>
      open(at, durability, { ...ROOMY, bytes: 2e6 }, commitFileBytes);
    let store = reopen();
    let count = 0;
    const append = async (app: AppId, to = store): Promise<void> => {
      const text = `${count++} ${'x'.repeat(below(20) === 0 ? 70_000 : below(3_000))}`;
      const lines = model.get(app)!;
      const options = below(8) === 0 ? { frameId: text.slice(0, 20) } : undefined;
      const done = to.append(app, batchOf(text), options);
      // In the order of the calls.
      const at = lines.push(text);
      expect(await done).toMatchObject({ first: at, last: at, duplicate: false });
    };
    const check = async (of: EmbeddedStore): Promise<void> => {
      for (const [app, lines] of model) {
        expect(await of.bounds(app)).toMatchObject({ first: 1, last: lines.length });
        expect(await linesIn(of, app)).toEqual(lines);
        const before = 1 + below(lines.length + 2);
        const backwards = linesOf((await of.readBefore(app, before, 1e9)).reverse());
        expect(backwards).toEqual(lines.slice(0, before - 1));
      }
      expect(damageOf(of)).toEqual([]);
    };
    for (let step = 0; step < 40; step++) {
      const what = below(10);
      if (what < 7) {
        const turn = Array.from({ length: 1 + below(12) }, () => append(apps[below(apps.length)]));
        // Others come while these are on their way.
        await new Promise((resolve) => setImmediate(resolve));
        turn.push(...Array.from({ length: below(12) }, () => append(apps[below(apps.length)])));
        const drops = below(10) === 0 ? apps[below(apps.length)] : undefined;
        await Promise.all(turn);
        if (drops) {
          await store.dropStream(drops);
          model.set(drops, []);
        }
      } else if (what === 7) await check(store);
      else if (what === 8) {
        const before = new Map([...model].map(([app, lines]) => [app, [...lines]]));
        let copy = folder;
        // Again, with what was stored since.
        for (let cut = 0; cut < 2; cut++) {
          copy = killedCopy(copy);
          if (durability === 'disk') cutPower(copy, below);
          const killed = reopen(copy);
          if (below(2) === 0) await killed.checked;
          await check(killed);
          if (below(2) === 0) await Promise.all(apps.map((app) => append(app, killed)));
          await Promise.all(
            Array.from({ length: below(30) }, () => append(apps[below(apps.length)], killed)),
          );
          copy = killedCopy(copy);
          await close(killed);
        }
        for (const [app, lines] of before) model.set(app, lines);
      } else {
        await close(store);
        store = reopen();
      }
    }
    await check(store);
  },
);

/** Of the app with the longest segments. */
const inSegments = (): number =>
  Math.max(
    ...apps.map((app) => {
      const own = join(folder, 'streams', app);
      return readdirSync(own).reduce((sum, name) => sum + statSync(join(own, name)).size, 0);
    }),
  );

it('a full file that can not leave memory goes to segments', async () => {
  const store = open(folder, 'process', ROOMY, 4_000);
  const texts = await fill(store, 1);
  mkdirSync(join(folder, 'commits', 'spilled.tmp')); // what is moved can't be written
  for (let round = 0; round < 20; round++) {
    texts.push(`round ${round} ${'x'.repeat(500)}`);
    await appendTogether(store, texts.at(-1)!);
  }
  await until('segments to have what was in the log', () => inSegments() > 5_000);
  for (const app of apps) expect(await linesIn(store, app)).toEqual(expected(app, texts));
});

it('full files leave memory, and go to segments when they are many', async () => {
  const store = open(folder, 'process', ROOMY, 4_000);
  const texts: string[] = [];
  const round = async (): Promise<void> => {
    texts.push(`round ${texts.length} ${'x'.repeat(500)}`);
    await appendTogether(store, texts.at(-1)!);
  };
  /** Those of this process that have no name any more. */
  const spilledFiles = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(join(folder, 'commits', 'spilled'));
      } catch {
        return false; // that of the folder itself
      }
    }).length;
  const isLinux = process.platform === 'linux';
  // What comes while the system throttles writers goes to segments.
  await until('full files to leave memory', async () => {
    await round();
    return isLinux ? spilledFiles() >= 6 : texts.length > 40;
  });
  for (const app of apps) {
    expect(await linesIn(store, app)).toEqual(expected(app, texts));
    const middle = linesOf(await store.readBefore(app, 6, 1));
    expect(middle).toEqual([`${texts[4]} of ${app}`]);
  }
  const killed = open(killedCopy());
  for (const app of apps) expect(await linesIn(killed, app)).toEqual(expected(app, texts));

  const before = inSegments();
  await until('segments to have what was in the log', async () => {
    await round();
    if (isLinux) expect(spilledFiles()).toBeLessThan(26);
    return inSegments() > before + 5_000;
  });
  for (const app of apps) expect(await linesIn(store, app)).toEqual(expected(app, texts));
  await store.dropStream(apps[0]);
  await close(store);
  if (isLinux) expect(spilledFiles()).toBe(0);
  const again = open();
  expect(await linesIn(again, apps[0])).toEqual([]);
  for (const app of apps.slice(1)) expect(await linesIn(again, app)).toEqual(expected(app, texts));
});

it('a file that takes no more while it is written to has what is acknowledged', async () => {
  const store = open(folder, 'disk');
  await fill(store);
  const [app] = apps;
  for (let round = 0; round < 20; round++) {
    const appended = appendTogether(store, `round ${round}`).then(() =>
      commitFiles().map((path) => readCommitFile(readFileSync(path), apps).damagedBytes),
    );
    for (let turn = 0; turn < round % 4; turn++) await new Promise((resolve) => setImmediate(resolve));
    // Nothing is deleted, but what is to be looked at has to be in segments alone.
    const deleted = store.deleteLines(app, { first: 1, last: 1 }, () => new Set());
    for (const damagedBytes of await appended) expect(damagedBytes).toBe(0);
    await deleted;
  }
});

it('a folder of before there was a commit log is taken over, and then refused by what wrote it', async () => {
  const store = open();
  const [app] = apps;
  await store.transact('scope', [{ key: 'a', value: 1 }]);
  await store.append(app, batchOf('one'), { frameId: 'a frame' });
  await close(store);
  const root = openLmdb({ path: join(folder, STORE_FILE), maxDbs: 8, encoding: 'binary' });
  const formats = root.openDB<Buffer, string>({ name: FORMAT_DATABASE, encoding: 'binary' });
  await formats.put(FORMAT_DATABASE, sealValue([FORMAT_DATABASE], 2));
  await root.close();
  const marker = join(folder, 'journal-0');
  writeFileSync(marker, 'tailrace data folder, format 2: earlier versions …\n');
  const again = open();
  expect(readFileSync(marker, 'utf8')).toMatch(/^tailrace data folder, format 4: /);
  expect((await again.get('scope', 'a'))?.value).toBe(1);
  expect(await again.append(app, batchOf('one'), { frameId: 'a frame' })).toMatchObject({ duplicate: true });
  expect(await linesIn(again, app)).toEqual(['one']);
  await close(again);
  expect(readStoreFile(folder).format).toBe(4);
});
