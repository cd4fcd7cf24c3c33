import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CoalescedRun } from '../../../../common/coalesced-run.ts';
import { FileSystemSync } from '../../../../common/files/file-system-sync.ts';
import type { AppLimitTable } from '../../app-limits.ts';
import type { AppId, ReadMemory, Sequence, StoredBatch, StreamBounds, StreamFile } from '../../contract.ts';
import { appIdBytes } from '../commit-log/commit-entry.ts';
import { COMMIT_FILE_BYTES, CommitLog } from '../commit-log/commit-log.ts';
import type { FolderIdentity } from '../folder-identity.ts';
import { type AllocatedBatch, checksumSeed } from '../segments/entry-format.ts';
import type { ErasureJournal, PickLines } from '../segments/line-eraser.ts';
import { OpenFileCache } from '../segments/open-file-cache.ts';
import type { Segment } from '../segments/segment.ts';
import type { StoreClock } from '../store-clock.ts';
import { AppStream } from './app-stream.ts';
import { Appender, SegmentGoneError } from './appender.ts';
import { BatchReader } from './batch-reader.ts';
import { LeftoverCommits, type OnFrameId } from './leftover-commits.ts';
import { LineDeleter } from './line-deleter.ts';
import type { LostLines } from './loss-record.ts';
import { MissingSegments } from './missing-segments.ts';
import { NoteWriter } from './note-writer.ts';
import type { OpenStream, OpenStreamAppend } from './open-stream.ts';
import { isUntouched, oldestStoredAtMs } from './recovery.ts';
import { RetentionSweeper } from './retention-sweeper.ts';
import type { StreamNotes } from './stream-note.ts';

/** Begins the name of a folder whose stream is being removed. */
const DROPPED_PREFIX = '.dropped-';
/** Streams that are checked at the start between two turns of the event loop. */
const CHECKED_AT_ONCE = 16;
/** An app's id is its folder's name. */
const APP_ID_LENGTH = 36;
/**
 * Batches that are larger go to their segments at once: to write them to the log, out of memory, and to a segment would cost more than a write of
 * their own does, and less than a sync of their own.
 */
const SMALL_BATCH_BYTES = { process: 12_288, disk: 16_384 };
/** So many streams are synced with their file system rather than one by one. */
const SYNCED_TOGETHER_MIN = 128;
const APP_ID_PATTERN = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface EmbeddedStreamsOptions {
  /** Where they are kept, a folder each. */
  readonly folder: string;
  /** Where the commit log is. */
  readonly commitFolder: string;
  readonly limits: AppLimitTable;
  readonly mayTrim?: (app: AppId, through: Sequence) => boolean;
  readonly durability: 'process' | 'disk';
  /** See {@link EmbeddedStoreOptions.commitFileBytes}. */
  readonly commitFileBytes?: number;
  /** See {@link EmbeddedStoreOptions.onSynced}. */
  readonly onSynced?: (ms: number) => void;
  readonly clock: StoreClock;
  readonly place: FolderIdentity;
  /** Called for batches with a frame id that were written last, when a stream is opened. */
  readonly onFrameId: OnFrameId;
  readonly notes: StreamNotes;
  /** Where deletions of lines are noted. */
  readonly journal: ErasureJournal;
  /** Called when lines turn out to be lost. */
  readonly onLost: (app: AppId, lost: LostLines) => void;
  /** Called with the paths of segments that are gone, whenever there are more or fewer of them. */
  readonly onFilesGone: (paths: readonly string[]) => void;
  /** Called for a stream that can't be opened when all are checked. */
  readonly onUnusable: (app: AppId, error: unknown) => void;
}

