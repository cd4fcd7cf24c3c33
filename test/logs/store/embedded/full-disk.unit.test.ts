/** LMDB is asked for no write that would fail: several of them in a row end the process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { expect, it } from 'vitest';
import { DiskSpaceGuard } from '../../../../src/logs/store/embedded/records/lmdb-safety.ts';
import { EmbeddedRecords } from '../../../../src/logs/store/embedded/records/records.ts';

it('records are refused after a write that failed on a full disk', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-full-'));
  const root = open({ path: join(folder, 'store.mdb'), maxDbs: 8, encoding: 'binary' });
  try {
    const guard = new DiskSpaceGuard(folder);
    const records = new EmbeddedRecords(root, guard);
    expect(await records.transact('app', [{ key: 'a', value: 1 }])).toBe(true);
    guard.noteFull();
    await expect(records.transact('app', [{ key: 'b', value: 1 }])).rejects.toMatchObject({
      code: 'store_full',
    });
    expect([records.get('app', 'a')?.value, records.get('app', 'b')]).toEqual([1, undefined]);
  } finally {
    await root.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
