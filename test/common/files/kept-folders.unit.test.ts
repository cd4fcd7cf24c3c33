import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keepFolder, removeOldFolders } from '../../../src/common/files/kept-folders.ts';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'kept-folders-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

/** @returns its path */
function makeFolder(name: string, text = name): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'file'), text);
  return folder;
}

it('a folder that is finished is there under its name; of two that are made at once the first stays, and nothing is left of the other', async () => {
  const folder = join(parent, 'tool');
  await keepFolder(makeFolder('.one'), folder);
  await keepFolder(makeFolder('.two'), folder);
  expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('.one');
  expect(readdirSync(parent)).toEqual(['tool']);
});

it('a folder that can’t have its name is an error, and not taken for another’s', async () => {
  const unfinished = makeFolder('.one');
  await expect(keepFolder(unfinished, join(parent, 'nowhere', 'tool'))).rejects.toThrow('ENOENT');
  expect(existsSync(unfinished)).toBe(true);
});

it('of folders that are kept the ones that were used last stay, and what isn’t one of them', async () => {
  for (const [i, name] of ['a@1', 'b@1', 'c@1', 'cache'].entries()) utimesSync(makeFolder(name), i, i);
  utimesSync(join(parent, 'a@1'), 9, 9);
  await removeOldFolders(parent, 2, (name) => name.includes('@'));
  expect(readdirSync(parent).sort()).toEqual(['a@1', 'c@1', 'cache']);
});
