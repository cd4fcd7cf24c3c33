/** Archives by the hour and by the day: each line in one file, wherever it is interrupted. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ArchivedGroup, Archiver } from '../../../../drains/viewer/archive/archiver.ts';
import { ArchiveCatalog } from '../../../../drains/viewer/archive/catalog.ts';
import { fileSha256 } from '../../../../drains/viewer/archive/file-writer.ts';
import { Keeper } from '../../../../drains/viewer/archive/keeper.ts';
import type { ArchiveStorage } from '../../../../drains/viewer/archive/storage/archive-storage.ts';
import { FolderStorage } from '../../../../drains/viewer/archive/storage/folder-storage.ts';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import { processStat } from '../../../../src/common/processes/process-identity.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { MemoryLineStore, MemoryRecords } from './memory-line-store.ts';

const SHOP = '11111111-1111-4111-8111-111111111111' as AppId;
const WORKER = '22222222-2222-4222-8222-222222222222' as AppId;
const GROUP: ArchivedGroup = {
  id: 'g1',
  name: 'Shop: Production',
  streams: [
    { id: SHOP, name: 'shop' },
    { id: WORKER, name: 'worker' },
  ],
};
const DAY = Date.parse('2023-11-28T00:00:00Z');
const at = (hour: number, minute = 0): number => DAY + hour * 3_600_000 + minute * 60_000;

let folder: string;
let store: MemoryLineStore;
let records: MemoryRecords;
let nowMs: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'archive-'));
  store = new MemoryLineStore();
  records = new MemoryRecords();
  nowMs = at(0);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const archivePath = (): string => join(folder, 'archive');
const openStorage = (): ArchiveStorage => new FolderStorage(archivePath());

function openArchiver(storage = openStorage(), hourBytes = 1): Archiver {
  return new Archiver({
    store: store.asStore,
    records,
    catalog: new ArchiveCatalog(storage),
    folder: join(folder, 'spool'),
    hourBytes,
    now: () => nowMs,
  });
}

async function archiveAll(archiver: Archiver, group = GROUP): Promise<string[]> {
  const names: string[] = [];
  for (let file = await archiver.archiveNext(group); file; file = await archiver.archiveNext(group))
    names.push(file.name);
  return names;
}

function files(): string[] {
  return readdirSync(archivePath(), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.gz'))
    .map((entry) => join(entry.parentPath, entry.name).slice(archivePath().length + 1))
    .sort();
}

function read(key: string): Record<string, unknown>[] {
  return gunzipSync(readFileSync(join(archivePath(), key)))
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const messages = (key: string): unknown[] => read(key).map(({ message }) => message);

describe('an archive', () => {
  it('has a file an hour and group, in the order in which lines were received, with what tells them apart', async () => {
    store.add(SHOP, at(7, 1), 'one');
    store.add(WORKER, at(7, 2), 'two', at(3));
    store.add(SHOP, at(7, 3), 'three "quoted"\nand more');
    store.add(SHOP, at(8, 1), 'four');
    nowMs = at(9);
    expect(await archiveAll(openArchiver())).toEqual(['2023-11-28-07.ndjson.gz']);
    // What came in the last seconds of an hour may still be on its way.
    nowMs = at(9, 1);
    expect(await archiveAll(openArchiver())).toEqual(['2023-11-28-08.ndjson.gz']);
    const day = 'shop-production/dt=2023-11-28';
    expect(files()).toEqual([`${day}/2023-11-28-07.ndjson.gz`, `${day}/2023-11-28-08.ndjson.gz`]);
    expect(messages(files()[0])).toEqual(['one', 'two', 'three "quoted"\nand more']);
    expect(read(files()[0])[1]).toEqual({
      position: '1',
      timestamp: '2023-11-28T03:00:00.000000+00:00',
      facility: 23,
      severity: 6,
      level: 'info',
      hostname: 'host',
      source: 'app',
      dyno: 'web.1',
      message: 'two',
      received_at: '2023-11-28T07:02:00.000Z',
      app: 'worker',
      stream: WORKER,
    });
    const list = JSON.parse(readFileSync(join(archivePath(), day, '_files.json'), 'utf8'));
    expect(list.files[0]).toMatchObject({
      name: '2023-11-28-07.ndjson.gz',
      group: { id: 'g1', name: 'Shop: Production' },
      firstAt: '2023-11-28T03:00:00.000Z',
      lastAt: '2023-11-28T07:03:00.000Z',
      lines: 3,
      sha256: await fileSha256(join(archivePath(), files()[0])),
      streams: [
        { id: SHOP, name: 'shop', first: 1, last: 2, lines: 2 },
        { id: WORKER, name: 'worker', first: 1, last: 1, lines: 1 },
      ],
    });
  });

  it('has a file a day when there is little, and an hour’s file as soon as there is much', async () => {
    store.add(SHOP, at(7), 'little');
    store.add(SHOP, at(23, 59), 'more');
    const archiver = openArchiver(undefined, 5_000);
    nowMs = at(12);
    expect(await archiveAll(archiver)).toEqual([]);
    nowMs = at(24, 1);
    expect(await archiveAll(archiver)).toEqual(['2023-11-28.ndjson.gz']);
    for (let i = 0; i < 30; i++) store.add(SHOP, at(25), 'much '.repeat(100));
    nowMs = at(26, 1);
    expect(await archiveAll(archiver)).toEqual(['2023-11-29-01.ndjson.gz']);
    store.add(SHOP, at(27), 'the rest');
    nowMs = at(50);
    expect(await archiveAll(archiver)).toEqual(['2023-11-29.ndjson.gz']);
    expect(
      files()
        .map(messages)
        .map((all) => all.length),
    ).toEqual([2, 30, 1]);
  });

  it('catches up with days in which it did not run, a file after the other', async () => {
    for (let hour = 0; hour < 72; hour += 12) store.add(SHOP, at(hour), `line of ${hour}`);
    nowMs = at(200);
    expect(await archiveAll(openArchiver())).toHaveLength(6);
    expect(files().flatMap(messages)).toHaveLength(6);
  });

  it('puts what comes for an hour that is archived into a further file', async () => {
    store.add(SHOP, at(7), 'in time');
    nowMs = at(8, 1);
    await archiveAll(openArchiver());
    // The clock was set back.
    store.add(SHOP, at(7, 30), 'late');
    store.add(WORKER, at(7, 40), 'late as well');
    expect(await archiveAll(openArchiver())).toEqual(['2023-11-28-07_2.ndjson.gz']);
    expect(files().flatMap(messages)).toEqual(['in time', 'late', 'late as well']);
  });

  it('is not held up by a clock that was years ahead for a while', async () => {
    store.add(SHOP, at(7), 'before');
    store.add(SHOP, at(80_000), 'of the year 2032');
    store.add(SHOP, at(80_001), 'of it, too');
    store.add(SHOP, at(7, 30), 'after');
    store.add(WORKER, at(80_000), 'of another stream');
    nowMs = at(8, 1);
    await archiveAll(openArchiver());
    expect(files().flatMap(messages).sort()).toEqual([
      'after',
      'before',
      'of another stream',
      'of it, too',
      'of the year 2032',
    ]);
    // And of one that was years behind.
    store.add(SHOP, 60_000, 'of 1970');
    store.add(SHOP, at(8), 'and on');
    nowMs = at(9, 1);
    await archiveAll(openArchiver());
    expect(files().flatMap(messages)).toHaveLength(7);
    expect(files()[0]).toBe('shop-production/dt=1970-01-01/1970-01-01-00.ndjson.gz');
  });

  it('goes on with a stream that has moved to another group, or a group that has another name', async () => {
    store.add(SHOP, at(7), 'before');
    nowMs = at(8, 1);
    await archiveAll(openArchiver());
    store.add(SHOP, at(8), 'after');
    nowMs = at(9, 1);
    await archiveAll(openArchiver(), { ...GROUP, id: 'g2', name: 'Été & Co.' });
    expect(files().map(messages)).toEqual([['after'], ['before']]);
    expect(files()[0]).toBe('ete-co/dt=2023-11-28/2023-11-28-08.ndjson.gz');
  });

  it('merges more streams than are read side by side, none of their lines twice or left out', async () => {
    const streams = Array.from({ length: 150 }, (_, i) => ({
      id: `33333333-3333-4333-8333-${String(i).padStart(12, '0')}` as AppId,
      name: `stream ${i}`,
    }));
    for (let round = 0; round < 7; round++)
      for (const { id } of streams) store.add(id, at(7, round * 15), `${id} ${round}`);
    nowMs = at(10);
    await archiveAll(openArchiver(), { ...GROUP, streams });
    const all = files().flatMap(messages);
    expect(all).toHaveLength(7 * 150);
    expect(new Set(all).size).toBe(7 * 150);
  });
});

/** Dies at its nth call: before it does anything, or when all is done but nobody has heard of it. */
function dying(storage: ArchiveStorage, callToDieAt: number, isDone: boolean): ArchiveStorage {
  let calls = 0;
  const dieAt = async (call: () => Promise<void>): Promise<void> => {
    calls++;
    if (calls === callToDieAt && !isDone) throw new Error('killed');
    await call();
    if (calls === callToDieAt) throw new Error('killed');
  };
  return {
    description: storage.description,
    list: (prefix) => storage.list(prefix),
    find: (key) => storage.find(key),
    read: (key) => storage.read(key),
    put: (key, file, signal) => dieAt(() => storage.put(key, file, signal)),
    putText: (key, text) => dieAt(() => storage.putText(key, text)),
    removeUnfinished: (key) => storage.removeUnfinished(key),
  };
}

