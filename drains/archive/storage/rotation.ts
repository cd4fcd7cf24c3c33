/**
 * When a `current.log` is rotated, and its name afterwards: `2026-11-21T10-00-00Z.log`, the UTC time of its first line; a
 * second file of that second is `…Z_002.log`. Pure functions; names sort by age, also in `ls`.
 */

/** A number of milliseconds, or `day`: a file never holds lines received on two UTC days. */
export type MaxAge = number | 'day';

const ROTATED_NAME = /^(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)(?:_(\d{3,}))?\.log(\.gz)?$/;
const DAY_MS = 86_400_000;

export interface RotatedFile {
  /** The name without `.log` or `.log.gz`. */
  stem: string;
  second: string;
  /** 1 for the first file of a second. */
  ordinal: number;
}

/** Has the file's time come? Times are milliseconds since 1970; the maximum age is milliseconds, or `day`: until midnight UTC. */
export function isRotationDue(openedMs: number, nowMs: number, maxAge: MaxAge): boolean {
  if (maxAge === 'day') return Math.floor(nowMs / DAY_MS) !== Math.floor(openedMs / DAY_MS);
  return nowMs - openedMs >= maxAge;
}

/** The rotated files among the names in a folder, oldest first, each once even if it is there compressed and uncompressed. */
export function rotatedFiles(names: Iterable<string>): RotatedFile[] {
  const files = new Map<string, RotatedFile>();
  for (const name of names) {
    const match = ROTATED_NAME.exec(name);
    if (match === null) continue;
    const stem = name.slice(0, name.indexOf('.log'));
    files.set(stem, { stem, second: match[1], ordinal: Number(match[2] ?? '1') });
  }
  return [...files.values()].sort(
    (a, b) => (a.second < b.second ? -1 : a.second > b.second ? 1 : 0) || a.ordinal - b.ordinal,
  );
}

/**
 * The stem for a file opened at `openedMs`, later in order than every name that is there: a clock set back must not
 * make the newest file look like the oldest, which is the first to be deleted.
 */
export function nextRotatedStem(openedMs: number, names: Iterable<string>): string {
  const second = `${new Date(openedMs).toISOString().slice(0, 19).replaceAll(':', '-')}Z`;
  const newest = rotatedFiles(names).at(-1);
  if (newest === undefined || newest.second < second) return second;
  return `${newest.second}_${String(newest.ordinal + 1).padStart(3, '0')}`;
}
