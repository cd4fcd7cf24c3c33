/**
 * Names in an archive, in UTC: `shop/dt=2026-11-28/2026-11-28-20.ndjson.gz`, a folder a group and a day, as people know it from
 * Papertrail and as Hive, Athena and DuckDB read it (`dt` is a column). A name with an hour has what was received until that hour ended
 * and isn't in a file before it; one with the day alone has the rest of the day. A second file of the same time has `_2` behind it.
 */

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
const ARCHIVE_EXTENSION = '.ndjson.gz';
/** Hive, Athena and Spark leave out what begins with an underscore. */
export const MANIFEST_NAME = '_files.json';
/** Characters of a folder's name. */
const FOLDER_LENGTH_MAX = 100;
/** `dt=2026-11-28/2026-11-28-20.tsv.gz`, wherever the folder is. */
const DATED = /(?:^|\/)(\d{4}-\d\d-\d\d)(?:-(\d\d))?(?:_\d+)?\.[\w.]+$/;

/** A group's folder: its name in small letters, digits and dashes. */
export function groupFolder(name: string): string {
  return (
    name
      .normalize('NFKD')
      .replace(/[\u0300-\u036f]/g, '')
      .toLowerCase()
      .split(/[^a-z0-9]/)
      .filter(Boolean)
      .join('-')
      .slice(0, FOLDER_LENGTH_MAX) || 'group'
  );
}

/** `shop/dt=2026-11-28` of a time in that day, without a slash at its end. Milliseconds since 1970. */
export function dayFolder(group: string, dayMs: number): string {
  return `${groupFolder(group)}/dt=${dayText(dayMs)}`;
}

/**
 * The name of a file of what was received until `toMs`.
 * @param toMs the end of an hour or of a day
 * @param isWholeDay it has the rest of its day
 * @param number 1 for the first of its name
 */
export function archiveFileName(toMs: number, isWholeDay: boolean, number: number): string {
  const last = new Date(toMs - 1).toISOString();
  const hour = isWholeDay ? '' : `-${last.slice(11, 13)}`;
  return `${last.slice(0, 10)}${hour}${number === 1 ? '' : `_${number}`}${ARCHIVE_EXTENSION}`;
}

/** When the lines of a file were received, by its name alone: all that is known of files that others have put there. */
export function periodOf(key: string): { readonly fromMs: number; readonly toMs: number } | undefined {
  const match = DATED.exec(key);
  if (!match) return undefined;
  const dayMs = Date.parse(`${match[1]}T00:00:00Z`);
  if (Number.isNaN(dayMs)) return undefined;
  if (match[2] === undefined) return { fromMs: dayMs, toMs: dayMs + DAY_MS };
  const fromMs = dayMs + Number(match[2]) * HOUR_MS;
  return { fromMs, toMs: fromMs + HOUR_MS };
}

/** Midnight UTC, at or before a time. Milliseconds since 1970. */
export function dayStart(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}

/** The full hour, at or before a time. Milliseconds since 1970. */
export function hourStart(ms: number): number {
  return Math.floor(ms / HOUR_MS) * HOUR_MS;
}

function dayText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
