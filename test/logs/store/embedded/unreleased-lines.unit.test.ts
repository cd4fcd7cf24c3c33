/** Lines that somebody copies elsewhere stay until that was done, and senders are asked to wait when too many do. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { batchOf, newAppId } from '../../../support/batches.ts';

const LINE = 'x'.repeat(10_000);

function openStore(folder: string, released: () => number): EmbeddedStore {
  const retention = { lines: 1e9, bytes: 100_000, ageMs: 1e12 };
  return new EmbeddedStore({
    folder,
    retention,
    durability: 'process',
    mayTrim: (_app, through) => through <= released(),
  });
}

it('nothing is trimmed that isn’t released; four times the bytes are held, then nothing more is taken', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-unreleased-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const app = newAppId();
  let released = 0;
  let store = openStore(folder, () => released);
  let taken = 0;
  const fill = async (): Promise<unknown> => {
    for (;;)
      try {
        await store.append(app, batchOf(LINE));
        taken++;
      } catch (error) {
        return error;
      }
  };
  expect(await fill()).toMatchObject({ code: 'unavailable' });
  expect(taken).toBeGreaterThan(39);
  expect(await store.bounds(app)).toMatchObject({ first: 1, last: taken });
  // Not by opening it again, either.
  await store.close();
  store = openStore(folder, () => released);
  expect(await store.bounds(app)).toMatchObject({ first: 1, last: taken });
  await expect(store.appendAll(app, [{ batch: batchOf(LINE), frameId: 'a' }])).rejects.toThrow(/packed/);
  released = 20;
  const [{ last }] = await store.appendAll(app, [{ batch: batchOf(LINE), frameId: 'a' }]);
  expect(last).toBe(taken + 1);
  expect((await store.bounds(app)).first).toBe(21);
  released = last;
  await store.append(app, batchOf(LINE));
  expect(last + 1 - (await store.bounds(app)).first).toBeLessThan(11);
  await store.close();
});
