import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { listTree, parseSlugIgnore, readSlugIgnore } from '../../../src/apps/build/slugignore.ts';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-ignore-'));
  folders.push(folder);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

async function keptWith(patterns: string, ...paths: string[]): Promise<string[]> {
  const folder = folderWith(Object.fromEntries(paths.map((path) => [path, 'x'])));
  const { kept } = await listTree(folder, parseSlugIgnore(patterns));
  return kept.filter((path) => paths.includes(path)).sort();
}

describe('patterns mean what they mean to git', () => {
  const cases: Record<string, [patterns: string, paths: string[], kept: string[]]> = {
    'without a slash: a name at any depth': ['*.bin', ['a.bin', 'd/e/a.bin', 'a.bin.txt'], ['a.bin.txt']],
    'with a slash at its front: from the top': ['/docs', ['docs/a', 'd/docs/a'], ['d/docs/a']],
    'with a slash in it: from the top': [
      'docs/private',
      ['docs/private/a', 'd/docs/private/a'],
      ['d/docs/private/a'],
    ],
    'with a slash at its end: directories only': ['log/', ['log/a', 'd/log'], ['d/log']],
    '* stops at a slash': ['docs/*.md', ['docs/a.md', 'docs/d/a.md'], ['docs/d/a.md']],
    '** is any number of directories': ['docs/**/a.md', ['docs/a.md', 'docs/d/e/a.md', 'a.md'], ['a.md']],
    '? and sets of characters': ['a?[0-9]', ['ab1', 'abc', 'ab'], ['ab', 'abc']],
    '! takes back': ['*.md\n!README.md', ['a.md', 'README.md', 'd/README.md'], ['README.md', 'd/README.md']],
    '! takes back nothing of a directory that is ignored': ['docs\n!docs/a', ['docs/a', 'b'], ['b']],
    'case counts': ['*.MD', ['a.md', 'b.MD'], ['a.md']],
    'comments, empty lines, CRLF and a byte order mark': [
      '\ufeffa\r\n\r\n# b\r\nc\r\n',
      ['a', 'b', 'c'],
      ['b'],
    ],
    'spaces at the end don’t count, unless escaped': ['a  \nb\\ ', ['a', 'b ', 'b'], ['b']],
    'an escaped # or ! is a character': ['\\#a\n\\!b', ['#a', '!b', 'a'], ['a']],
  };
  it.each(Object.entries(cases))('%s', async (_, [patterns, paths, kept]) => {
    expect(await keptWith(patterns, ...paths)).toEqual(kept);
  });
});

describe('a folder is divided', () => {
  it('into what is kept, and the tops of what is not; links are files', async () => {
    const folder = folderWith({ 'a/b/c': '', 'big/x/y': '', 'big/z': '' });
    symlinkSync('big', join(folder, 'link'));
    const { kept, ignored } = await listTree(folder, parseSlugIgnore('big\nlink/'));
    expect([...kept].sort()).toEqual(['a', 'a/b', 'a/b/c', 'link']);
    expect(ignored).toEqual(['big']);
  });

  it('also by names that are no UTF-8', async () => {
    const folder = folderWith({ é: '' });
    const name = Buffer.concat([Buffer.from(`${folder}/l`), Buffer.from([0xe9])]);
    writeFileSync(name, '');
    const { kept, ignored } = await listTree(folder, parseSlugIgnore('é'));
    expect(kept).toEqual(['l\xe9']);
    expect(ignored).toEqual([Buffer.from('é').toString('latin1')]);
  });

  it('whole, when it has no .slugignore, or a directory of that name', async () => {
    const folder = folderWith({ a: '' });
    expect((await listTree(folder, await readSlugIgnore(folder))).ignored).toEqual([]);
    mkdirSync(join(folder, '.slugignore'));
    expect((await listTree(folder, await readSlugIgnore(folder))).ignored).toEqual([]);
  });
});
