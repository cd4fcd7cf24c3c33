/**
 * Archives what was received, an hour or a day a file. Each stream has a cursor: everything up to it is in the archive.
 *
 * A file is written here first; then a record says what is about to be stored under which name; then it is stored, and added to the list of
 * its day; then, in one transaction, the cursors move on and the record goes. Killed anywhere in between, the same lines go into the file
 * of the same name once more: none twice, none left out.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../../../src/common/files/make-directory.ts';
import type { AppId, RecordChange, Sequence, Store } from '../../../src/logs/store/contract.ts';
import type { LineStore } from '../store/contract.ts';
import type { ArchiveCatalog, ArchivedRange, ListedFile } from './catalog.ts';
import { archiveFileName, DAY_MS, dayFolder, dayStart, HOUR_MS, hourStart } from './file-names.ts';
import { ArchiveFileWriter, fileSha256, type WrittenFile } from './file-writer.ts';
import { MergedLines, type StreamSpan } from './merged-lines.ts';

/** Records that the archive keeps. */
export type ArchiveRecords = Pick<Store, 'get' | 'transact'>;

/** A group, as far as its archive knows it. */
export interface ArchivedGroup {
  readonly id: string;
  readonly name: string;
  readonly streams: readonly { readonly id: AppId; readonly name: string }[];
}

export interface ArchiverOptions {
  readonly store: LineStore;
  readonly records: ArchiveRecords;
  readonly catalog: ArchiveCatalog;
  /** For files that aren't stored yet. */
  readonly folder: string;
  /** Less than so much, before it is compressed, waits until its day is over, for one file with all of it. */
  readonly hourBytes?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Scope of the records that archives and retention keep. */
export const ARCHIVE_SCOPE = 'archive';

/** What is about to be stored. */
interface Intent {
  readonly folder: string;
  readonly file: ListedFile;
}

const HOUR_BYTES = 4 << 20;
/** So long after its end an hour is over: what was received in it is stored by then. */
const SETTLE_MS = 5_000;

export class Archiver {
  private readonly options: ArchiverOptions;
  private readonly now: () => number;
  private readonly hourBytes: number;
  /** Of groups that had nothing due: the hour until which that was. */
  private readonly idleUntil = new Map<string, number>();

  constructor(options: ArchiverOptions) {
    this.options = options;
    this.now = options.now ?? Date.now;
    this.hourBytes = options.hourBytes ?? HOUR_BYTES;
  }

  /** Up to where a stream is archived; 0 when nothing of it is. */
  async cursor(stream: AppId): Promise<Sequence> {
    return (await this.options.records.get<Sequence>(ARCHIVE_SCOPE, cursorKey(stream)))?.value ?? 0;
  }

  /**
   * Archives what is due of a group: one file, or none when nothing is due.
   * @throws TailraceError `unavailable` when it can't be stored now; the next call goes on with it.
   */
  async archiveNext(group: ArchivedGroup, signal?: AbortSignal): Promise<ListedFile | undefined> {
    const begun = (await this.options.records.get<Intent>(ARCHIVE_SCOPE, intentKey(group.id)))?.value;
    if (begun) return await this.storeAgain(group, begun, signal);
    const overMs = hourStart(this.now() - SETTLE_MS);
    // Until another hour is over nothing more can be due.
    if (this.idleUntil.get(group.id) === overMs) return undefined;
    const path = this.spoolPath(group);
    try {
      const due = await this.writeDue(group, path, overMs, signal);
      if (!due) {
        this.idleUntil.set(group.id, overMs);
        return undefined;
      }
      await this.change([{ key: intentKey(group.id), value: due }]);
      return await this.storeFile(group, due, path, signal);
    } finally {
      await rm(path, { force: true });
    }
  }

