import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { readdir, rm, stat, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CoalescedRun } from '../../../../common/coalesced-run.ts';
import { systemCode, TailraceError } from '../../../../common/errors.ts';
import { FileSystemSync } from '../../../../common/files/file-system-sync.ts';
import { syncFolder } from '../../../../common/files/sync-folder.ts';
import type { AppLimitTable } from '../../app-limits.ts';
import type { AppId, ReadMemory, Sequence, StoredBatch, StreamBounds, StreamFile } from '../../contract.ts';
import { appIdBytes, type DamagedCommit } from '../commit-log/commit-entry.ts';
import { CommitLog } from '../commit-log/commit-log.ts';
import type { FolderIdentity } from '../folder-identity.ts';
import {
  type AllocatedBatch,
  checksumSeed,
  isHoled,
  type SegmentEntry,
  splitHoled,
} from '../segments/entry-format.ts';
import {
  type ErasureJournal,
  eraseFromSegment,
  type PickLines,
  removeNewFiles,
  replaceFiles,
} from '../segments/line-eraser.ts';
import { OpenFileCache } from '../segments/open-file-cache.ts';
import type { Segment } from '../segments/segment.ts';
import type { StoreClock } from '../store-clock.ts';
import { AppStream, type LostLines } from './app-stream.ts';
import { Appender, SegmentGoneError } from './appender.ts';
import type { OpenStream, OpenStreamAppend } from './open-stream.ts';
import { isUntouched, oldestStoredAtMs } from './recovery.ts';
import type { StreamNote, StreamNotes } from './stream-note.ts';

