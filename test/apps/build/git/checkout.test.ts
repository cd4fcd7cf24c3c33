/** Hostile commits: nothing is written outside of the folder, and none fills the disk. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { checkOutCommit } from '../../../../src/apps/build/git/checkout.ts';
import { temporaryFolder } from '../../../support/server.ts';

let base = '';
let repository = '';
beforeEach(() => {
  base = temporaryFolder();
  repository = join(base, 'repository.git');
  git('', 'init', '-q', '--bare', repository);
  return () => rmSync(base, { recursive: true, force: true });
});

function git(input: string, ...args: string[]): string {
  const env = {
    ...process.env,
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@example.com',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@example.com',
  };
  return execFileSync('git', args, { input, cwd: existsSync(repository) ? repository : base, env })
    .toString()
    .trim();
}
const blob = (text: string): string => git(text, 'hash-object', '-w', '--stdin');
/** Of `mode type object<TAB>name` entries, in the order that they have here. */
function tree(...entries: [mode: string, object: string, name: string][]): string {
  const types: Record<string, string> = { '040000': 'tree', '160000': 'commit' };
  const lines = entries.map(
    ([mode, object, name]) => `${mode} ${types[mode] ?? 'blob'} ${object}\t${name}\n`,
  );
  return git(lines.join(''), 'mktree', '--missing');
}
const commit = (of: string): string => git('', 'commit-tree', '-m', 'x', of);

async function checkOut(of: string): Promise<string[]> {
  const folder = join(base, 'up', 'app');
  const work = join(base, 'work');
  for (const one of [folder, work]) mkdirSync(one, { recursive: true });
  const env = { ...process.env, GIT_DIR: repository };
  const options = { commit: of, folder, work, repositoryEnv: env, fetchEnv: env, onLine: () => {} };
  await checkOutCommit(options).finally(() => expect(readdirSync(join(base, 'up'))).toEqual(['app']));
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

it('a commit is checked out, its links and modes too', async () => {
  const run = tree(['100755', blob('#!/bin/sh\n'), 'run'], ['120000', blob('/etc/passwd'), 'link']);
  expect(await checkOut(commit(tree(['040000', run, 'bin'], ['100644', blob('x'), 'file'])))).toEqual([
    'bin',
    'bin/link',
    'bin/run',
    'file',
  ]);
});

it('trees that hold the same tree again and again are counted before anything is written', async () => {
  let bomb = tree(['100644', blob('x'), 'f']);
  for (let level = 0; level < 12; level++)
    bomb = tree(...Array.from({ length: 10 }, (_, i): [string, string, string] => ['040000', bomb, `d${i}`]));
  await expect(checkOut(commit(bomb))).rejects.toThrow(/There are more than 500000 files/);
  expect(readdirSync(join(base, 'up', 'app'))).toEqual([]);
});

it('so are large files that are many times in it', async () => {
  const large = git('\0'.repeat(50_000_000), 'hash-object', '-w', '--stdin');
  const many = tree(
    ...Array.from({ length: 50 }, (_, i): [string, string, string] => ['100644', large, `f${i}`]),
  );
  await expect(checkOut(commit(many))).rejects.toThrow(/The files are more than 2048 MB in all/);
  expect(readdirSync(join(base, 'up', 'app'))).toEqual([]);
});

it('no file and no submodule is put behind a link', async () => {
  const file = tree(['100644', blob('evil'), 'victim']);
  const behind = commit(tree(['120000', blob('..'), 'd'], ['040000', file, 'd']));
  await checkOut(behind).catch(() => undefined);
  expect(existsSync(join(base, 'up', 'victim'))).toBe(false);

  const modules = blob('[submodule "x"]\n\tpath = s/x\n\turl = https://localhost:1/x.git\n');
  const inner = tree(['160000', behind, 'x']);
  const submodule = tree(
    ['100644', modules, '.gitmodules'],
    ['120000', blob('..'), 's'],
    ['040000', inner, 's'],
  );
  await expect(checkOut(commit(submodule))).rejects.toThrow(
    /submodule behind something else|can't be checked out|can't be fetched/,
  );
  expect(existsSync(join(base, 'up', 'x'))).toBe(false);
});

it('names that git itself would take for its own are refused', async () => {
  for (const name of ['.git', '.GIT', '..', 'git~1']) {
    const inner = tree(['100644', blob('[core]\n\tfsmonitor = touch /tmp/x\n'), 'config']);
    const evil = git(`040000 tree ${inner}\t${name}\n`, 'mktree');
    await expect(checkOut(commit(evil)), name).rejects.toThrow(/can't be checked out/);
  }
});
