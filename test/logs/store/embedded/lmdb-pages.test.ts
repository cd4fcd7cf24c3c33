/** LMDB's file as it is read without LMDB: what LMDB wrote, and damaged in many places. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type LmdbEntry,
  readLmdb,
  readLmdbBootId,
} from '../../../../src/logs/store/embedded/records/lmdb-pages.ts';
import { seededRandom } from '../../../support/properties/seeded-random.ts';

const bootId = readLmdbBootId();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-lmdb-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const text = (entries: readonly LmdbEntry[] = []): [string, string][] =>
  entries.map(({ key, value }) => [key.toString('hex'), value.toString('hex')]);

/** A file with two databases, written to and deleted from in many transactions, and what is in it. */
async function writeFile(
  seed: number,
): Promise<{ file: Buffer; expected: Record<string, [string, string][]> }> {
  const random = seededRandom(seed);
  const path = join(folder, `${seed}.mdb`);
  const root = open({ path, maxDbs: 8, noMemInit: true, encoding: 'binary' });
  const databases = ['records', 'frames'].map((name) =>
    root.openDB<Buffer, string>({ name, encoding: 'binary' }),
  );
  const large = 1 + Math.floor(random() * 4);
  for (let i = 0; i < 400; i++) {
    const db = databases[Math.floor(random() * 2)];
    const key = `key ${Math.floor(random() * 150)}`;
    const bytes = Math.floor(random() * (i % 10 === 0 ? 9_000 * large : 300));
    const written = random() < 0.3 ? db.remove(key) : db.put(key, Buffer.alloc(bytes, i));
    if (random() < 0.5) await written;
  }
  await root.flushed;
  const expected = Object.fromEntries(
    databases.map((db, i) => [
      ['records', 'frames'][i],
      [...db.getRange()].map(({ key, value }): [string, string] => [
        Buffer.from(key).toString('hex'),
        value.toString('hex'),
      ]),
    ]),
  );
  const file = readFileSync(path);
  await root.close();
  return { file, expected };
}

