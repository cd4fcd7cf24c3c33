import { mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { OpenFileCache } from '../../../../../src/logs/store/embedded/segments/open-file-cache.ts';

it('a file that is used once takes the place of none that is open', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  const files = new OpenFileCache(undefined, 2);
  onTestFinished(() => {
    files.closeAll();
    rmSync(folder, { recursive: true });
  });
  const [a, b, c] = ['a', 'b', 'c'].map((name) => join(folder, name));
  for (const path of [a, b, c]) writeFileSync(path, '');
  const use = (path: string): boolean =>
    files.withFileOnce(path, (fd, isOpenedNow) => {
      writeSync(fd, 'x');
      return isOpenedNow;
    });
  // While there is room it stays open.
  expect([a, a, b, c, c, b, a].map(use)).toEqual([true, false, true, true, true, false, false]);
  expect(() =>
    files.withFileOnce(c, () => {
      throw new Error('not now');
    }),
  ).toThrow('not now');
  files.descriptor(c);
  expect([c, a, b].map(use)).toEqual([false, true, false]);
  for (const path of [a, b, c]) expect(readFileSync(path, 'latin1')).toMatch(/^x+$/);
});
