import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';

/** How many of a file's first bytes identify it. */
export const FINGERPRINT_BYTES = 256;

/** How far a file was read, and which one it was: its name may be another's by now, its inode too. */
export interface FileCheckpoint {
  readonly dev: number;
  readonly ino: number;
  /** Everything before it has been read. */
  readonly offset: number;
  /** The file's first bytes, up to `FINGERPRINT_BYTES` and not beyond `offset`, in base64. */
  readonly head: string;
  /** Where `head` begins, when the file begins with NULs, as many others do; default: 0. */
  readonly headStart?: number;
}

/** A part of a file that is still to be read. */
export interface UnreadPart {
  readonly path: string;
  readonly offset: number;
}

/** What log rotation adds to names: access.log.1, access.log-20121210, access-2012-12-10.log; not access-ssl.log, nor .1.gz. */
const ROTATED_SUFFIX = /^(?:[.-]\d[\dT:._-]*|\.old)$/;

/** Opens a file or a FIFO for reading; that of a FIFO would hold a thread until somebody writes. Undefined when it can't be. */
export function openForReading(path: string): Promise<FileHandle | undefined> {
  return open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
}

/** For what was read from a file of checkpoints, which may be of another version or cut. */
export function isFileCheckpoint(value: unknown): value is FileCheckpoint {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'dev' in value &&
    'ino' in value &&
    'offset' in value &&
    Number.isSafeInteger(value.offset) &&
    'head' in value &&
    typeof value.head === 'string'
  );
}

/**
 * What was written since the checkpoint, oldest first; the last one is the file that is called `path` now. A file that was
 * renamed meanwhile (`access.log.1`) or copied and truncated is found beside it, by its inode and its first bytes.
 *
 * @returns undefined when the checkpoint's file isn't there any more: its rest is lost
 */
export async function findUnread(
  path: string,
  checkpoint: FileCheckpoint,
): Promise<UnreadPart[] | undefined> {
  if (await matchesCheckpoint(path, checkpoint, true)) return [{ path, offset: checkpoint.offset }];
  const siblings = await findRotatedFiles(path);
  const matches = await Promise.all(
    siblings.map((one) => matchesCheckpoint(one.path, checkpoint, one.stats.ino === checkpoint.ino)),
  );
  const found = siblings.findLastIndex((one, i) => matches[i] && one.stats.ino === checkpoint.ino);
  // A copy has another inode. Of several files that begin alike the newest is the likelier one.
  const index = found === -1 ? matches.lastIndexOf(true) : found;
  if (index === -1) return undefined;
  const later = siblings.slice(index + 1).map((one) => ({ path: one.path, offset: 0 }));
  return [{ path: siblings[index].path, offset: checkpoint.offset }, ...later, { path, offset: 0 }];
}

/** Is this the checkpoint's file, grown since? With the same inode an empty fingerprint is enough. */
async function matchesCheckpoint(
  path: string,
  checkpoint: FileCheckpoint,
  isSameInode: boolean,
): Promise<boolean> {
  const fingerprint = Buffer.from(checkpoint.head, 'base64');
  if (!isSameInode && fingerprint.length === 0) return false;
  const headStart = checkpoint.headStart ?? 0;
  const file = await openForReading(path);
  if (!file) return false;
  try {
    const stats = await file.stat();
    const { size, ino, dev } = stats;
    if (!stats.isFile()) return false;
    if (size < checkpoint.offset) return false;
    if (isSameInode && (ino !== checkpoint.ino || dev !== checkpoint.dev)) return false;
    return (await readFingerprint(file, headStart, fingerprint.length)).equals(fingerprint);
  } finally {
    await file.close();
  }
}

/**
 * The copy that was made of a file before it was cut off, when it has bytes beyond the checkpoint's offset; undefined when there
 * is none.
 *
 * @param sinceMs the file was read to its end then: what was written later is in a copy that is younger (milliseconds since 1970)
 */
export async function findCopy(
  path: string,
  checkpoint: FileCheckpoint,
  sinceMs: number,
): Promise<string | undefined> {
  const siblings = await findRotatedFiles(path);
  const young = siblings.filter(({ stats }) => stats.mtimeMs >= sinceMs && stats.size > checkpoint.offset);
  const matches = await Promise.all(young.map((one) => matchesCheckpoint(one.path, checkpoint, false)));
  return young[matches.lastIndexOf(true)]?.path;
}

/** Some bytes of a file, fewer when it is shorter. */
export async function readFingerprint(file: FileHandle, start: number, byteCount: number): Promise<Buffer> {
  const fingerprint = Buffer.alloc(byteCount);
  const { bytesRead } = await file.read(fingerprint, 0, byteCount, start);
  return fingerprint.subarray(0, bytesRead);
}

/** Files beside `path` that its rotation has left, oldest first. */
async function findRotatedFiles(path: string): Promise<{ path: string; stats: Stats }[]> {
  const folder = dirname(path);
  const isRotated = rotatedNames(basename(path));
  const names = (await readdir(folder).catch(() => [])).filter(isRotated);
  const files = await Promise.all(
    names.map(async (one) => ({
      path: join(folder, one),
      stats: await stat(join(folder, one)).catch(() => undefined),
    })),
  );
  return files
    .flatMap((file) => (file.stats?.isFile() ? [{ path: file.path, stats: file.stats }] : []))
    .sort((a, b) => rotationNumber(b.path) - rotationNumber(a.path) || a.stats.mtimeMs - b.stats.mtimeMs);
}

/** Tells the names that rotation gives to a file of this name. */
export function rotatedNames(name: string): (other: string) => boolean {
  const extension = extname(name);
  const stem = basename(name, extension);
  return (other) => {
    if (other.startsWith(name)) return ROTATED_SUFFIX.test(other.slice(name.length));
    if (!other.startsWith(stem) || !other.endsWith(extension)) return false;
    return ROTATED_SUFFIX.test(other.slice(stem.length, other.length - extension.length));
  };
}

/** `access.log.2` is older than `access.log.1`, also when both were written in the same moment; 0 for other names. */
function rotationNumber(path: string): number {
  return Number(/\.(\d{1,4})$/.exec(path)?.[1] ?? 0);
}