/** Begins the name of a folder whose stream is being removed. */
const DROPPED_PREFIX = '.dropped-';
/** Streams that are checked at the start between two turns of the event loop. */
const CHECKED_AT_ONCE = 16;
/** Segments whose files are looked for with one call. */
const LOOKED_FOR_AT_ONCE = 500;
/** An app's id is its folder's name. */
const APP_ID_LENGTH = 36;
/** Batches that are larger go to their segments at once: to write them twice would cost more than a write. */
const SMALL_BATCH_BYTES = 16_384;
/** Who deletes lines waits so long at the most until they are in segments, and looks this often. */
const SETTLE_MS = 60_000;
const SETTLE_PAUSE_MS = 5;
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
  readonly onFrameId: (app: AppId, entry: Pick<SegmentEntry, 'frameId' | 'first' | 'last'>) => void;
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
  /** Streams that have to be noted soon. */
  private readonly changed = new Set<AppId>();
  private readonly noting = new CoalescedRun(() => this.writeNotes());
  private hasNotingFailed = false;
  /** Segments whose files are gone. */
  private readonly goneSegments = new Map<Segment, AppStream>();
  /** Segments whose files are looked for next. */
  private unchecked: [AppId, Segment][] = [];
  /** When the oldest batch was stored of a stream that isn't open, milliseconds since 1970. */
  private readonly oldestAtMs = new Map<AppId, number>();
  /** Segments whose files have to be removed once their streams are noted. */
  private readonly trimmed: Segment[] = [];
  /** Streams that were opened only to be trimmed. */
  private readonly openedToTrim = new Set<AppId>();
  private isClosed = false;
  private readonly syncing = new CoalescedRun(() => this.syncNow());
  private readonly fileSystem: FileSystemSync;
  private readonly commitLog: CommitLog;
  /** What processes before this one left in the commit log, until the streams are opened. */
  private readonly leftCommits: Map<AppId, readonly AllocatedBatch[]>;
  private readonly leftDamage: readonly DamagedCommit[];
  /** Bytes in the commit log of processes before this one that are no intact entries. */
  readonly damagedCommitBytes: number;

  constructor(options: EmbeddedStreamsOptions) {
    this.options = options;
    this.files = new OpenFileCache(options.onSynced);
    this.fileSystem = new FileSystemSync(options.folder, options.onSynced);
    const { durability, place } = options;
    this.commitLog = new CommitLog({
      folder: options.commitFolder,
      fileBytes: options.commitFileBytes,
      files: this.files,
      durability,
      place,
      // They are small.
      writeDirectly: (app, allocated) => this.open(app).appender.append(allocated, false),
      writeToSegment: (app) => this.tryWrite(app),
      unwrittenOf: (app) => this.byApp.get(app)?.stream.unwritten,
      isLeft: (app) => this.leftCommits.has(app),
    });
    const { batches, contents } = this.commitLog.open(this.apps());
    this.leftCommits = new Map(batches);
    this.leftDamage = contents.flatMap(({ damaged }) => damaged);
    for (const { app } of this.leftDamage) if (!this.leftCommits.has(app)) this.leftCommits.set(app, []);
    this.damagedCommitBytes = contents.reduce((sum, { damagedBytes }) => sum + damagedBytes, 0);
    for (const name of readdirSync(options.folder))
      if (name.startsWith(DROPPED_PREFIX)) {
        const app = name.slice(DROPPED_PREFIX.length, DROPPED_PREFIX.length + APP_ID_LENGTH) as AppId;
        void this.removeDropped(app, join(options.folder, name));
      }
  }

  /**
   * Deletes lines from an app's segments, and what is left of them in the commit log, all or none.
   * @returns how many
   */
  async deleteLines(
    app: AppId,
    range: { readonly first: Sequence; readonly last: Sequence },
    pick: PickLines,
  ): Promise<number> {
    this.options.place.requireNow();
    const { journal } = this.options;
    const last = Math.min(range.last, this.open(app).stream.bounds.last);
    const { stream } = await this.settle(app, last);
    const concerned = stream.segments.filter(
      ({ first }, i) => first <= last && (stream.segments[i + 1]?.first ?? Infinity) > range.first,
    );
    await journal.put(app, {});
    const replaced: Segment[] = [];
    let lines = 0;
    try {
      for (const segment of concerned) {
        const erased = await eraseFromSegment(segment, stream.seed, { ...range, last }, pick);
        if (erased > 0) replaced.push(segment);
        lines += erased;
      }
      if (replaced.length > 0) {
        await syncFolder(stream.folder);
        await journal.put(app, { files: replaced.map(({ path }) => basename(path)) });
        // The app may have been removed meanwhile.
        if (this.byApp.get(app)?.stream !== stream) lines = 0;
        else {
          replaceFiles(replaced.map(({ path }) => path));
          for (const segment of replaced) {
            this.files.close(segment.path);
            stream.replaceSegment(segment);
          }
          await syncFolder(stream.folder);
        }
      }
    } finally {
      removeNewFiles(stream.folder);
      await journal.put(app, undefined);
    }
    await this.sync();
    return lines;
  }

  /**
   * Waits until the lines of an app up to one are in segments to which nothing is added, and in no file of the commit log.
   * @throws TailraceError `unavailable` when that takes too long
   */
  private async settle(app: AppId, last: Sequence): Promise<OpenStream> {
    // It isn't closed behind our back.
    this.openedToTrim.delete(app);
    const open = this.open(app);
    const { stream, appender } = open;
    const endMs = performance.now() + SETTLE_MS;
    const wait = async (): Promise<void> => {
      if (performance.now() > endMs)
        throw new TailraceError(
          'unavailable',
          'Lines are written too slowly to delete some of them: try again.',
        );
      await new Promise((resolve) => setTimeout(resolve, SETTLE_PAUSE_MS));
    };
    while (stream.lastWritten < last) {
      this.tryWrite(app);
      if (stream.lastWritten < last) await wait();
    }
    const newest = stream.segments.at(-1);
    if (newest && newest.first <= last) {
      stream.sealNewest();
      while (appender.isWritingTo(newest)) await wait();
    }
    this.commitLog.closeFile();
    while (this.commitLog.isClosingFile) {
      await wait();
      // What was on its way may have ended before that was asked.
      if (this.commitLog.isClosingFile) this.commitLog.closeFile();
    }
    const files = this.commitLog.full.paths;
    await this.commitLog.full.writeAll(async () => {
      await this.sync();
      const left = this.commitLog.full.paths;
      if (!files.some((name) => left.includes(name))) return true;
      await wait();
      return false;
    });
    return open;
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
      bytes <= SMALL_BATCH_BYTES &&
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
    const { stream } = this.open(app);
    if (this.goneSegments.has(segment) || !stream.segments.includes(segment)) return;
    this.goneSegments.set(segment, stream);
    if (segment === stream.segments.at(-1) && !segment.sealed) stream.abandon(segment);
    else stream.segmentIsGone(segment);
    this.reportGone();
  }

  /** As {@link Store.read}. What is in the commit log alone comes from there, behind what is in segments. */
  async read(app: AppId, after: Sequence, bytes: number, memory?: ReadMemory): Promise<StoredBatch[]> {
    const { stream } = this.open(app);
    const from = Math.max(after + 1, stream.first);
    const found: StoredBatch[] = [];
    let size = 0;
    // As they are now: meanwhile they may be written to a segment.
    const unwritten = stream.unwritten.read(from);
    const segments = stream.segments.filter(
      (_, i) => i === stream.segments.length - 1 || stream.segments[i + 1].first > from,
    );
    for (const segment of segments) {
      const batches = segment.batchesFrom(from, bytes - size, memory);
      for (const batch of await this.emptyIfGone(app, segment, batches)) {
        found.push(batch);
        size += batch.bytes.length;
      }
      if (size >= bytes) return found;
    }
    const next = (found.at(-1)?.last ?? 0) + 1;
    for (const stored of unwritten) {
      if (stored.first < next || size >= bytes) continue;
      if (isHoled(stored.bytes)) found.push(...splitHoled(stored.bytes, stored));
      else found.push(stored);
      size += stored.bytes.length;
    }
    return found;
  }

  /** As {@link Store.readBefore}. */
  async readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]> {
    const { stream } = this.open(app);
    const found: StoredBatch[] = [];
    let size = 0;
    for (const stored of stream.unwritten.read(0, before).reverse()) {
      if (size >= bytes) break;
      if (isHoled(stored.bytes)) found.push(...splitHoled(stored.bytes, stored).reverse());
      else found.push(stored);
      size += stored.bytes.length;
    }
    if (size >= bytes) return found;
    const end = found.at(-1)?.first ?? before;
    for (const segment of stream.segments.filter(({ first }) => first < end).reverse()) {
      for (const batch of await this.emptyIfGone(app, segment, segment.batchesBefore(end, bytes - size))) {
        if (batch.last < stream.first) return found;
        found.push(batch);
        size += batch.bytes.length;
      }
      if (size >= bytes) break;
    }
    return found;
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
  async sequenceAt(app: AppId, ms: number): Promise<Sequence> {
    const { stream } = this.open(app);
    let found = stream.unwritten.lastBefore(ms);
    for (const segment of [...stream.segments].reverse()) {
      if (found !== undefined) break;
      found = await segment.sequenceAt(ms);
    }
    return Math.max(found ?? 0, stream.first - 1);
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
    this.leftCommits.delete(app);
    for (const segment of stream.segments) {
      this.files.close(segment.path);
      this.goneSegments.delete(segment);
    }
    this.forgetOpen(app, open);
    this.reportGone();
    // Atomically: what is half removed must not come back.
    const aside = join(this.options.folder, `${DROPPED_PREFIX}${app}-${randomUUID()}`);
    if (existsSync(stream.folder)) renameSync(stream.folder, aside);
    while (this.noting.isRunning) await this.noting.idle();
    this.changed.delete(app);
    await this.removeDropped(app, aside);
  }

  /** Removes what is too old. A stream that nobody uses is opened when something in it is, and not for longer. */
  trimAged(): void {
    if (this.options.place.check() !== undefined) return;
    const { clock, limits } = this.options;
    for (const app of this.openedToTrim) this.closeUnused(app);
    for (const [app, storedAtMs] of this.oldestAtMs) {
      if (!this.byApp.has(app) && clock.ageOf(storedAtMs) <= limits.retentionOf(app).ageMs) continue;
      this.oldestAtMs.delete(app);
      if (!this.byApp.has(app)) this.openToTrim(app);
    }
    for (const { stream } of this.byApp.values()) stream.trim();
  }

  /** What some streams may hold has changed: they are trimmed to that. */
  onLimitsChanged(apps: readonly AppId[]): void {
    const isInPlace = this.options.place.check() === undefined;
    for (const app of apps) {
      const open = this.byApp.get(app);
      if (open) open.stream.retention = this.options.limits.retentionOf(app);
      if (!isInPlace) continue;
      if (open) open.stream.trim();
      else if (existsSync(join(this.options.folder, app))) this.openToTrim(app);
    }
  }

  /** The data folder is back in its place: what was opened meanwhile may be another one's. */
  reopenFiles(): void {
    this.files.closeAll();
  }

  /**
   * Looks whether files of segments are there: some each time, so that what nobody reads or writes is missed too. Call it while the
   * data folder is in its place.
   */
  checkFiles(): void {
    const before = this.goneSegments.size;
    for (const [segment, stream] of this.goneSegments)
      if (existsSync(segment.path) || !stream.segments.includes(segment)) this.goneSegments.delete(segment);
    if (this.goneSegments.size < before) this.reportGone();
    if (this.unchecked.length === 0)
      for (const [app, { stream }] of this.byApp)
        for (const segment of stream.segments) this.unchecked.push([app, segment]);
    for (const [app, segment] of this.unchecked.splice(-LOOKED_FOR_AT_ONCE))
      if (this.byApp.has(app) && !existsSync(segment.path)) this.onSegmentGone(app, segment);
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
    const there = new Set(this.apps());
    for (const app of [...this.leftCommits.keys()]) if (!there.has(app)) this.leftCommits.delete(app);
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
    for (const [app, { stream, notedUpTo }] of this.byApp)
      if (stream.lastWritten !== notedUpTo) this.changed.add(app);
    if (this.changed.size > 0) await this.noting.request();
    // What isn't noted may be found by the log alone.
    if (!this.hasNotingFailed) this.commitLog.full.remove(written);
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
    await this.commitLog.flush();
    for (const { appender } of this.byApp.values()) while (!appender.idle) await appender.flush();
    await this.commitLog.close();
    await this.sync();
    while (this.noting.isRunning) await this.noting.idle();
    this.fileSystem.close();
    this.files.closeAll();
    this.commitLog.full.closeSpilled();
  }

  /** Takes what processes before this one left in the commit log and that isn't in its segments. */
  private adoptLeft(
    { app, stream, appender }: OpenStream,
    left: readonly AllocatedBatch[] | undefined,
  ): void {
    if (!this.leftCommits.has(app)) return;
    // What is in segments already has to stay there when the log is removed.
    if (left && left.length > 0) appender.assumeUnsynced(left[0].stored.first);
    for (const batch of left ?? []) {
      if (stream.isBeforeGap(batch)) appender.writeUnwritten();
      const { stored, frameId } = batch;
      if (stream.adopt(batch) && frameId !== undefined) this.options.onFrameId(app, { ...stored, frameId });
    }
    const damaged = this.leftDamage.filter((one) => one.app === app).sort((a, b) => a.first - b.first);
    if (left && damaged.some(({ first }) => first > stream.bounds.last)) {
      appender.writeUnwritten();
      for (const one of damaged) stream.adoptDamage(one);
    }
    this.leftCommits.delete(app);
    void this.commitLog.full.writeDue();
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
    if (!this.leftCommits.has(app) && isUntouched(folder, notes.get(app), checksumSeed(app)))
      this.noteOldest(app, oldestStoredAtMs(folder));
    else this.open(app);
  }

  private noteOldest(app: AppId, storedAtMs: number | undefined): void {
    if (storedAtMs !== undefined) this.oldestAtMs.set(app, storedAtMs);
  }

  private openToTrim(app: AppId): void {
    try {
      this.open(app);
      this.openedToTrim.add(app);
    } catch (error) {
      this.options.onUnusable(app, error);
    }
  }

  /** A stream was trimmed, and that is noted: unless somebody uses it, its memory is given back. */
  private closeUnused(app: AppId): void {
    const open = this.byApp.get(app);
    if (open && (this.changed.has(app) || this.noting.isRunning)) return;
    this.openedToTrim.delete(app);
    if (!open?.appender.idle || !open.stream.isSettled || open.stream.lastWritten !== open.notedUpTo) return;
    if (open.stream.unwritten.count > 0 || open.committing > 0 || open.appender.hasUnsynced) return;
    this.forgetOpen(app, open);
    this.noteOldest(app, open.stream.oldestStoredAtMs);
    for (const { path } of open.stream.segments) this.files.close(path);
  }

  private async writeNotes(): Promise<void> {
    const notes = new Map<AppId, StreamNote>();
    // In another folder of the same name there may be files of the same names.
    const isInPlace = this.options.place.check() === undefined;
    const trimmed = isInPlace ? this.trimmed.splice(0) : [];
    for (const app of this.changed) {
      const open = this.byApp.get(app);
      if (!open) continue;
      notes.set(app, open.stream.note());
      open.notedUpTo = open.stream.lastWritten;
      if (isInPlace) trimmed.push(...open.stream.takeTrimmed());
    }
    this.changed.clear();
    try {
      await this.options.notes.put(notes);
      this.hasNotingFailed = false;
    } catch {
      this.hasNotingFailed = true;
      // With the next change: until then the files stay, since without them a note would say that lines are lost.
      this.trimmed.push(...trimmed);
      for (const app of notes.keys()) this.changed.add(app);
      return;
    }
    for (const { path } of trimmed) {
      this.files.close(path);
      await unlink(path).catch(() => {}); // tried again at the next start
    }
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
      const left = isThere ? this.leftCommits.get(app) : undefined;
      const stream = new AppStream({
        app,
        folder: join(folder, app),
        retention: limits.retentionOf(app),
        mayTrim,
        files: this.files,
        clock,
        place,
        note,
        left: left ?? [],
        onFrameId: (entry) => onFrameId(app, entry),
        onLost: (lost) => onLost(app, lost),
        onChanged: () => {
          this.changed.add(app);
          // At the end of this turn: the stream may be about to open, or to take a batch.
          setImmediate(() => {
            if (!this.isClosed) void this.noting.request();
          });
        },
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
      this.adoptLeft(open, left);
      this.byApp.set(app, open);
    }
    return open;
  }

  private forgetOpen(app: AppId, open: OpenStream): void {
    this.byApp.delete(app);
    open.isClosed = true;
  }

  /** The note goes first: a stream that is noted and has no files would count as lost. */
  private async removeDropped(app: AppId, folder: string): Promise<void> {
    this.dropped.add(app);
    await this.options.notes.remove(app).catch(() => {}); // tried again at the next start
    this.dropped.delete(app);
    if (this.byApp.has(app)) this.changed.add(app);
    await rm(folder, { recursive: true, force: true }).catch(() => {}); // so is this
  }
  /** A segment that was trimmed while it was read gives nothing; one that is gone for another reason is a loss. */
  private async emptyIfGone(
    app: AppId,
    segment: Segment,
    batches: Promise<StoredBatch[]>,
  ): Promise<StoredBatch[]> {
    try {
      return await batches;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      this.options.place.requireNow();
      this.onSegmentGone(app, segment);
      return [];
    }
  }

  private reportGone(): void {
    this.options.onFilesGone([...this.goneSegments.keys()].map(({ path }) => path));
  }
}