describe('a file of LMDB', () => {
  it('is read as LMDB reads it', async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const { file, expected } = await writeFile(seed);
      const { damage, databases } = readLmdb(file, bootId);
      expect(damage).toBeUndefined();
      for (const [name, entries] of Object.entries(expected))
        expect(text(databases.get(name))).toEqual(entries);
    }
  });

  it('is whole after every transaction', async () => {
    const random = seededRandom(1);
    const path = join(folder, 'busy.mdb');
    const root = open({ path, maxDbs: 8, noMemInit: true, encoding: 'binary' });
    const databases = ['records', 'frames'].map((name) =>
      root.openDB<Buffer, string>({ name, encoding: 'binary' }),
    );
    for (let i = 0; i < 2_000; i++) {
      const db = databases[Math.floor(random() * 2)];
      const key = `key ${Math.floor(random() * 300)}`;
      // Large values that become small ones in the same transaction among them.
      const bytes = Math.floor(random() * (random() < 0.1 ? 40_000 : 400));
      const written = random() < 0.4 ? db.remove(key) : db.put(key, Buffer.alloc(bytes, i));
      if (random() < 0.05) {
        await written;
        expect(readLmdb(readFileSync(path), bootId).damage).toBeUndefined();
      }
    }
    await root.close();
    // As it is read after a power cut: only what was synced counts.
    expect(readLmdb(readFileSync(path), bootId + 1n).damage).toBeUndefined();
  });

  it('that is cut off anywhere is damaged, or holds everything', async () => {
    const { file, expected } = await writeFile(99);
    const ends = Array.from({ length: 60 }, (_, i) => Math.floor((file.length * i) / 60));
    const damaged = ends.filter((end) => {
      const { damage, databases } = readLmdb(file.subarray(0, end), bootId);
      if (damage === undefined) expect(text(databases.get('records'))).toEqual(expected.records);
      return damage !== undefined;
    });
    expect(damaged.length).toBeGreaterThan(30);
  });

  it('whose branches lead elsewhere is damaged: what LMDB opens it finds all of', async () => {
    const { file, expected } = await writeFile(3);
    let damagedCount = 0;
    for (let page = 2; (page + 1) * 4_096 <= file.length; page++) {
      const at = page * 4_096;
      if (file.readUInt16LE(at + 18) !== 1) continue;
      for (let i = 1; i < file.readUInt16LE(at + 20) >> 1; i++) {
        const node = at + 24 + file.readUInt16LE(at + 24 + 2 * i);
        const keyBytes = file.readUInt16LE(node + 6);
        for (const byte of [0, keyBytes - 1]) {
          const flipped = Buffer.from(file);
          flipped[node + 8 + byte] ^= 1 << (i % 8);
          if (readLmdb(flipped, bootId).damage !== undefined) {
            damagedCount++;
            continue;
          }
          const path = join(folder, `flipped-${node}-${byte}.mdb`);
          writeFileSync(path, flipped);
          const root = open({ path, maxDbs: 8, noMemInit: true, encoding: 'binary' });
          for (const [name, entries] of Object.entries(expected)) {
            const db = root.openDB<Buffer, string>({ name, encoding: 'binary' });
            const lost = entries.filter(([key]) => db.get(Buffer.from(key, 'hex').toString()) === undefined);
            expect(lost).toEqual([]);
          }
          await root.close();
        }
      }
    }
    expect(damagedCount).toBeGreaterThan(10);
  });

  it('with any flipped bits is read without an exception', async () => {
    const { file } = await writeFile(7);
    const random = seededRandom(1);
    let damaged = 0;
    for (let i = 0; i < 1_000; i++) {
      const copy = Buffer.from(file);
      for (let flips = 0; flips < 1 + (i % 3); flips++)
        copy[Math.floor(random() * copy.length)] ^= 1 << Math.floor(random() * 8);
      if (readLmdb(copy, bootId).damage !== undefined) damaged++;
    }
    expect(damaged).toBeGreaterThan(15);
  });

  it('whose numbers LMDB uses before it chooses a snapshot are wrong is damaged: it would end the process', async () => {
    const { file } = await writeFile(9);
    const metas = [0, 4_096];
    // The one that was synced, if there is any.
    if (file.readBigUInt64LE(2_048 + 152) !== 0n) metas.push(2_048);
    expect(metas).toHaveLength(3);
    for (const meta of metas)
      for (const [what, at, bit] of [
        ['the size of the map', 40 + 6, 1],
        ['the size of a page', 48 + 1, 1],
        ['the order of keys in the list of free pages', 48 + 4, 2],
        ['the order of keys in the list of databases', 96 + 4, 4],
        ['the last page', 144 + 4, 1],
      ] as const) {
        const copy = Buffer.from(file);
        copy[meta + at] ^= bit;
        expect([what, meta, readLmdb(copy, bootId).damage]).toEqual([
          what,
          meta,
          expect.stringMatching(/damaged/),
        ]);
      }
  });

  it('with a page of a transaction that is still to come is damaged', async () => {
    const { file } = await writeFile(9);
    let damaged = 0;
    for (let page = 2; page < file.length / 4_096; page++) {
      const copy = Buffer.from(file);
      copy.writeBigUInt64LE(copy.readBigUInt64LE(page * 4_096 + 8) + 1_000_000n, page * 4_096 + 8);
      if (readLmdb(copy, bootId).damage?.includes(`page ${page} is damaged`)) damaged++;
    }
    // All that can be reached: not those that are free.
    expect(damaged).toBeGreaterThan(3);
  });

  it('that would have LMDB write its next node over another is damaged', async () => {
    const { file } = await writeFile(9);
    let damaged = 0;
    for (let page = 2; page < file.length / 4_096; page++) {
      const copy = Buffer.from(file);
      const upper = page * 4_096 + 22;
      // Without nodes, or of a value that is larger than a page, it says something else.
      if (copy.readUInt16LE(upper) >= 4_000 || copy.readUInt16LE(upper - 4) === 4) continue;
      copy.writeUInt16LE(copy.readUInt16LE(upper) + 2, upper);
      if (readLmdb(copy, bootId).damage?.includes(`page ${page} is damaged`)) damaged++;
    }
    expect(damaged).toBeGreaterThan(3);
  });

  it('of random bytes, or none, is damaged', () => {
    const random = seededRandom(3);
    for (const bytes of [0, 10, 4_096, 50_000]) {
      const file = Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)));
      expect(readLmdb(file, bootId).damage).toMatch(/damaged/);
    }
  });

  it('whose trees are damaged still gives what its leaves hold', async () => {
    const { file, expected } = await writeFile(5);
    file.fill(0xff, 24, 200);
    const { damage, leftovers } = readLmdb(file, bootId);
    expect(damage).toMatch(/first page/);
    const found = new Set(text(leftovers).map((entry) => entry.join()));
    for (const entry of [...expected.records, ...expected.frames]) expect(found.has(entry.join())).toBe(true);
  });

  it('with one damaged page still gives the entries of all others', async () => {
    const { file, expected } = await writeFile(11);
    const pages = file.length / 4_096;
    const kept: number[] = [];
    for (let page = 2; page < pages; page++) {
      const copy = Buffer.from(file);
      copy.fill(0xee, page * 4_096, (page + 1) * 4_096);
      const { damage, databases, leftovers } = readLmdb(copy, bootId);
      if (damage === undefined) continue;
      const found = new Set(
        text([...(databases.get('records') ?? []), ...(databases.get('frames') ?? []), ...leftovers]).map(
          String,
        ),
      );
      const all = [...expected.records, ...expected.frames];
      kept.push(all.filter((entry) => found.has(String(entry))).length / all.length);
    }
    expect(kept.length).toBeGreaterThan(5);
    expect(Math.min(...kept)).toBeGreaterThan(0.5);
  });
});
