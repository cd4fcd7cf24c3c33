/** The files of a commit, as git checks them out, with those of its submodules. */
import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { programFileError } from '../../../common/files/file-error.ts';
import type { Environment } from '../../processes/config/dyno-env.ts';
import { SOURCE_LIMITS } from '../source-limits.ts';
import { ISOLATED_GIT, listWithGit, redactGitUrls, runGit, withoutGitVariables } from './git-command.ts';
import { parseGitmodules, parseStages, resolveSubmoduleUrl, SubmoduleError } from './submodules.ts';

export interface CheckoutOptions {
  readonly commit: string;
  /** An empty one, for the files. */
  readonly folder: string;
  /** For what git needs beside them. */
  readonly work: string;
  /** With this one git sees the commit. */
  readonly repositoryEnv: Environment;
  /** With this one git fetches submodules: its credentials are those of whoever runs the server. */
  readonly fetchEnv: Environment;
  readonly onLine: (line: string) => void;
}

/** One repository on the way from the pushed one to the innermost submodule. */
interface Repository {
  readonly env: Environment;
  readonly commit: string;
  /** Where its files go, from the top folder; '' for the pushed one. */
  readonly path: string;
  /** Where it was fetched from; undefined for the pushed one. */
  readonly url: string | undefined;
}

/** Submodules in submodules: more are a mistake, or a trap. */
const DEPTH_MAX = 8;
const SUBMODULES_MAX = 200;
/** No program of this machine, and no file of it: `ext::`, `fd::`, `file://`. */
const PROTOCOLS = 'http:https:ssh:git';
/** A transfer that stands still ends. */
const STALLED = ['-c', 'http.lowSpeedLimit=1000', '-c', 'http.lowSpeedTime=60'];

/**
 * Checks a commit out: its own bytes, converted as its `.gitattributes` say for a checkout (`eol`, `ident`,
 * `working-tree-encoding`), whatever they say for `git archive`.
 * @throws SubmoduleError with what to do; Error when git fails
 */
export async function checkOutCommit(options: CheckoutOptions): Promise<void> {
  const { commit, repositoryEnv } = options;
  let count = 0;
  const size = { byteCount: 0, entryCount: 0 };
  const checkOut = async (repository: Repository, depth: number): Promise<void> => {
    await limitSize(repository, size);
    for (const { path, commit: pinned, url } of await checkOutFiles(options, repository, count)) {
      const full = repository.path === '' ? path : `${repository.path}/${path}`;
      count += 1;
      if (depth >= DEPTH_MAX || count > SUBMODULES_MAX)
        throw new SubmoduleError(`There are too many submodules, or too deep ones (${full}).`);
      await requireRealFolder(options.folder, full);
      const env = await fetchSubmodule(options, { path: full, commit: pinned, url }, count);
      await checkOut({ env, commit: pinned, path: full, url }, depth + 1);
    }
  };
  await checkOut({ env: repositoryEnv, commit, path: '', url: undefined }, 0);
}

/** Small repositories can hold very much: looked at before anything is written. @throws Error */
async function limitSize(
  { env, commit }: Repository,
  size: { byteCount: number; entryCount: number },
): Promise<void> {
  const { byteCountMax, entryCountMax } = SOURCE_LIMITS;
  await listWithGit(['ls-tree', '-r', '-t', '-l', '-z', commit], env, (entry) => {
    size.entryCount += 1;
    // `mode type object size<TAB>path`; `-` for what isn't a file.
    const bytes = Number(/^\S+ \S+ \S+ +(\d+)\t/.exec(entry)?.[1] ?? 0);
    size.byteCount += bytes;
    return size.byteCount <= byteCountMax && size.entryCount <= entryCountMax;
  });
  if (size.byteCount > byteCountMax)
    throw new Error(`The files are more than ${byteCountMax / 1_048_576} MB in all.`);
  if (size.entryCount > entryCountMax) throw new Error(`There are more than ${entryCountMax} files.`);
}

interface Submodule {
  readonly path: string;
  readonly commit: string;
  readonly url: string;
}