describe('killed at any moment', () => {
  it.each([1, 2, 3, 4].flatMap((call) => [true, false].map((isDone) => [call, isDone] as const)))(
    'at write %i (done: %s), it has each line once afterwards',
    async (call, isDone) => {
      for (let i = 0; i < 20; i++) store.add(i % 3 === 0 ? WORKER : SHOP, at(7, i * 6), `line ${i}`);
      nowMs = at(10);
      await expect(archiveAll(openArchiver(dying(openStorage(), call, isDone)))).rejects.toThrow('killed');
      // Meanwhile more comes, and the group gets another name.
      store.add(SHOP, at(8, 59), 'line 20');
      await archiveAll(openArchiver(), { ...GROUP, name: 'Renamed' });
      const all = files().flatMap(messages);
      expect(all).toHaveLength(21);
      expect(new Set(all).size).toBe(21);
      const { files: listed, problems } = await new ArchiveCatalog(openStorage()).list();
      expect(problems).toEqual([]);
      expect(listed.map(({ listed: entry }) => entry?.lines ?? 0).reduce((a, b) => a + b)).toBe(21);
    },
  );

  it.each(['storing/g1', 'cursor/'])('while %s is recorded', async (key) => {
    store.add(SHOP, at(7), 'only once');
    nowMs = at(9);
    const transact = records.transact.bind(records);
    records.transact = async (scope, changes) => {
      if (changes.some((change) => change.key.startsWith(key))) throw new Error('killed');
      return transact(scope, changes);
    };
    await expect(archiveAll(openArchiver())).rejects.toThrow('killed');
    records.transact = transact;
    await archiveAll(openArchiver());
    expect(files().flatMap(messages)).toEqual(['only once']);
  });

  it('writes a file again that was damaged before it was stored', async () => {
    store.add(SHOP, at(7), 'whole');
    nowMs = at(9);
    await expect(archiveAll(openArchiver(dying(openStorage(), 1, false)))).rejects.toThrow('killed');
    writeFileSync(join(folder, 'spool', 'g1.ndjson.gz'), 'half');
    await archiveAll(openArchiver());
    expect(files().flatMap(messages)).toEqual(['whole']);
  });

  it('overwrites nothing that is there already under the name', async () => {
    store.add(SHOP, at(7), 'of the first viewer');
    nowMs = at(9);
    await archiveAll(openArchiver());
    // Another one with a store of its own.
    store = new MemoryLineStore();
    records = new MemoryRecords();
    store.add(SHOP, at(7), 'of the second viewer');
    await archiveAll(openArchiver());
    expect(files().flatMap(messages)).toEqual(['of the first viewer', 'of the second viewer']);
  });
});

