import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { makeDirectory } from '../../../src/common/files/make-directory.ts';

function base(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

it('makes missing parents too, with the mode; existing ones stay as they are', () => {
  const folder = base();
  const deep = join(folder, 'a', 'b', 'c');
  makeDirectory(deep, 0o700);
  expect([deep, join(folder, 'a')].map((one) => statSync(one).mode & 0o777)).toEqual([0o700, 0o700]);
  makeDirectory(join(folder, 'a', '.', 'd', '..', 'd', ''));
  makeDirectory(deep);
  expect(statSync(deep).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, 'a', 'd')).isDirectory()).toBe(true);
});

it('fails where a file is in its place, or above it', () => {
  const file = join(base(), 'file');
  writeFileSync(file, 'x');
  expect(() => makeDirectory(file)).toThrow('EEXIST');
  expect(() => makeDirectory(join(file, 'a', 'b'))).toThrow('ENOTDIR');
});

// With `recursive: true`, Node.js 20 goes round in circles there.
it.runIf(existsSync('/proc/self'))('where the system makes none: the error says where', () => {
  expect(() => makeDirectory('/proc/nowhere/a/b')).toThrow(/^no folder can be made in \/proc$/);
});
