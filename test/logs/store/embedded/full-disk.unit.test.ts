/** LMDB is asked for no write that would fail: several of them in a row end the process. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { LmdbFile } from '../../../../src/logs/store/embedded/records/lmdb-file.ts';
import { DiskSpaceGuard } from '../../../../src/logs/store/embedded/records/lmdb-safety.ts';
import { EmbeddedRecords } from '../../../../src/logs/store/embedded/records/records.ts';

it('records are refused after a write that failed on a full disk', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-full-'));
  const file = new LmdbFile({ path: join(folder, 'store.mdb'), maxDbs: 8, encoding: 'binary' });
  try {
    const guard = new DiskSpaceGuard(folder);
    const records = new EmbeddedRecords(file, guard);
    expect(await records.transact('app', [{ key: 'a', value: 1 }])).toBe(true);
    await guard.noteFailure(new Error('ENOSPC: no space left on device'));
    await expect(records.transact('app', [{ key: 'b', value: 1 }])).rejects.toMatchObject({
      code: 'store_full',
    });
    expect([records.get('app', 'a')?.value, records.get('app', 'b')]).toEqual([1, undefined]);
  } finally {
    await file.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

afterEach(() => vi.useRealTimers());

it('after a write that failed, one of our own has to work before LMDB is asked again', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-failing-'));
  const guard = new DiskSpaceGuard(folder);
  expect(guard.hasRoomForRecords()).toBe(true);
  const failure = await guard.noteFailure(new Error('EIO: i/o error, write'));
  expect(failure).toMatchObject({ code: 'unavailable', message: expect.stringMatching(/EIO/) });
  expect(guard.hasRoomForRecords()).toBe(false);
  // Lines go to other files, which fail by themselves.
  guard.requireSpace(1);
  rmSync(folder, { recursive: true });
  vi.advanceTimersByTime(1_100);
  expect(() => guard.requireRoomForRecords()).toThrow(/can't write \(ENOENT/);
  mkdirSync(folder);
  expect(guard.hasRoomForRecords()).toBe(false);
  vi.advanceTimersByTime(1_100);
  expect(guard.hasRoomForRecords()).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});