describe('the list of a day', () => {
  const list = (): string => join(archivePath(), 'shop-production/dt=2023-11-28/_files.json');

  async function archiveTwoHours(second: ArchiveStorage): Promise<readonly string[]> {
    store.add(SHOP, at(7), 'first');
    nowMs = at(8, 1);
    await archiveAll(openArchiver());
    store.add(SHOP, at(8), 'second');
    nowMs = at(9, 1);
    return archiveAll(openArchiver(second));
  }

  it.each([
    ['half of it comes, and then nothing', (text: Buffer) => Readable.from([text.subarray(0, 200)])],
    [
      'the connection breaks',
      (text: Buffer) =>
        Readable.from(
          (async function* () {
            yield text.subarray(0, 200);
            throw new Error('terminated');
          })(),
        ),
    ],
  ])('isn’t written anew when %s: the other files of the day would be gone from it', async (_, half) => {
    const storage = openStorage();
    const read = storage.read.bind(storage);
    storage.read = async (key) => (key.endsWith('_files.json') ? half(readFileSync(list())) : read(key));
    await expect(archiveTwoHours(storage)).rejects.toThrow(
      /_files\.json can't be read \(.+\); it is tried again/,
    );
    const catalog = new ArchiveCatalog(storage);
    expect((await catalog.list()).problems).toEqual([expect.stringContaining("can't be read now")]);
    storage.read = read;
    // It was believed by nobody who asked meanwhile.
    expect((await catalog.list()).files.map(({ listed }) => listed?.lines)).toContain(1);
    await archiveAll(openArchiver(storage));
    const { files: all, problems } = await catalog.list();
    expect(all.map(({ listed }) => listed?.lines)).toEqual([1, 1]);
    expect(problems).toEqual([]);
  });

  it.each(['{"version": 1, "files": [{"name"', '{"version": 1, "files": [7]}', ''])(
    'that can’t be read (%j) is kept aside, which is said',
    async (damaged) => {
      store.add(SHOP, at(7), 'first');
      nowMs = at(8, 1);
      await archiveAll(openArchiver());
      for (const hour of [8, 9]) {
        writeFileSync(list(), damaged);
        store.add(SHOP, at(hour), `of ${hour}`);
        nowMs = at(hour + 1, 1);
        await archiveAll(openArchiver());
      }
      expect([1, 2].map((number) => readFileSync(`${list()}.damaged-${number}`, 'utf8'))).toEqual([
        damaged,
        damaged,
      ]);
      const { files: all, problems } = await new ArchiveCatalog(openStorage()).list();
      expect(all.map(({ listed }) => listed?.lines)).toEqual([1, undefined, undefined]);
      expect(problems).toHaveLength(2);
      expect(problems[0]).toContain('_files.json.damaged-1 was a list of files that could not be read');
    },
  );
});