/** The streams of all apps, each opened at its first use. */
export class EmbeddedStreams {
  private readonly options: EmbeddedStreamsOptions;
  private readonly files: OpenFileCache;
  private readonly byApp = new Map<AppId, OpenStream>();
  /** Streams that were removed, and are still noted. */
  private readonly dropped = new Set<AppId>();
  private isClosed = false;
  private readonly syncing = new CoalescedRun(() => this.syncNow());
  private readonly fileSystem: FileSystemSync;
  private readonly commitLog: CommitLog;
  private readonly leftovers: LeftoverCommits;
  private readonly noteWriter: NoteWriter;
  private readonly gone: MissingSegments;
  private readonly reader: BatchReader;
  private readonly sweeper: RetentionSweeper;
  private readonly deleter: LineDeleter;

  constructor(options: EmbeddedStreamsOptions) {
    this.options = options;
    this.files = new OpenFileCache(options.onSynced);
    this.fileSystem = new FileSystemSync(options.folder, options.onSynced);
    const { durability, place } = options;
    this.commitLog = new CommitLog({
      folder: options.commitFolder,
      fileBytes: options.commitFileBytes ?? COMMIT_FILE_BYTES,
      files: this.files,
      durability,
      place,
      // They are small.
      writeDirectly: (app, allocated) => this.open(app).appender.append(allocated, false),
      writeToSegment: (app) => this.tryWrite(app),
      unwrittenOf: (app) => this.byApp.get(app)?.stream.unwritten,
      isLeft: (app) => this.leftovers.has(app),
    });
    this.leftovers = new LeftoverCommits(this.commitLog.open(this.apps()), options.onFrameId);
    const openStreamOf = (app: AppId): OpenStream | undefined => this.byApp.get(app);
    const { files, commitLog } = this;
    this.noteWriter = new NoteWriter({ notes: options.notes, place, files, openStreamOf });
    this.gone = new MissingSegments(options.onFilesGone);
    this.reader = new BatchReader({
      place,
      streamOf: (app) => this.get(app),
      onGone: (app, segment) => this.onSegmentGone(app, segment),
    });
    this.sweeper = new RetentionSweeper({
      ...options,
      openStreams: this.byApp,
      open: (app) => this.open(app),
      close: (open) => this.closeStream(open),
      isNoteDue: (app) => this.noteWriter.isDue(app),
    });
    this.deleter = new LineDeleter({
      files,
      commitLog,
      journal: options.journal,
      open: (app) => {
        this.sweeper.keepOpen(app);
        return this.open(app);
      },
      openStreamOf,
      writeToSegment: (app) => this.tryWrite(app),
      sync: () => this.sync(),
    });
    for (const name of readdirSync(options.folder))
      if (name.startsWith(DROPPED_PREFIX)) {
        const app = name.slice(DROPPED_PREFIX.length, DROPPED_PREFIX.length + APP_ID_LENGTH) as AppId;
        void this.removeDropped(app, join(options.folder, name));
      }
  }

  /** Bytes in the commit log of processes before this one that are no intact entries. */
  get damagedCommitBytes(): number {
    return this.leftovers.damagedBytes;
  }

  /**
   * Deletes lines from an app's segments, and what is left of them in the commit log, all or none; one call at a time.
   * @returns how many
   * @throws TailraceError `unavailable` when they are written too slowly
   */
  async deleteLines(
    app: AppId,
    range: { readonly first: Sequence; readonly last: Sequence },
    pick: PickLines,
  ): Promise<number> {
    this.options.place.requireNow();
    return this.deleter.run(app, range, pick);
  }

  /** The app's stream, opened. */
  get(app: AppId): AppStream {
    return this.open(app).stream;
  }

  /**
   * Writes allocated batches, all of them or none; resolves when they can be read. When that fails, they and all that were
   * allocated after them are rolled back.
   */
  append(app: AppId, allocated: readonly AllocatedBatch[]): Promise<void> {
    const open = this.open(app);
    if (!this.isForCommitLog(open, allocated.length, allocated[0].stored.bytes.length))
      return open.appender.append(allocated, true);
    const committed = allocated.map(
      (one) =>
        new Promise<void>((resolve, reject) => {
          this.commitLog.append({ target: open, allocated: one, onCommitted: resolve, onRefused: reject });
        }),
    );
    return committed.length === 1 ? committed[0] : Promise.all(committed).then(() => {});
  }