  /** Writes what is due into a file, from the first line that isn't archived: undefined when nothing is. */
  private async writeDue(
    group: ArchivedGroup,
    path: string,
    overMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Intent | undefined> {
    const spans: StreamSpan[] = [];
    for (const { id, name } of group.streams)
      spans.push({ id, name, after: await this.cursor(id), through: Number.MAX_SAFE_INTEGER });
    const clock = { nowMs: this.now(), overMs };
    const lines = new MergedLines(this.options.store, spans, signal, clock);
    const writer = new ArchiveFileWriter(path);
    try {
      const firstMs = await lines.nextMs();
      if (firstMs === undefined || firstMs >= overMs) {
        await writer.abort();
        return undefined;
      }
      const dayEndMs = dayStart(firstMs) + DAY_MS;
      let toMs = hourStart(firstMs);
      for (
        let nextMs: number | undefined = firstMs;
        nextMs !== undefined && nextMs < Math.min(dayEndMs, overMs);
      ) {
        toMs = hourStart(nextMs) + HOUR_MS;
        await lines.takeBefore(toMs, writer);
        if (writer.rawBytes >= this.hourBytes) break;
        nextMs = await lines.nextMs();
      }
      const isDayOver = dayEndMs <= overMs;
      if (writer.rawBytes < this.hourBytes && !isDayOver) {
        await writer.abort();
        return undefined;
      }
      const isWholeDay =
        isDayOver && ((await lines.nextMs()) ?? dayEndMs) >= dayEndMs && writer.rawBytes < this.hourBytes;
      const written = await writer.finish();
      const folder = dayFolder(group.name, toMs - 1);
      const name = await this.freeName(folder, toMs, isWholeDay, signal);
      return { folder, file: listedFile(name, group, written) };
    } catch (error) {
      await writer.abort();
      throw error;
    } finally {
      await lines.close();
    }
  }

  /** What was begun before: the file as it was written, or, when it is gone, the same lines again. */
  private async storeAgain(
    group: ArchivedGroup,
    begun: Intent,
    signal: AbortSignal | undefined,
  ): Promise<ListedFile> {
    const path = this.spoolPath(group);
    await this.options.catalog.storage.removeUnfinished(`${begun.folder}/${begun.file.name}`, signal);
    try {
      if ((await fileSha256(path)) === begun.file.sha256)
        return await this.storeFile(group, begun, path, signal);
      const spans = begun.file.streams.map(({ id, name, first, last }) => ({
        id,
        name,
        after: first - 1,
        through: last,
      }));
      const lines = new MergedLines(this.options.store, spans, signal);
      const writer = new ArchiveFileWriter(path);
      try {
        await lines.takeBefore(Number.POSITIVE_INFINITY, writer);
        const file = listedFile(begun.file.name, begun.file.group, await writer.finish());
        return await this.storeFile(group, { ...begun, file }, path, signal, begun.file.streams);
      } catch (error) {
        await writer.abort();
        throw error;
      } finally {
        await lines.close();
      }
    } finally {
      await rm(path, { force: true });
    }
  }

  /** @param ranges what is archived then; those of the file, unless some of its lines are gone meanwhile */
  private async storeFile(
    group: ArchivedGroup,
    { folder, file }: Intent,
    path: string,
    signal: AbortSignal | undefined,
    ranges: readonly ArchivedRange[] = file.streams,
  ): Promise<ListedFile> {
    const { catalog } = this.options;
    if (file.lines > 0) {
      await catalog.storage.put(`${folder}/${file.name}`, { path, ...file }, signal);
      await catalog.add(folder, file, signal);
    }
    await this.change([
      ...ranges.map(({ id, last }) => ({ key: cursorKey(id), value: last })),
      { key: intentKey(group.id), value: undefined },
    ]);
    return file;
  }

  private async freeName(
    folder: string,
    toMs: number,
    isWholeDay: boolean,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    for (let number = 1; ; number++) {
      const name = archiveFileName(toMs, isWholeDay, number);
      if (!(await this.options.catalog.isTaken(folder, name, signal))) return name;
    }
  }

  private spoolPath(group: ArchivedGroup): string {
    const { folder } = this.options;
    makeDirectory(folder, 0o750);
    return join(folder, `${group.id.replace(/[^\w-]/g, '_')}.ndjson.gz`);
  }

  private async change(changes: readonly RecordChange[]): Promise<void> {
    await this.options.records.transact(ARCHIVE_SCOPE, changes, { quiet: true });
  }
}

function cursorKey(stream: AppId): string {
  return `cursor/${stream}`;
}

function intentKey(group: string): string {
  return `storing/${group}`;
}

function listedFile(
  name: string,
  { id, name: groupName }: { id: string; name: string },
  written: WrittenFile,
): ListedFile {
  const { lines, bytes, rawBytes, sha256, streams } = written;
  const time = (ms: number): string => new Date(Number.isFinite(ms) ? ms : 0).toISOString();
  return {
    name,
    group: { id, name: groupName },
    receivedFrom: time(written.receivedFromMs),
    receivedTo: time(written.receivedToMs + 1),
    firstAt: time(written.firstMs),
    lastAt: time(written.lastMs),
    lines,
    bytes,
    rawBytes,
    sha256,
    streams,
  };
}
