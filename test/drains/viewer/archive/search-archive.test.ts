/** Searches in archives: what they find, which files they read, and what they say of files that can't be read. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Archiver } from '../../../../drains/viewer/archive/archiver.ts';
import { ArchiveCatalog } from '../../../../drains/viewer/archive/catalog.ts';
import { type ArchiveSearch, searchArchive } from '../../../../drains/viewer/archive/search-archive.ts';
import { FolderStorage } from '../../../../drains/viewer/archive/storage/folder-storage.ts';
import { readQuery } from '../../../../src/logs/query/read-query.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { readRecord } from '../../../../src/logs/syslog/record.ts';
import { MemoryLineStore, MemoryRecords } from './memory-line-store.ts';

const SHOP = '11111111-1111-4111-8111-111111111111' as AppId;
const WORKER = '22222222-2222-4222-8222-222222222222' as AppId;
const DAY = Date.parse('2023-11-28T00:00:00Z');
const at = (hour: number, minute = 0): number => DAY + hour * 3_600_000 + minute * 60_000;

/** Remembers which files are read. */
class WatchedFolder extends FolderStorage {
  readonly reads: string[] = [];

  override async read(key: string): Promise<Readable> {
    if (!key.endsWith('.json')) this.reads.push(key.slice(key.lastIndexOf('/') + 1));
    return await super.read(key);
  }
}

let folder: string;
let storage: WatchedFolder;
let catalog: ArchiveCatalog;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'search-'));
  storage = new WatchedFolder(join(folder, 'archive'));
  catalog = new ArchiveCatalog(storage);
  const store = new MemoryLineStore();
  for (let hour = 0; hour < 6; hour++)
    for (let minute = 0; minute < 60; minute += 10)
      store.add(
        minute % 20 === 0 ? SHOP : WORKER,
        at(hour, minute),
        `line ${hour}:${minute} status=${200 + minute}`,
      );
  // Sent at three, received at five.
  store.add(WORKER, at(5, 55), 'late line \u001b[31mred\u001b[0m status=500', at(3, 5));
  const archiver = new Archiver({
    store: store.asStore,
    records: new MemoryRecords(),
    catalog,
    folder: join(folder, 'spool'),
    hourBytes: 1,
    now: () => at(7),
  });
  for (const [id, stream] of [
    ['g1', SHOP],
    ['g2', WORKER],
  ] as const)
    while (await archiver.archiveNext({ id, name: id, streams: [{ id: stream, name: id }] }));
  storage.reads.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Found {
  readonly texts: readonly string[];
  readonly cursor: string | undefined;
  readonly problems: readonly string[];
  readonly searchedToMs: number | undefined;
}

async function search(q: string, options: Partial<ArchiveSearch> = {}, timeoutMs?: number): Promise<Found> {
  const { expression } = readQuery(q);
  const found = await searchArchive(
    catalog,
    { direction: 'before', limit: 100, query: expression, ...options },
    { timeoutMs },
  );
  const texts = found.lines.map(({ record }) => {
    const cursor = new RecordCursor(record, 0);
    cursor.advance();
    return readRecord(cursor, record).message.replace(/ status.*/, '');
  });
  return { texts, cursor: found.cursor, problems: found.problems, searchedToMs: found.searchedToMs };
}