  /** The same with one batch, without a promise. @param isAwaited see {@link Appender.append} */
  appendOne(queued: OpenStreamAppend, isAwaited: boolean): void {
    const { target: open, allocated } = queued;
    if (this.isForCommitLog(open, 1, allocated.stored.bytes.length)) {
      this.commitLog.append(queued);
      // Who waits may be adding lines of the same request to other batches.
      if (!isAwaited) this.commitLog.writeIfMany();
    } else
      open.appender.append([allocated], isAwaited).then(
        () => queued.onCommitted(),
        (error: unknown) => queued.onRefused(error),
      );
  }

  /**
   * Small batches go into the commit log, since others may come in the same turn; and what comes behind such a one. A stream has a
   * segment before: one without a folder was removed.
   * @param bytes of the first of so many batches
   */
  private isForCommitLog(open: OpenStream, count: number, bytes: number): boolean {
    if (open.committing > 0) return true;
    return (
      count === 1 &&
      bytes <= SMALL_BATCH_BYTES[this.options.durability] &&
      open.appender.idle &&
      open.stream.segments.length > 0 &&
      open.mayCommit &&
      !this.isClosed &&
      !this.commitLog.full.isBehind
    );
  }

  /**
   * The file of a segment is gone, while the data folder is in its place: its lines count as lost, and if it was the one that is
   * written to, the next batch begins another.
   */
  onSegmentGone(app: AppId, segment: Segment): void {
    this.gone.add(this.get(app), segment);
  }

  /** As {@link Store.read}. */
  read(app: AppId, after: Sequence, bytes: number, memory?: ReadMemory): Promise<StoredBatch[]> {
    return this.reader.read(app, after, bytes, memory);
  }

