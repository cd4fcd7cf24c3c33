/** A data folder of version 0.1, whose entries and records have other headers and checksums: it is read on, and written to. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppId, Retention } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { STORE_SCOPE } from '../../../../src/logs/store/embedded/records/records.ts';
import { readStoreFile } from '../../../../src/logs/store/embedded/records/store-file.ts';
import { batchOf, linesOf } from '../../../support/batches.ts';
import { readAll } from '../conformance/streams.ts';

const RETENTION: Retention = { lines: 1e9, bytes: 1e6, ageMs: 1e13 };

let folder: string;
let stores: EmbeddedStore[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-old-'));
  stores = [];
  execFileSync('tar', [
    '-xzf',
    'test/fixtures/data-folder/version-0.1.tgz',
    '-C',
    folder,
    '--strip-components=1',
  ]);
});
afterEach(async () => {
  for (const store of stores) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(): EmbeddedStore {
  const store = new EmbeddedStore({ folder, retention: RETENTION, durability: 'process' });
  stores.push(store);
  return store;
}

/** The apps of the folder by their names. */
async function appsOf(store: EmbeddedStore): Promise<Record<string, AppId>> {
  const apps = await store.list<{ id: AppId; name: string }>('', 'app/');
  return Object.fromEntries(apps.map(({ value }) => [value.name, value.id]));
}

/** The numbers of the lines; the stream has one of its own about a drain, too. */
const numbersOf = async (store: EmbeddedStore, app: AppId): Promise<number[]> =>
  linesOf(await readAll(store, app))
    .filter((line) => !line.includes(' heroku logplex '))
    .map((line) => Number(/ line (\d+)/.exec(line)?.[1]));
const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

describe('a data folder of version 0.1', () => {
  it('has all its records and lines, and goes on with new ones', async () => {
    const store = open();
    const { amber, birch } = await appsOf(store);
    expect(await numbersOf(store, amber)).toEqual(upTo(600));
    expect(await numbersOf(store, birch)).toEqual(upTo(50));
    const { last } = await store.bounds(amber);
    expect((await store.append(amber, batchOf('x line 601'))).first).toBe(last + 1);
    await store.checked;
    expect((await store.status()).concerns).toEqual([]);
    await store.close();
    stores.pop();
    const again = open();
    expect(await numbersOf(again, amber)).toEqual(upTo(601));
    expect(await numbersOf(again, birch)).toEqual(upTo(50));
  });

  it('has checksums in its records afterwards, and is refused by version 0.1', async () => {
    expect(readStoreFile(folder).format).toBeUndefined();
    const before = readStoreFile(folder).records;
    const store = open();
    await store.checked;
    await store.close();
    stores.pop();
    const { format, records, damagedRecords, notes } = readStoreFile(folder);
    expect(format).toBe(4);
    expect(damagedRecords).toEqual([]);
    // Besides its own clock.
    expect(records.filter(({ scope }) => scope !== STORE_SCOPE)).toEqual(before);
    expect(notes.size).toBe(2);
    // By this file that version knows a folder that isn't its own.
    expect(existsSync(join(folder, 'journal-0'))).toBe(true);
  });

  it('that is damaged in the middle loses what was there', async () => {
    const streams = join(folder, 'streams');
    const [app] = readdirSync(streams).filter((id) => readdirSync(join(streams, id)).length === 2);
    const [name] = readdirSync(join(streams, app)).sort();
    const file = join(streams, app, name);
    const bytes = readFileSync(file);
    bytes.fill(0, 30_000, 30_600);
    writeFileSync(file, bytes);
    const numbers = await numbersOf(open(), app as AppId);
    expect(numbers.length).toBeGreaterThanOrEqual(580);
    expect(numbers.at(-1)).toBe(600);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });

  it('with a record that is no JSON is refused by its name', () => {
    const file = join(folder, 'store.mdb');
    const bytes = readFileSync(file);
    for (let at = bytes.indexOf('"name":"birch"'); at !== -1; at = bytes.indexOf('"name":"birch"', at + 1))
      bytes[at] = 0x7d;
    writeFileSync(file, bytes);
    expect(() => open()).toThrow(/^The record app\/[0-9a-f-]{36} in .*store\.mdb is damaged/);
  });
});
