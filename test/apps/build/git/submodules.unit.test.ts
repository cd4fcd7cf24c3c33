import { describe, expect, it, test } from 'vitest';
import { redactGitUrls } from '../../../../src/apps/build/git/git-command.ts';
import {
  parseGitmodules,
  parseStages,
  resolveSubmoduleUrl,
} from '../../../../src/apps/build/git/submodules.ts';

const resolve = (url: string, parent?: string) => resolveSubmoduleUrl('lib', url, parent);

test('submodules of a list of the index, whatever they are called', () => {
  const commit = 'a'.repeat(40);
  const listed = `100644 ${commit} 0\tfile\x00160000 ${commit} 0\tvendor/a b\tc\n\x00120000 ${commit} 0\tlink\0`;
  expect(parseStages(Buffer.from(listed))).toEqual([{ path: 'vendor/a b\tc\n', commit }]);
});

test('what .gitmodules says, by path', () => {
  const listed = [
    'submodule.my.lib v1.path\nvendor/lib',
    'submodule.my.lib v1.url\nhttps://example.com/lib.git',
    'submodule.other.path\nother',
    'submodule.other.update\nnone',
    'submodule.nowhere.url\nhttps://example.com/x',
    'core.bare\ntrue',
  ].join('\0');
  expect([...parseGitmodules(`${listed}\0`)]).toEqual([
    ['vendor/lib', { url: 'https://example.com/lib.git' }],
    ['other', { update: 'none' }],
  ]);
});

test('URLs are shown without names and passwords', () => {
  expect(redactGitUrls("fatal: 'https://me:p@ss@example.com/a@b' at ssh://git@example.com: no")).toBe(
    "fatal: 'https://example.com/a@b' at ssh://example.com: no",
  );
});

describe('where a submodule is fetched from', () => {
  it.each([
    'https://example.com/a.git',
    'http://user:secret@localhost:3000/a',
    'ssh://git@example.com:22/a.git',
    'git://example.com/a',
    'git@example.com:some/a.git',
    'example.com:a',
  ])('%s as it is', (url) => {
    expect(resolve(url)).toBe(url);
  });

  it.each([
    'file:///srv/git/a.git',
    '/srv/git/a.git',
    'a.git',
    "ext::sh -c 'id >/tmp/x'",
    'ext::sh',
    'fd::17',
    'ftp://example.com/a',
    'ssh://-oProxyCommand=id/a',
    '-oProxyCommand=id:a',
    '-u@example.com:a',
    'https://-x/a',
    '',
  ])('never %s', (url) => {
    expect(() => resolve(url)).toThrow(/The submodule lib is at .*, which can't be fetched from here/s);
    expect(() => resolve(url, 'https://example.com/a')).toThrow(/can't be fetched from here/);
  });

  it.each([
    ['../b.git', 'https://example.com/team/a.git', 'https://example.com/team/b.git'],
    ['../../other/b.git', 'https://example.com/team/a.git/', 'https://example.com/other/b.git'],
    ['./b', 'https://example.com/a', 'https://example.com/a/b'],
    ['../b.git', 'git@example.com:team/a.git', 'git@example.com:team/b.git'],
    ['../b.git', 'git@example.com:a.git', 'git@example.com:b.git'],
  ])('%s of %s', (url, parent, resolved) => {
    expect(resolve(url, parent)).toBe(resolved);
  });

  it('nothing relative to the pushed repository, whose place nobody knows, nor above everything', () => {
    expect(() => resolve('../b.git')).toThrow(
      /beside a repository that this server doesn't know: write its whole/,
    );
    expect(() => resolve('../../../../../b.git', 'https://example.com/a')).toThrow(/can't be fetched/);
    expect(() => resolve('../../x', 'https://example.com')).toThrow(/can't be fetched/);
  });
});
