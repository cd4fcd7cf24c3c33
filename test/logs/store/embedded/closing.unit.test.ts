/** A store that is closed while it is written to: what was begun is made or refused, and nothing ends the process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as immediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';

it.each([0, 1, 2, 3])('writers that go on are refused, %d turns after their first', async (turns) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-closing-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const options = {
    folder,
    retention: { lines: 1e9, bytes: 1e9, ageMs: 1e13 },
    durability: 'process' as const,
  };
  const store = new EmbeddedStore(options);
  const made: string[] = [];
  const refusals: string[] = [];
  const writer = async (name: string): Promise<void> => {
    for (let i = 0; refusals.length < 40; i++)
      await store
        .transact('', [{ key: `${name}/${i}`, value: i, ifVersion: 0 }])
        .then(() => made.push(`${name}/${i}`))
        .catch((error: Error) => refusals.push(error.message));
  };
  const writers = Array.from({ length: 5 }, (_, i) => writer(`writer${i}`));
  for (let i = 0; i < turns; i++) await immediate();
  await store.close();
  await Promise.all(writers);
  expect(new Set(refusals)).toEqual(new Set(['The server is stopping: try again in a moment.']));
  await expect((async () => store.get('', 'writer0/0'))()).rejects.toThrow(/stopping/);
  const again = new EmbeddedStore(options);
  onTestFinished(() => again.close());
  const found = (await again.list('', 'writer')).map(({ key }) => key);
  expect(found.sort()).toEqual(made.sort());
});
