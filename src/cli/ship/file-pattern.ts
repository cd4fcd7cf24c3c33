/** Files that a pattern such as `logs/*.log` names, also those that appear later: what to follow, and what no longer. */
import { existsSync, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { rotatedNames } from '../../apps/forwarder/files/file-checkpoint.ts';

/** A file that a pattern names. */
export interface MatchedFile {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
  readonly mtimeMs: number;
}

/** What rotation packs: lines that were shipped when they were plain. */
const PACKED = /\.(?:gz|bz2|xz|zst|lz4|zip|Z)$/;

/** `worker-1.log` is as likely to be another worker's as it is to be what `worker.log` was. */
const NUMBERED = /^\D*-\d{1,5}\.\w+$/;

/** Is it a pattern? A file that is called like that is a file. */
export function isPattern(path: string): boolean {
  return isDynamicPattern(path) && !existsSync(path);
}

/** The files that a pattern names now; none while its folder isn't there. */
export async function findMatches(pattern: string): Promise<MatchedFile[]> {
  const paths = await glob(pattern, { absolute: true, dot: basename(pattern).startsWith('.') });
  const found = await Promise.all(
    paths.map(async (path) => ({ path, stats: await stat(path).catch(() => undefined) })),
  );
  return found.flatMap(({ path, stats }) => (stats?.isFile() ? [toMatch(path, stats)] : []));
}

function toMatch(path: string, { dev, ino, mtimeMs }: Stats): MatchedFile {
  return { path, dev, ino, mtimeMs };
}

/**
 * Those of the matches that are to be followed from now on, the latest written first; not what is packed, what rotation has made of another
 * one, and a file that is followed under the name that it had before.
 * @param followed the paths that are followed, each with its file as far as that is known
 */
export function chooseNewFiles(
  matches: readonly MatchedFile[],
  followed: ReadonlyMap<string, { readonly dev: number; readonly ino: number } | undefined>,
): MatchedFile[] {
  const byFolder = new Map<string, string[]>();
  for (const path of new Set([...matches.map((match) => match.path), ...followed.keys()])) {
    const folder = dirname(path);
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), basename(path)]);
  }
  const rotated = new Set<string>();
  for (const [folder, names] of byFolder)
    for (const name of names) {
      const isRotated = rotatedNames(name);
      for (const other of names)
        if (other !== name && isRotated(other) && !NUMBERED.test(other)) rotated.add(`${folder}/${other}`);
    }
  const files = new Set([...followed.values()].map((file) => file && fileKey(file)));
  return matches
    .filter(
      (match) =>
        !followed.has(match.path) &&
        !PACKED.test(match.path) &&
        !rotated.has(match.path) &&
        !files.has(fileKey(match)),
    )
    .sort((a, b) => b.mtimeMs - a.mtimeMs);
}

/** Is a followed file gone, and not merely called otherwise? */
export function isGone(
  path: string,
  file: { readonly dev: number; readonly ino: number } | undefined,
  matches: readonly MatchedFile[],
): boolean {
  return !matches.some((match) => match.path === path || (file && fileKey(match) === fileKey(file)));
}

function fileKey({ dev, ino }: { readonly dev: number; readonly ino: number }): string {
  return `${dev}:${ino}`;
}
