/**
 * What is in a backup: a tar archive that any `tar` lists and unpacks.
 *
 *     backup.json                              what this is, when it was made, which backup it goes on from
 *     records/<scope>.jsonl                    {"key": …, "value": …} in each line; `-` is the scope of no app
 *     lines/<stream>/<first>-<last>.batches    batches of lines (batch-chunk.ts)
 *     files/<path>                             files of the data folder
 *     manifest.json                            what belongs to the backup, also of what is in those that it goes on from
 *     SHA256SUMS                               of all members before, as `sha256sum --check` reads them
 *
 * The last one is missing in what was cut off, so that half a backup is never taken for one.
 */

import { isJsonObject } from '../../common/json-object.ts';
import type { JsonLimits } from '../../common/limits/json-scanner.ts';
import type { AppId, Sequence } from '../store/contract.ts';

/** Of a manifest that somebody sends: it names what many backups have of many apps, or of many streams. */
export const MANIFEST_BYTES_MAX = 268_435_456;
/** An object for each megabyte of lines, and for each app of each backup before. */
export const MANIFEST_LIMITS: JsonLimits = { depth: 10, keys: 100, containers: 3_000_000 };

/** The layout; a program that is older refuses one that is newer. */
export const BACKUP_FORMAT = 1;
export const HEAD_MEMBER = 'backup.json';
export const MANIFEST_MEMBER = 'manifest.json';
export const SUMS_MEMBER = 'SHA256SUMS';
export const FILES_FOLDER = 'files/';

/** Which program's data it is. */
export type BackedUpProgram = 'tailrace' | 'viewer';

/** The first member. */
export interface BackupHead {
  readonly format: number;
  readonly program: BackedUpProgram;
  /** Its version. */
  readonly version: string;
  /** Of this backup. */
  readonly id: string;
  readonly created_at: string;
  /** The backup that it goes on from; null for a whole one. */
  readonly since: string | null;
}

/** Some lines of a stream, and the backup that has them. */
export interface BackupChunk {
  readonly path: string;
  readonly backup: string;
  readonly first: Sequence;
  readonly last: Sequence;
}

export interface BackedUpStream {
  readonly id: AppId;
  readonly name: string;
  /** The oldest line that it held, and the newest; `first = last + 1` when it held none. */
  readonly first: Sequence;
  readonly last: Sequence;
  /** Lines and bytes that it held. */
  readonly lines: number;
  readonly bytes: number;
  /** Counts how often lines were deleted from its middle: what was backed up before that isn't gone on from. */
  readonly edition: number;
  /** SHA-256 of its last batch: whoever has another one there is another stream. '' when it held none. */
  readonly end: string;
  readonly chunks: readonly BackupChunk[];
}

export interface BackedUpFile {
  /** Within the data folder. */
  readonly path: string;
  readonly backup: string;
  readonly bytes: number;
  readonly mtime_ms: number;
}

export interface BackupManifest extends BackupHead {
  /** Backups that it consists of, oldest first, itself the last. */
  readonly backups: readonly { readonly id: string; readonly created_at: string }[];
  readonly records: number;
  readonly streams: readonly BackedUpStream[];
  readonly files: readonly BackedUpFile[];
  /** Files of which records speak, and that weren't there: they are on other machines, or gone. */
  readonly missing_files: number;
}

/** A member with the records of a scope. */
export function recordsMember(scope: string): string {
  return `records/${scope === '' ? '-' : scope}.jsonl`;
}

/** The scope of a member with records; undefined when it has none. */
export function scopeOfMember(path: string): string | undefined {
  const scope = /^records\/([^/]+)\.jsonl$/.exec(path)?.[1];
  return scope === '-' ? '' : scope;
}

/** Name of the member with lines of a stream; both sequences are in it. */
export function chunkMember(stream: AppId, first: Sequence, last: Sequence): string {
  return `lines/${stream}/${first}-${last}.batches`;
}

/** A line of `SHA256SUMS`. */
export function sumLine(path: string, sha256: string): string {
  return `${sha256}  ${path}\n`;
}

/** Reads `SHA256SUMS`: digests by path; undefined when a line is none. */
export function parseSums(text: string): Map<string, string> | undefined {
  const sums = new Map<string, string>();
  for (const line of text.split('\n').slice(0, -1)) {
    const [, sha256, path] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    if (sha256 === undefined) return undefined;
    sums.set(path, sha256);
  }
  return text.endsWith('\n') ? sums : undefined;
}

/**
 * Is this a manifest? It comes from outside: whoever has made it chooses what is in it, also where its files would be written.
 */
export function isManifest(value: unknown): value is BackupManifest {
  const manifest = value as Partial<BackupManifest> | null;
  return (
    isJsonObject(manifest) &&
    isText(manifest.program) &&
    isText(manifest.version) &&
    isText(manifest.id) &&
    isText(manifest.created_at) &&
    isCount(manifest.records) &&
    isListOf<BackupManifest['backups'][number]>(
      manifest.backups,
      (backup) => isText(backup.id) && isText(backup.created_at),
    ) &&
    isListOf(manifest.streams, isStream) &&
    isListOf(manifest.files, isFile)
  );
}

type Unknown<T> = { readonly [K in keyof T]?: unknown };

function isStream({ id, name, end, edition, chunks, ...counts }: Unknown<BackedUpStream>): boolean {
  return (
    isText(id) &&
    isText(name) &&
    typeof end === 'string' &&
    isCount(edition) &&
    [counts.first, counts.last, counts.lines, counts.bytes].every(isCount) &&
    isListOf<BackupChunk>(
      chunks,
      ({ path, backup, first, last }) => isText(path) && isText(backup) && isCount(first) && isCount(last),
    )
  );
}

function isFile({ path, backup, bytes, mtime_ms: mtime }: Unknown<BackedUpFile>): boolean {
  return isWithin(path) && isText(backup) && isCount(bytes) && isCount(mtime);
}

/** Does this path stay below the folder that it is joined to? */
function isWithin(path: unknown): boolean {
  if (typeof path !== 'string' || path.includes('\0') || path.includes('\\')) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function isListOf<T>(value: unknown, isOne: (one: Unknown<T>) => boolean): boolean {
  return Array.isArray(value) && value.every((one: unknown) => isJsonObject(one) && isOne(one as Unknown<T>));
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
