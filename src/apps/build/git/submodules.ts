/** What git says about submodules, read; and where they are fetched from. Pure but for `findEmptySubmodules`. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { trimTrailing } from '../../../common/limits/trim-trailing.ts';
import { runGit, withoutGitVariables } from './git-command.ts';

/** A submodule that can't be had, and what to do. */
export class SubmoduleError extends Error {
  override readonly name = 'SubmoduleError';
}

/** The mode of a submodule in a tree. */
const GITLINK = '160000';

/** The submodules of `git ls-files --stage -z`: paths, and the commits that are pinned. */
export function parseStages(output: Buffer): { path: string; commit: string }[] {
  return output
    .toString()
    .split('\0')
    .filter((entry) => entry.startsWith(`${GITLINK} `))
    .map((entry) => ({ path: entry.slice(entry.indexOf('\t') + 1), commit: entry.split(' ')[1] }));
}

/** By path what `git config --null --list` says of `.gitmodules`. */
export function parseGitmodules(output: string): Map<string, { url?: string; update?: string }> {
  const byName = new Map<string, Record<string, string>>();
  for (const entry of output.split('\0')) {
    const [, name, key, value] = /^submodule\.(.*)\.(path|url|update)\n(.*)$/s.exec(entry) ?? [];
    if (name !== undefined) byName.set(name, { ...byName.get(name), [key]: value });
  }
  return new Map([...byName.values()].filter(({ path }) => path).map(({ path, ...rest }) => [path, rest]));
}

/**
 * Where a submodule is fetched from. Only from other machines: neither a file nor a program of this one.
 * @param parent where the repository around it was fetched from; undefined for the pushed one
 * @throws SubmoduleError
 */
export function resolveSubmoduleUrl(path: string, url: string, parent: string | undefined): string {
  const isRelative = /^\.\.?\//.test(url);
  if (isRelative && parent === undefined)
    throw new SubmoduleError(
      `The submodule ${path} is at ${url}, beside a repository that this server doesn't know: write its whole address into .gitmodules (https://…).`,
    );
  const resolved = isRelative ? resolveRelative(parent ?? '', url) : url;
  if (resolved !== undefined && isFetchable(resolved)) return resolved;
  throw new SubmoduleError(
    `The submodule ${path} is at ${url}, which can't be fetched from here: its address has to begin with https://, http://, ssh:// or git://, or be like git@example.com:some/repository.git.`,
  );
}

function isFetchable(url: string): boolean {
  if (/^(https?|ssh|git):\/\/[^-/\s][^\s]*$/i.test(url)) return true;
  // As scp has it; `ext::` and the like have two colons, `file:///` has slashes.
  return /^(?:[^-@/:\s][^@/:\s]*@)?[^-@/:\s][^@/:\s]*:(?![:/]{2})[^:\s]\S*$/.test(url);
}

/** As git does: each `../` takes away a name, at a slash or the colon of `host:path`. */
function resolveRelative(parent: string, url: string): string | undefined {
  const host = /^[a-z]+:\/\/[^/]+/i.exec(parent)?.[0] ?? '';
  let base = trimTrailing(parent.slice(host.length), '/');
  let rest = url;
  let separator = '/';
  for (;;) {
    if (rest.startsWith('./')) rest = rest.slice(2);
    else if (rest.startsWith('../')) {
      rest = rest.slice(3);
      const at = Math.max(base.lastIndexOf('/'), base.lastIndexOf(':'));
      if (at < 0) return undefined;
      separator = base[at];
      base = base.slice(0, at);
    } else return `${host}${base}${separator}${rest}`;
  }
}

/** Submodules of a working tree that aren't checked out, by their paths; none where git doesn't say. */
export async function findEmptySubmodules(folder: string): Promise<string[]> {
  const env = withoutGitVariables(process.env);
  const listed = await runGit(['ls-files', '--stage', '-z'], env, folder);
  const empty: string[] = [];
  for (const { path } of listed.status === 0 ? parseStages(listed.stdout) : []) {
    const names = await readdir(join(folder, path)).catch(() => undefined);
    // One that was deleted is meant to be gone.
    if (names === undefined) continue;
    if (names.length === 0) empty.push(path);
    else empty.push(...(await findEmptySubmodules(join(folder, path))).map((inner) => `${path}/${inner}`));
  }
  return empty;
}
