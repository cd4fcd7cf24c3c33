import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { changeFormation, loadFormation } from '../../../src/apps/records/formation-record.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { newAppId } from '../../support/batches.ts';

it('one more of several routers at once is one more of each', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-formation-'));
  const retention = { lines: 1_000, bytes: 1_000_000, ageMs: 3_600_000 };
  const store = new EmbeddedStore({ folder, retention, durability: 'process' });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const app = newAppId();
  const add = () =>
    changeFormation(store, app, (stored) => ({
      counts: { worker: (stored.worker ?? 0) + 1 },
      sizes: { worker: 'Standard-2X' },
    }));
  const made = await Promise.all(Array.from({ length: 5 }, add));
  expect(made.map(({ counts }) => counts.worker).sort()).toEqual([1, 2, 3, 4, 5]);
  expect(await loadFormation(store, app)).toEqual({ web: 1, worker: 5 });
});