/** @returns the submodules whose files are still missing */
async function checkOutFiles(
  { folder, work, onLine }: CheckoutOptions,
  { env: repositoryEnv, commit, path, url: parentUrl }: Repository,
  number: number,
): Promise<Submodule[]> {
  const env = { ...repositoryEnv, ...ISOLATED_GIT, GIT_INDEX_FILE: join(work, `index-${number}`) };
  const settings = ['-c', 'core.bare=false', '-c', 'core.symlinks=true', '-c', 'submodule.recurse=false'];
  const tree = ['--work-tree', join(folder, path), 'read-tree', '--reset', '-u', commit];
  const checkedOut = await runGit([...settings, ...tree], env);
  if (checkedOut.status !== 0)
    throw programFileError(
      folder,
      new Error(`The commit can't be checked out: ${lastLine(checkedOut.stderr)}`),
    );
  const links = parseStages((await runGit(['ls-files', '--stage', '-z'], env)).stdout);
  if (links.length === 0) return [];
  const args = ['config', '--blob', `${commit}:.gitmodules`, '--null', '--list'];
  const declared = parseGitmodules((await runGit(args, env)).stdout.toString());
  const missing: Submodule[] = [];
  for (const link of links) {
    const full = path === '' ? link.path : `${path}/${link.path}`;
    const found = declared.get(link.path);
    if (!found?.url)
      throw new SubmoduleError(
        `${full} is a submodule, but .gitmodules doesn't say where it is: add it with \`git submodule add\`, or commit its files.`,
      );
    if (found.update === 'none')
      onLine(` !     The submodule ${full} stays empty: .gitmodules says update = none.`);
    else missing.push({ ...link, url: resolveSubmoduleUrl(full, found.url, parentUrl) });
  }
  return missing;
}

/** @returns the environment in which git sees it */
async function fetchSubmodule(
  { work, fetchEnv, onLine }: CheckoutOptions,
  { path, commit, url }: Submodule,
  number: number,
): Promise<Environment> {
  const shown = redactGitUrls(url);
  onLine(`-----> Fetching submodule ${path} from ${shown}`);
  const repository = join(work, `submodule-${number}.git`);
  const env: Environment = {
    ...withoutGitVariables(fetchEnv),
    GIT_DIR: repository,
    GIT_ALLOW_PROTOCOL: PROTOCOLS,
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSH_COMMAND: fetchEnv.GIT_SSH_COMMAND ?? 'ssh -oBatchMode=yes',
  };
  await mkdir(repository);
  const made = await runGit(['init', '--quiet', '--bare'], env);
  if (made.status !== 0) throw new Error(`The submodule ${path} can't be fetched: ${lastLine(made.stderr)}`);
  const fetch = [...STALLED, 'fetch', '--quiet', '--no-tags', '--no-recurse-submodules'];
  const one = await runGit([...fetch, '--depth', '1', '--', url, commit], env);
  // Not every server gives a commit by its name.
  if (one.status !== 0) {
    const all = await runGit(
      [...fetch, '--', url, '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'],
      env,
    );
    if (all.status !== 0)
      throw new SubmoduleError(
        `The submodule ${path} can't be fetched from ${shown} (${redactGitUrls(lastLine(all.stderr))}): the server that builds needs access to it, or commit its files.`,
      );
  }
  const there = await runGit(['cat-file', '-e', `${commit}^{commit}`], env);
  if (there.status !== 0)
    throw new SubmoduleError(
      `The submodule ${path} has no commit ${commit.slice(0, 12)} at ${shown}: push it there first.`,
    );
  return { ...withoutGitVariables(fetchEnv), GIT_DIR: repository };
}

/** A hostile commit may have a link on the way to a submodule's folder. */
async function requireRealFolder(folder: string, path: string): Promise<void> {
  let at = folder;
  for (const name of path.split('/')) {
    at = join(at, name);
    const stats = await lstat(at).catch(() => undefined);
    if (!stats?.isDirectory()) throw new SubmoduleError(`${path} is a submodule behind something else.`);
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