describe('a search in the archive', () => {
  it('finds what the query matches, by the lines’ own times, the newest first', async () => {
    expect((await search('status:>=240')).texts.slice(0, 3)).toEqual(['line 5:50', 'line 5:40', 'line 4:50']);
    const all = await search('status:>=240', { limit: 1_000 });
    expect(all.texts).toHaveLength(13);
    expect(all.texts.indexOf('late line \u001b[31mred\u001b[0m')).toBe(all.texts.indexOf('line 2:50') - 1);
    expect(all.cursor).toBeUndefined();
    expect((await search('"line 2:10"')).texts).toEqual(['line 2:10']);
    expect((await search('red status')).texts).toHaveLength(1);
    expect((await search('sender:g2 status:>=240')).texts).toHaveLength(
      all.texts.length - (await search('-sender:g2 status:>=240')).texts.length,
    );
    expect((await search('sender:g1 5:10')).texts).toEqual([]);
    expect((await search('g2 5:10')).texts).toEqual(['line 5:10']);
    expect((await search('"5:10" OR "2:20"', { direction: 'after' })).texts).toEqual([
      'line 2:20',
      'line 5:10',
    ]);
  });

  it('goes on page by page, in both directions, each line once', async () => {
    for (const direction of ['before', 'after'] as const) {
      const whole = (await search('', { direction, limit: 1_000 })).texts;
      expect(whole).toHaveLength(37);
      const pages: string[] = [];
      for (let cursor: string | undefined, i = 0; i < 20; i++) {
        const page = await search('', { direction, limit: 5, cursor });
        pages.push(...page.texts);
        cursor = page.cursor;
        if (cursor === undefined) break;
      }
      expect(pages).toEqual(whole);
    }
  });

  it('reads the files of its range and group alone, and no more of them than it needs', async () => {
    await search('', { fromMs: at(1), toMs: at(2) });
    expect(storage.reads.sort()).toEqual(['2023-11-28-01.ndjson.gz', '2023-11-28-01.ndjson.gz']);
    storage.reads.length = 0;
    expect((await search('', { groups: ['g1'], fromMs: at(3), toMs: at(3, 30) })).texts).toEqual([
      'line 3:20',
      'line 3:0',
    ]);
    expect(storage.reads).toEqual(['2023-11-28-03.ndjson.gz']);
    storage.reads.length = 0;
    // The last hour's file has a line of three o'clock, too: only what reaches into the found ones' time is read.
    expect((await search('', { streams: [SHOP], limit: 2 })).texts).toEqual(['line 5:40', 'line 5:20']);
    expect(storage.reads).toEqual(['2023-11-28-05.ndjson.gz']);
  });

  it('ends when its time is over, says how far it came, and goes on from there', async () => {
    const texts: string[] = [];
    let cursor: string | undefined;
    let rounds = 0;
    do {
      const page: Found = await search('', { cursor }, 0);
      if (page.cursor !== undefined) expect(page.searchedToMs).toBeDefined();
      texts.push(...page.texts);
      cursor = page.cursor;
    } while (cursor !== undefined && ++rounds < 50);
    expect(texts).toEqual((await search('')).texts);
    expect(rounds).toBeGreaterThan(3);
  });

  it('says which files can’t be read, and goes on with the others', async () => {
    const path = (hour: string): string =>
      join(folder, 'archive', 'g1', 'dt=2023-11-28', `2023-11-28-${hour}.ndjson.gz`);
    writeFileSync(path('01'), readFileSync(path('01')).subarray(0, 60));
    writeFileSync(path('02'), 'no gzip');
    rmSync(path('03'));
    const damaged = readFileSync(path('04'));
    damaged[damaged.length - 6] ^= 1;
    writeFileSync(path('04'), damaged);
    const found = await search('', { groups: ['g1'] });
    expect(found.texts.filter((text) => /line [05]:/.test(text))).toHaveLength(6);
    expect(
      found.problems.map((text) => text.replace(/^.*2023-11-28-/, '').replace(/ \(.*?\)/, '')).sort(),
    ).toEqual([
      expect.stringMatching(
        /^01\.ndjson\.gz has 60 bytes, and had \d+ when it was written: it was cut off or changed\.$/,
      ),
      '01.ndjson.gz was cut off: its gzip data end too early. Fetch it again.',
      expect.stringMatching(/^02\.ndjson\.gz has 7 bytes, and had \d+/),
      "03.ndjson.gz is missing: the archive's list has it, with 3 lines.",
      "04.ndjson.gz is damaged: its gzip data can't be read. Fetch it again.",
    ]);
  });

  it('finds lines in files of others, by the times in their names, and without a list of the day', async () => {
    const row = (time: string, text: string): string =>
      `7\t${time}\t${time}\t4\tsys\t\tUser\tInfo\tapp/web.1\t${text}\n`;
    await storage.putText('papertrail/dt=2011-02-10/2011-02-10-08.tsv.gz', '');
    writeFileSync(
      join(folder, 'archive/papertrail/dt=2011-02-10/2011-02-10-08.tsv.gz'),
      gzipSync(row('2011-02-10T08:00:00Z', 'old one') + row('2011-02-10T08:30:00Z', 'old two')),
    );
    expect((await search('old')).texts).toEqual(['old two', 'old one']);
    expect((await search('old', { groups: ['g1'] })).texts).toEqual([]);
    storage.reads.length = 0;
    expect((await search('old', { fromMs: Date.parse('2011-02-10T09:00:00Z'), toMs: at(0) })).texts).toEqual(
      [],
    );
    expect(storage.reads).toEqual([]);
    writeFileSync(join(folder, 'archive', 'g1', 'dt=2023-11-28', '_files.json'), '{"files":');
    const found = await search('line');
    expect(found.texts).toHaveLength(37);
    expect(found.problems[0]).toMatch(
      /^g1\/dt=2023-11-28\/_files\.json can't be read \(.*\): the files beside it are known by their names alone\.$/,
    );
  });
});