describe('what is kept', () => {
  function openKeeper(options: Partial<ConstructorParameters<typeof Keeper>[0]> = {}): Keeper {
    return new Keeper({
      store: store.asStore,
      records,
      archiver: openArchiver(),
      archiveDescription: 'a folder',
      groups: async () => [GROUP],
      defaults: { ageMs: 7 * 86_400_000 },
      log: SILENT_LOG,
      now: () => nowMs,
      ...options,
    });
  }

  it('is removed when it is old, and archived; the counts say so, also after a restart', async () => {
    store.add(SHOP, at(7), 'old');
    store.add(SHOP, at(200), 'new');
    nowMs = at(201);
    await openKeeper().run();
    expect(store.streams.get(SHOP)).toHaveLength(1);
    expect(files()).toHaveLength(1);
    expect((await openKeeper().status()).removed).toMatchObject({ byAge: 1, byBytes: 0 });
  });

  it('stays while the archive can’t be written, which the status says', async () => {
    store.add(SHOP, at(7), 'old');
    nowMs = at(400);
    const broken = new FolderStorage('/proc/nowhere');
    const keeper = openKeeper({ archiver: openArchiver(broken), totalBytes: 0 });
    await keeper.run();
    expect(store.streams.get(SHOP)).toHaveLength(1);
    expect((await keeper.status()).trouble).toMatch(/^The archive folder \/proc\/nowhere can't be used \(/);
    const mended = openKeeper();
    await mended.run();
    expect(store.streams.get(SHOP)).toEqual([]);
    expect((await mended.status()).trouble).toBeUndefined();
  });

  it('stays while another viewer writes to the archive, and goes there when that one has ended', async () => {
    store.add(SHOP, at(7), 'old');
    nowMs = at(400);
    mkdirSync(archivePath());
    // A process that runs, and isn't this one.
    writeFileSync(join(archivePath(), '.lock'), `${process.ppid} ${processStat(process.ppid)?.startTicks}\n`);
    const keeper = openKeeper({ totalBytes: 0 });
    await keeper.run();
    expect(files()).toEqual([]);
    expect(store.streams.get(SHOP)).toHaveLength(1);
    expect((await keeper.status()).trouble).toBe(
      `The archive folder ${archivePath()} is written to by another viewer (process ${process.ppid}): give each a folder of its own with VIEWER_ARCHIVE.`,
    );
    writeFileSync(join(archivePath(), '.lock'), '4194304 1\n');
    await keeper.run();
    expect(files()).toHaveLength(1);
    expect((await keeper.status()).trouble).toBeUndefined();
    expect((await openStorage().list('')).map(({ key }) => key)).not.toContain('.lock');
  });

  it('has limits of a group, which take the place of those of all', async () => {
    store.add(SHOP, at(7), 'old');
    nowMs = at(100);
    await openKeeper({ groups: async () => [{ ...GROUP, keep: { ageMs: 30 * 86_400_000 } }] }).run();
    expect(store.streams.get(SHOP)).toHaveLength(1);
    await openKeeper({
      groups: async () => [{ ...GROUP, keep: { ageMs: 86_400_000 } }],
      archiver: undefined,
    }).run();
    expect(store.streams.get(SHOP)).toEqual([]);
  });

  it('is bounded by bytes, the oldest of all streams goes first', async () => {
    for (let i = 0; i < 10; i++) store.add(i % 2 === 0 ? SHOP : WORKER, at(i), `line ${i}`);
    nowMs = at(24, 1);
    const keeper = openKeeper({ groups: async () => [{ ...GROUP, keep: { bytes: 3 } }] });
    await keeper.run();
    const left = [...store.streams.values()].flat().map(({ timeMs }) => timeMs);
    expect(left.sort()).toEqual([at(7), at(8), at(9)]);
    expect((await keeper.status()).removed.byBytes).toBe(7);
    await openKeeper({ totalBytes: 1 }).run();
    expect([...store.streams.values()].flat().map(({ timeMs }) => timeMs)).toEqual([at(9)]);
  });

  it('isn’t removed for bytes before it is archived', async () => {
    for (let i = 0; i < 10; i++) store.add(SHOP, at(i), `line ${i}`);
    nowMs = at(5, 1);
    await openKeeper({ totalBytes: 0 }).run();
    expect(store.streams.get(SHOP)?.map(({ timeMs }) => timeMs)).toEqual(
      [5, 6, 7, 8, 9].map((hour) => at(hour)),
    );
  });
});