  /** As {@link Store.readBefore}. */
  readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]> {
    return this.reader.readBefore(app, before, bytes);
  }

  /** As {@link Store.pieceEnds}. */
  pieceEnds(app: AppId, after: Sequence, bytes: number, count: number): readonly Sequence[] {
    return this.open(app).stream.pieceEnds(after, bytes, count);
  }

  /** The files of an app's stream that aren't written to any more, oldest first. */
  closedFiles(app: AppId): readonly StreamFile[] {
    return this.open(app).stream.closedFiles();
  }

  /** As {@link Store.bounds}, at once. */
  bounds(app: AppId): StreamBounds {
    return this.open(app).stream.bounds;
  }

  /** The last line of a stream that is open, or as it was noted. */
  lastOf(app: AppId): Sequence {
    return this.byApp.get(app)?.stream.bounds.last ?? (this.options.notes.get(app)?.next ?? 1) - 1;
  }

  /** Bytes of the batches that a stream holds. One that nobody uses isn't opened for that: of it, its note says so. */
  heldBytes(app: AppId): number {
    return this.byApp.get(app)?.stream.heldBytes ?? this.notedBytes(app);
  }

  /** Bytes of a stream's files, and of what is of it in the commit log. */
  storedBytes(app: AppId): number {
    return this.byApp.get(app)?.stream.storedBytes ?? this.notedBytes(app);
  }

  private notedBytes(app: AppId): number {
    let bytes = 0;
    for (const { size } of this.options.notes.get(app)?.segments ?? []) bytes += size;
    return bytes;
  }

  /** As {@link Store.sequenceAt}. */
  sequenceAt(app: AppId, ms: number): Promise<Sequence> {
    return this.reader.sequenceAt(app, ms);
  }

  /** Removes an app's stream. */
  async dropStream(app: AppId): Promise<void> {
    this.options.place.requireNow();
    const open = this.open(app);
    const { stream, appender } = open;
    do {
      open.committedTo = undefined;
      // Before the log forgets it, and uses its memory again.
      stream.forgetUnwritten();
      await this.commitLog.drop(app);
      await appender.flush();
    } while (!appender.idle || open.committing > 0);
    stream.forgetUnwritten();
    this.leftovers.forget(app);
    this.closeStream(open);
    this.gone.forget(stream);
    // Atomically: what is half removed must not come back.
    const aside = join(this.options.folder, `${DROPPED_PREFIX}${app}-${randomUUID()}`);
    if (existsSync(stream.folder)) renameSync(stream.folder, aside);
    await this.noteWriter.idle();
    this.noteWriter.forget(app);
    await this.removeDropped(app, aside);
  }

  /** Removes what is too old, also from streams that nobody uses. */
  trimAged(): void {
    this.sweeper.sweep();
  }

  /** What some streams may hold has changed: they are trimmed to that. */
  onLimitsChanged(apps: readonly AppId[]): void {
    this.sweeper.onLimitsChanged(apps);
  }

  /** The data folder is back in its place: what was opened meanwhile may be another one's. */
  reopenFiles(): void {
    this.files.closeAll();
  }

  /** Looks whether files of segments are there, some each time. Call it while the data folder is in its place. */
  checkFiles(): void {
    this.gone.check(this.byApp);
  }

  /** Bytes of all files on the disk. */
  async diskBytes(): Promise<number> {
    const { folder, commitFolder } = this.options;
    const commits = await readdir(commitFolder, { withFileTypes: true }).catch(() => []);
    const entries = [...commits, ...(await readdir(folder, { recursive: true, withFileTypes: true }))];
    let bytes = 0;
    for (const entry of entries)
      if (entry.isFile())
        bytes += await stat(join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0, // trimmed meanwhile
        );
    return bytes;
  }

  /** The apps that have a folder, or a note. */
  apps(): AppId[] {
    const folders = readdirSync(this.options.folder).filter((name) => APP_ID_PATTERN.test(name)) as AppId[];
    return [...new Set([...folders, ...this.options.notes.apps()])];
  }

  /** Compares every stream with what was noted of it, and opens those that aren't as they were: that tells what is lost. */
  async checkAll(): Promise<void> {
    let checked = 0;
    for (const app of this.isClosed ? [] : this.apps()) {
      if (this.isClosed) return;
      try {
        if (!this.byApp.has(app) && !this.dropped.has(app)) this.check(app);
      } catch (error) {
        this.options.onUnusable(app, error);
      }
      if (++checked % CHECKED_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    this.leftovers.keepOnly(new Set(this.apps()));
    void this.commitLog.full.writeDue();
  }

  /** Syncs everything that was written to the disk, and notes how far the streams are. */
  sync(): Promise<void> {
    return this.syncing.request();
  }

  private async syncNow(): Promise<void> {
    if (this.options.place.check() !== undefined) return;
    const written = this.commitLog.full.writtenFiles();
    await this.commitLog.sync();
    this.commitLog.closeOldFile();
    await this.syncSegments();
    await this.noteWriter.noteProgress(this.byApp);
    // What isn't noted may be found by the log alone.
    if (!this.noteWriter.hasFailed) await this.commitLog.full.remove(written);
  }

  private async syncSegments(): Promise<void> {
    const unsynced = [...this.byApp.values()]
      .map(({ appender }) => appender)
      .filter(({ hasUnsynced }) => hasUnsynced);
    if (unsynced.length >= SYNCED_TOGETHER_MIN) {
      for (const appender of unsynced) appender.beginSync();
      const isSynced = await this.fileSystem.sync();
      for (const appender of unsynced) appender.endSync(isSynced);
      if (isSynced) return;
    }
    for (const appender of unsynced) await appender.sync();
  }

  /** Everything that was acknowledged is in segments and synced; then files are closed. Nothing is accepted meanwhile. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.noteWriter.end();
    await this.commitLog.flush();
    for (const { appender } of this.byApp.values()) while (!appender.idle) await appender.flush();
    await this.commitLog.close();
    if (this.options.place.check() === undefined)
      for (const { stream } of this.byApp.values()) endReuse(stream);
    await this.sync();
    await this.noteWriter.idle();
    this.fileSystem.close();
    this.files.closeAll();
    this.commitLog.full.closeFiles();
  }

  /** Writes what is in the commit log only to an app's segment; false when that failed. */
  private tryWrite(app: AppId): boolean {
    const open = this.byApp.get(app);
    try {
      if (open && !open.appender.writeUnwritten()) return true; // with the batches that are being written now
    } catch (error) {
      if (open && error instanceof SegmentGoneError && this.options.place.check() === undefined) {
        this.onSegmentGone(app, error.segment);
        return false;
      }
      return false;
    }
    this.commitLog.isWritten(app, open);
    return true;
  }

  private check(app: AppId): void {
    const { notes } = this.options;
    const folder = join(this.options.folder, app);
    if (!this.leftovers.has(app) && isUntouched(folder, notes.get(app), checksumSeed(app)))
      this.sweeper.noteOldest(app, oldestStoredAtMs(folder));
    else this.open(app);
  }

  /** The app's stream and what writes to it, opened. */
  open(app: AppId): OpenStream {
    let open = this.byApp.get(app);
    if (!open) {
      const { folder, limits, mayTrim, durability, clock, place, onFrameId, onLost, notes } = this.options;
      // A stream whose files can't be seen isn't an empty one.
      place.requireNow();
      const note = this.dropped.has(app) ? undefined : notes.get(app);
      // Removed, and the process ended before the commit log said so.
      const isThere = !this.dropped.has(app) && (note !== undefined || existsSync(join(folder, app)));
      const left = isThere ? this.leftovers.get(app) : undefined;
      const stream = new AppStream({
        app,
        folder: join(folder, app),
        retention: limits.retentionOf(app),
        mayTrim,
        files: this.files,
        clock,
        place,
        // Otherwise each write waits for the disk, and what a page in memory costs doesn't matter.
        reusesFiles: durability === 'process',
        note,
        left: left ?? [],
        onFrameId: (entry) => onFrameId(app, entry),
        onLost: (lost) => onLost(app, lost),
        onChanged: () => this.noteWriter.noteSoon(app),
      });
      open = {
        app,
        idBytes: appIdBytes(app),
        mayCommit: APP_ID_PATTERN.test(app),
        isClosed: false,
        committing: 0,
        committedTo: undefined,
        stream,
        appender: new Appender(stream, { files: this.files, durability, place }),
        notedUpTo: (note?.next ?? 1) - 1,
      };
      if (this.leftovers.giveTo(open, left)) void this.commitLog.full.writeDue();
      this.byApp.set(app, open);
    }
    return open;
  }

  private closeStream(open: OpenStream): void {
    this.byApp.delete(open.app);
    open.isClosed = true;
    if (this.options.place.trouble === undefined) endReuse(open.stream);
    for (const { path } of open.stream.segments) this.files.close(path);
  }

  /** The note goes first: a stream that is noted and has no files would count as lost. */
  private async removeDropped(app: AppId, folder: string): Promise<void> {
    this.dropped.add(app);
    await this.options.notes.remove(app).catch(() => {}); // tried again at the next start
    this.dropped.delete(app);
    if (this.byApp.has(app)) this.noteWriter.noteLater(app);
    await rm(folder, { recursive: true, force: true }).catch(() => {}); // so is this
  }
}

/** What fails is done by the next start. */
function endReuse(stream: AppStream): void {
  try {
    stream.endReuse();
  } catch {
    // Its file can't be reached.
  }
}
