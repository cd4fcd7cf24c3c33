import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { replaceFile, replaceFileNow, replaceFileWith } from '../../../src/common/files/replace-file.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailrace-replace-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  file = join(folder, 'file');
});

const text = () => readFileSync(file, 'utf8');

const WAYS = [
  { name: 'later', replace: replaceFile },
  { name: 'now', replace: async (...args: Parameters<typeof replaceFileNow>) => replaceFileNow(...args) },
];

it.each(WAYS)(
  'makes and replaces a file, with its mode, and leaves nothing else: $name',
  async ({ replace }) => {
    await replace(file, 'first');
    expect([text(), statSync(file).mode & 0o777]).toEqual(['first', 0o600]);
    await replace(file, Buffer.from('second'), {
      mode: 0o640,
      temporary: join(folder, 'other'),
      sync: false,
    });
    expect([text(), statSync(file).mode & 0o777]).toEqual(['second', 0o640]);
    await replace(file, '', { sync: 'file' });
    expect([text(), readdirSync(folder)]).toEqual(['', ['file']]);
  },
);

it.each(WAYS)('is a new file: who has the old one open goes on with it: $name', async ({ replace }) => {
  writeFileSync(file, 'old');
  const before = statSync(file).ino;
  await replace(file, 'new');
  expect(statSync(file).ino).not.toBe(before);
});

it.each(WAYS)('leaves what was there, and no other file, when it fails: $name', async ({ replace }) => {
  mkdirSync(file);
  await expect(replace(file, 'a file')).rejects.toMatchObject({ code: 'EISDIR' });
  expect(readdirSync(folder)).toEqual(['file']);
  await expect(replace(join(folder, 'none', 'file'), 'x')).rejects.toMatchObject({ code: 'ENOENT' });
});

it('leaves what was there when what writes it fails in the middle, and gives back what it gives back', async () => {
  writeFileSync(file, 'old');
  const fail = async (temporary: string): Promise<void> => {
    await writeFile(temporary, 'half');
    throw new Error('no more');
  };
  await expect(replaceFileWith(file, fail)).rejects.toThrow('no more');
  expect([text(), readdirSync(folder)]).toEqual(['old', ['file']]);
  const write = async (temporary: string): Promise<number> => {
    await writeFile(temporary, 'whole');
    chmodSync(temporary, 0o640);
    return 5;
  };
  expect(await replaceFileWith(file, write)).toBe(5);
  expect([text(), statSync(file).mode & 0o777, readdirSync(folder)]).toEqual(['whole', 0o640, ['file']]);
});
