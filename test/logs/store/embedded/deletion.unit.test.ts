/** Lines that are deleted from files: nothing of them is left in any of these, and a process that ends meanwhile leaves all of them, or none. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppId, Retention, Sequence, StoredBatch } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { STORE_SCOPE } from '../../../../src/logs/store/embedded/records/records.ts';
import { batchOf, linesOf, newAppId, textsOf } from '../../../support/batches.ts';
import { readAll } from '../conformance/streams.ts';

/** So small that streams have several segments. */
const RETENTION: Retention = { lines: 1e9, bytes: 1_048_576, ageMs: 1e13 };
const SECRET = 'ada@example.com';

let folder: string;
let stores: EmbeddedStore[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-deletion-'));
  stores = [];
});
afterEach(async () => {
  for (const store of stores) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(name = 'data'): EmbeddedStore {
  const store = new EmbeddedStore({
    folder: join(folder, name),
    retention: RETENTION,
    durability: 'process',
  });
  stores.push(store);
  return store;
}

const line = (text: string): string => `<13>1 2026-11-29T03:35:43.000000+00:00 host app web.1 - - ${text}`;

function secrets(batch: StoredBatch): Set<Sequence> {
  return new Set(textsOf(batch).flatMap((text, i) => (text.includes(SECRET) ? [batch.first + i] : [])));
}

/** Files of a folder that have the secret. */
function filesWithSecret(name = 'data'): string[] {
  return readdirSync(join(folder, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(SECRET));
}

/** Several segments, with lines in the commit log behind them. */
async function fill(store: EmbeddedStore, app: AppId): Promise<void> {
  for (let i = 0; i < 40; i++) {
    const texts = Array.from({ length: 30 }, (_, j) => line(`${i} ${j} `.padEnd(300, 'x')));
    texts[7] = line(`${i} of ${SECRET}`);
    await store.append(app, batchOf(...texts));
  }
  const others = [newAppId(), newAppId(), newAppId()];
  for (const other of others) await store.append(other, batchOf(line('other')));
  const together = [app, ...others].map((one) => store.append(one, batchOf(line(`late ${SECRET}`))));
  await Promise.all(together);
  for (const other of others) await store.deleteLines(other, { first: 1, last: 9 }, secrets);
}

const EVERYTHING = { first: 1, last: Number.MAX_SAFE_INTEGER };
const count = async (store: EmbeddedStore, app: AppId): Promise<number> =>
  linesOf(await readAll(store, app)).filter((text) => text.includes(SECRET)).length;

describe('deleted lines', () => {
  it('are in no file any more, and others are intact', async () => {
    const store = open();
    const app = newAppId();
    await store.transact('', [{ key: `app/${app}`, value: { name: 'shop' } }]);
    await fill(store, app);
    expect(filesWithSecret().length).toBeGreaterThan(3);
    expect(await store.deleteLines(app, EVERYTHING, secrets)).toBe(41);
    expect(filesWithSecret()).toEqual([]);
    expect(linesOf(await readAll(store, app))).toHaveLength(40 * 29);
    await store.append(app, batchOf(line('next')));
    await store.close();
    stores.pop();
    const again = open();
    await again.checked;
    expect((await again.status()).concerns.filter((text) => !text.includes('store.mdb'))).toEqual([]);
    expect(linesOf(await readAll(again, app))).toHaveLength(40 * 29 + 1);
    expect(filesWithSecret()).toEqual([]);
  });

  it('are all there or all gone when the process ends meanwhile', async () => {
    const store = open();
    const app = newAppId();
    await fill(store, app);
    // In the middle, when some files are written anew and none is in its place.
    let seen = 0;
    await store.deleteLines(app, EVERYTHING, (batch) => {
      if (++seen === 35) cpSync(join(folder, 'data'), join(folder, 'middle'), { recursive: true });
      return secrets(batch);
    });
    rmSync(join(folder, 'middle', 'lock'), { force: true });
    const streams = (name: string): string => join(folder, name, 'streams', app);
    expect(readdirSync(streams('middle')).some((name) => name.endsWith('.erased'))).toBe(true);
    const middle = open('middle');
    expect(await count(middle, app)).toBe(41);
    expect(readdirSync(streams('middle')).filter((name) => name.endsWith('.erased'))).toEqual([]);
    // Behind that, when all are noted and some are in their places.
    const files = readdirSync(streams('data')).filter(
      (name) =>
        !readFileSync(join(streams('data'), name)).equals(readFileSync(join(streams('middle'), name))),
    );
    expect(files.length).toBeGreaterThan(2);
    await middle.transact(STORE_SCOPE, [{ key: `erasure/${app}`, value: { files } }]);
    await middle.close();
    await store.close();
    stores = [];
    for (const [i, name] of files.entries()) {
      cpSync(join(streams('data'), name), join(streams('middle'), `${name}.erased`));
      if (i === 0) renameSync(join(streams('middle'), `${name}.erased`), join(streams('middle'), name));
    }
    const after = open('middle');
    expect(await count(after, app)).toBe(0);
    expect(linesOf(await readAll(after, app))).toHaveLength(40 * 29);
    expect(existsSync(join(streams('middle'), `${files[1]}.erased`))).toBe(false);
    expect(await after.list(STORE_SCOPE, 'erasure/')).toEqual([]);
  });
});
