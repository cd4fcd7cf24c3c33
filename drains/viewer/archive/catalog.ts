/**
 * What is in an archive. Each day's folder has a list of its files, which says what is in them and their checksums; files that others
 * have put there (of Papertrail, for example) are known by their names alone.
 */

import { reasonOf, TailraceError } from '../../../src/common/errors.ts';
import { isJsonObject } from '../../../src/common/json-object.ts';
import type { AppId, Sequence } from '../../../src/logs/store/contract.ts';
import { MANIFEST_NAME, periodOf } from './file-names.ts';
import type { ArchiveStorage, StoredFile } from './storage/archive-storage.ts';

/** Lines of a stream in a file: all that there were from `first` to `last`. */
export interface ArchivedRange {
  readonly id: AppId;
  readonly name: string;
  readonly first: Sequence;
  readonly last: Sequence;
  readonly lines: number;
}

/** A file as the list of its day describes it. Times are ISO 8601, in UTC. */
export interface ListedFile {
  readonly name: string;
  readonly group: { readonly id: string; readonly name: string };
  /** The lines were received from here on, and before there. */
  readonly receivedFrom: string;
  readonly receivedTo: string;
  /** The lines' own times, the first and the last of them. */
  readonly firstAt: string;
  readonly lastAt: string;
  readonly lines: number;
  /** Of the file, and of what is in it. */
  readonly bytes: number;
  readonly rawBytes: number;
  /** Of the file, in hexadecimal. */
  readonly sha256: string;
  readonly streams: readonly ArchivedRange[];
}

export interface ArchivedFile {
  /** Its path in the archive. */
  readonly key: string;
  readonly bytes: number;
  readonly format: ArchiveFormat;
  /** Undefined for a file that others have put there. */
  readonly listed: ListedFile | undefined;
  /** When its lines were, as far as that is known, milliseconds since 1970. */
  readonly period: { readonly fromMs: number; readonly toMs: number } | undefined;
}

export interface ArchiveListing {
  /** The newest first. */
  readonly files: readonly ArchivedFile[];
  /** What isn't as it should be, a sentence each. */
  readonly problems: readonly string[];
}

export type ArchiveFormat = 'ndjson' | 'papertrail' | 'text';

interface DayList {
  readonly version: string;
  readonly files: readonly ListedFile[];
  readonly problem: string | undefined;
  /** What stands there is no list: it is kept aside before another one takes its place. */
  readonly damaged: Buffer | undefined;
}

const LIST_VERSION = 1;
/** A file an hour, each with all streams of its group. */
const LIST_BYTES_MAX = 128 << 20;
/** Behind the name of a list that could not be read, and was replaced by another one; with how many there are. */
const DAMAGED = '.damaged';

/** Reads the storage with each call, and a day's list only when it has changed. One process writes; anybody may put files there. */
export class ArchiveCatalog {
  readonly storage: ArchiveStorage;
  private readonly days = new Map<string, DayList>();

  constructor(storage: ArchiveStorage) {
    this.storage = storage;
  }

  /** @throws TailraceError `unavailable` when the storage doesn't answer. */
  async list(): Promise<ArchiveListing> {
    const stored = await this.storage.list('');
    const listed = new Map<string, ListedFile>();
    const problems: string[] = [];
    const lists = stored.filter(({ key }) => key.endsWith(`/${MANIFEST_NAME}`));
    for (const key of this.days.keys()) if (!lists.some((list) => list.key === key)) this.days.delete(key);
    for (const file of lists) {
      const { files, problem } = await this.day(file).catch((error: unknown) => ({
        files: [],
        problem: `${file.key} can't be read now (${reasonOf(error)}): the files beside it are known by their names alone.`,
      }));
      if (problem !== undefined) problems.push(problem);
      const folder = file.key.slice(0, -MANIFEST_NAME.length);
      for (const one of files) listed.set(folder + one.name, one);
    }
    for (const { key } of stored)
      if (key.includes(`/${MANIFEST_NAME}${DAMAGED}`))
        problems.push(
          `${key} was a list of files that could not be read: those in it are known by their names alone.`,
        );
    const files: ArchivedFile[] = [];
    for (const { key, bytes } of stored) {
      const format = formatOf(key);
      if (!format) continue;
      const entry = listed.get(key);
      listed.delete(key);
      if (entry && entry.bytes !== bytes)
        problems.push(
          `${key} has ${bytes} bytes, and had ${entry.bytes} when it was written: it was cut off or changed.`,
        );
      const period = entry
        ? { fromMs: Date.parse(entry.firstAt), toMs: Date.parse(entry.lastAt) + 1 }
        : periodOf(key);
      files.push({ key, bytes, format, listed: entry, period });
    }
    for (const [key, { lines }] of listed)
      problems.push(`${key} is missing: the archive's list has it, with ${lines} lines.`);
    files.sort((a, b) => (b.period?.toMs ?? 0) - (a.period?.toMs ?? 0) || (a.key < b.key ? 1 : -1));
    return { files, problems };
  }

  /** @throws TailraceError `not_found`. */
  async find(key: string): Promise<ArchivedFile> {
    const found = (await this.list()).files.find((file) => file.key === key);
    if (found) return found;
    throw new TailraceError(
      'not_found',
      `There is no file ${key} in the archive ${this.storage.description}: GET /api/archives lists them.`,
    );
  }

  /** Is the name taken, by a file or in the list of its day? */
  async isTaken(folder: string, name: string, signal?: AbortSignal): Promise<boolean> {
    if (await this.storage.find(`${folder}/${name}`, signal)) return true;
    return (await this.dayList(folder, signal))?.files.some((file) => file.name === name) ?? false;
  }

  /**
   * Adds a file to the list of its day, in the place of one of the same name.
   * @throws TailraceError `unavailable` while what is in the list isn't known: it would lose the other files.
   */
  async add(folder: string, file: ListedFile, signal?: AbortSignal): Promise<void> {
    const key = `${folder}/${MANIFEST_NAME}`;
    const list = await this.dayList(folder, signal);
    if (list?.damaged) await this.keepAside(key, list.damaged, signal);
    const others = (list?.files ?? []).filter(({ name }) => name !== file.name);
    const files = [...others, file].sort((a, b) => (a.name < b.name ? -1 : 1));
    await this.storage.putText(
      key,
      `${JSON.stringify({ version: LIST_VERSION, files }, undefined, 1)}\n`,
      signal,
    );
  }

  private async keepAside(key: string, damaged: Buffer, signal: AbortSignal | undefined): Promise<void> {
    for (let number = 1; ; number++) {
      const aside = `${key}${DAMAGED}-${number}`;
      if (await this.storage.find(aside, signal)) continue;
      await this.storage.putText(aside, damaged, signal);
      return;
    }
  }

  private async dayList(folder: string, signal: AbortSignal | undefined): Promise<DayList | undefined> {
    const list = await this.storage.find(`${folder}/${MANIFEST_NAME}`, signal);
    return list && (await this.day(list, signal));
  }

  /** @throws TailraceError `unavailable` when it doesn't come, or only a part of it. */
  private async day(file: StoredFile, signal?: AbortSignal): Promise<DayList> {
    const known = this.days.get(file.key);
    if (known?.version === file.version) return known;
    const list = await this.readDay(file, signal);
    this.days.set(file.key, list);
    return list;
  }

  private async readDay(
    { key, bytes, version }: StoredFile,
    signal: AbortSignal | undefined,
  ): Promise<DayList> {
    if (bytes > LIST_BYTES_MAX)
      throw this.unreadable(key, new Error(`${bytes} bytes are too many for a list of files`));
    const text = await this.readWhole(key, bytes, signal);
    try {
      const value: unknown = JSON.parse(text.toString());
      const files = isJsonObject(value) && Array.isArray(value.files) ? value.files : undefined;
      if (!files?.every(isListedFile)) throw new Error('not a list of files');
      return { version, files, problem: undefined, damaged: undefined };
    } catch (error) {
      return {
        version,
        files: [],
        problem: `${key} can't be read (${reasonOf(error)}): the files beside it are known by their names alone.`,
        damaged: text,
      };
    }
  }

  /** Half of it isn't taken for it. */
  private async readWhole(key: string, bytes: number, signal: AbortSignal | undefined): Promise<Buffer> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of await this.storage.read(key, signal)) chunks.push(chunk);
    } catch (error) {
      throw error instanceof TailraceError ? error : this.unreadable(key, error);
    }
    const whole = Buffer.concat(chunks);
    if (whole.length === bytes) return whole;
    throw this.unreadable(key, new Error(`${whole.length} of ${bytes} bytes came`));
  }

  private unreadable(key: string, cause: unknown): TailraceError {
    return new TailraceError(
      'unavailable',
      `${this.storage.description}: ${key} can't be read (${reasonOf(cause)}); it is tried again.`,
      { cause },
    );
  }
}

/** By its name; undefined for what is no archive. */
function formatOf(key: string): ArchiveFormat | undefined {
  const name = key.replace(/\.gz$/, '');
  if (name.endsWith('.ndjson') || name.endsWith('.jsonl')) return 'ndjson';
  if (name.endsWith('.tsv')) return 'papertrail';
  return name.endsWith('.log') || name.endsWith('.txt') ? 'text' : undefined;
}

function isListedFile(value: unknown): value is ListedFile {
  if (!isJsonObject(value) || !isJsonObject(value.group) || !Array.isArray(value.streams)) return false;
  const texts = [value.name, value.firstAt, value.lastAt, value.receivedFrom, value.receivedTo, value.sha256];
  return (
    texts.every((text) => typeof text === 'string') &&
    [value.lines, value.bytes].every((number) => Number.isSafeInteger(number)) &&
    value.streams.every((one) => isJsonObject(one) && typeof one.id === 'string')
  );
}
