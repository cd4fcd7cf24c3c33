/**
 * The commit log: small batches of many apps, one behind the other in one file, so that one write (and one sync) stores all that come in
 * one turn of the event loop. What is in it stays in memory until a file is full; then it is read where it is or, when batches are very small,
 * copied to a file without a name, by stream. To its segment it is written when there is as much of its app that this is worth a file's opening
 * and syncing, or when the log is as large as it may be. When all of a file is in segments, and these are synced, the file is removed.
 */
import { ftruncateSync, mkdirSync, readdirSync, readFileSync, write, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { CoalescedRun } from '../../../../common/coalesced-run.ts';
import { systemCode } from '../../../../common/errors.ts';
import { syncFolder } from '../../../../common/files/sync-folder.ts';
import { requireWritten } from '../../../../common/files/write-fully.ts';
import type { AppId } from '../../contract.ts';
import { type AllocatedBatch, encodeFrameIdEntry, frameIdEntryBytes } from '../segments/entry-format.ts';
import { PlaceCheck } from '../segments/place-check.ts';
import { SlowWrites } from '../segments/slow-writes.ts';
import {
  COMMIT_HEADER,
  commitFileName,
  type DamagedCommit,
  encodeDropped,
  parseCommitFileName,
  readCommitFile,
  writeCommitHeader,
} from './commit-entry.ts';
import { CommitFile } from './commit-file.ts';
import type { CommitMemory, EntryFile } from './commit-memory.ts';
import { FullCommitFiles, type FullCommitFilesOptions } from './full-commit-files.ts';
import type { LeftBatch } from './left-batch.ts';

const writeFile = promisify(write);

/** In the data folder. */
export const COMMITS_FOLDER = 'commits';
/** Usually, a file that is larger takes no more. */
export const COMMIT_FILE_BYTES = 16_777_216;
/** A file that is older takes no more. */
const FILE_AGE_MAX_MS = 30_000;
/** Fewer batches in a turn go to their segments at once: to write them twice would cost more. */
const TOGETHER_MIN = 3;
/**
 * So many are written before the turn is over, when the event loop waits for the write anyway: what thousands of batches need would be out
 * of the processor's cache, and copied by the garbage collector, before the first of them is told.
 */
const TOGETHER_MAX = 256;

/** The commit log's file was removed, moved or replaced. */
class CommitLogGoneError extends Error {
  constructor(path: string) {
    super(`${path} is gone`);
    this.name = 'CommitLogGoneError';
  }
}

/** `soon`: while others are waiting for their turn, it may wait as well. */
export type WriteTime = 'now' | 'soon';

/** What the commit log needs of a stream. */
export interface CommittableStream {
  /** Of the checksums of its entries. */
  readonly seed: number;
  /**
   * A batch is in the commit log, and at `at` of a piece of its memory (`pieceOf`).
   * @returns when it, and what is before it, should be written to a segment, if not with the log's file
   */
  commitUnwritten(batch: AllocatedBatch, piece: number, at: number): WriteTime | undefined;
  /** What is allocated and isn't acknowledged yet won't be. */
  rollback(): void;
}

/** A stream whose batches go into the commit log. */
export interface CommitTarget {
  readonly app: AppId;
  readonly idBytes: Buffer;
  readonly stream: CommittableStream;
  /** Batches that are on their way into the commit log: what comes behind them has to go there as well. */
  committing: number;
  /** The file that has something of it which isn't in a segment, if that is the newest one. */
  committedTo: object | undefined;
}

/** What is on its way into the commit log, and is told what became of it. */
interface QueuedEntry {
  onCommitted(): void;
  onRefused(error: unknown): void;
}

/** A batch that is appended: as one object, since there are hundreds of thousands a second. */
export interface QueuedBatch extends QueuedEntry {
  readonly target: CommitTarget;
  readonly allocated: AllocatedBatch;
}

interface QueuedDrop extends QueuedEntry {
  readonly target: undefined;
  /** The whole entry. */
  readonly dropped: Buffer;
}

type QueuedCommit = QueuedBatch | QueuedDrop;

export interface CommitLogOptions extends FullCommitFilesOptions {
  readonly durability: 'process' | 'disk';
  /** Appends to the segment, after all: the batch is (nearly) alone in its turn. */
  readonly writeDirectly: (app: AppId, allocated: readonly AllocatedBatch[]) => Promise<void>;
}

/** What the files of processes before this one hold, by app. */
export interface LeftCommits {
  readonly batches: ReadonlyMap<AppId, readonly LeftBatch[]>;
  readonly damaged: readonly DamagedCommit[];
  /** Bytes that are no intact entries. */
  readonly damagedBytes: number;
}

/**
 * One for the data folder, whose lock is held. {@link CommitLog.open} comes first, once; what is told to be committed survives as `durability`
 * says.
 */
export class CommitLog {
  private readonly options: CommitLogOptions;
  private file: CommitFile | undefined;
  /** Files that take no more. */
  readonly full: FullCommitFiles;
  private nextNumber = 1;
  private queue: QueuedCommit[] = [];
  private readonly writer = new CoalescedRun(() => this.writeQueued());
  /** A write that has begun and not succeeded: there may be bytes behind the end of the file. */
  private mayHaveLeftovers = false;
  /** The file takes no more once what is on its way is in it. */
  private mustClose = false;
  private unsynced = false;
  /** What those who are told append is written when all are told. */
  private isTelling = false;
  private readonly slowWrites = new SlowWrites();
  private readonly placeCheck: PlaceCheck;
  /** The file whose directory entry is synced. */
  private dirSyncedFile: CommitFile | undefined;

  constructor(options: CommitLogOptions) {
    this.options = options;
    this.placeCheck = new PlaceCheck(options.place);
    this.full = new FullCommitFiles(options);
  }

  /** Reads what processes before this one left, of these apps; their files are removed when all of it is in segments. */
  open(apps: readonly AppId[]): LeftCommits {
    const { folder } = this.options;
    const batches = new Map<AppId, LeftBatch[]>();
    const damaged: DamagedCommit[] = [];
    let damagedBytes = 0;
    for (const number of commitFileNumbers(folder)) {
      const path = join(folder, commitFileName(number));
      // One at a time: together they may be more than there is memory.
      const bytes = readFileSync(path);
      const content = readCommitFile(bytes, apps);
      for (const one of content.damaged) damaged.push(one);
      damagedBytes += content.damagedBytes;
      const held = new Set([...content.batches.keys(), ...content.damaged.map(({ app }) => app)]);
      const file = new CommitFile(path, held);
      const log = file.openLeft(bytes.length);
      file.saysDropped = content.dropped.size > 0;
      for (const app of content.dropped) batches.delete(app);
      for (const [app, own] of content.batches) {
        const known = batches.get(app) ?? [];
        for (const one of own) known.push(toLeftBatch(one, bytes, log));
        batches.set(app, known);
      }
      this.full.add(file);
      this.nextNumber = number + 1;
    }
    return { batches, damaged, damagedBytes };
  }

  /** Nothing waits to be written to it. */
  get idle(): boolean {
    return this.queue.length === 0 && !this.writer.isRunning;
  }

  /** Resolves when what is queued now is written, or has failed. */
  async flush(): Promise<void> {
    while (!this.idle) await this.writer.request().catch(() => {});
  }

  /** Commits a batch; several that come in one turn of the event loop are written together, all of them or none. */
  append(batch: QueuedBatch): void {
    batch.target.committing++;
    this.enqueue(batch);
  }

  private enqueue(queued: QueuedCommit): void {
    // With those before it, it is asked for.
    if (this.queue.push(queued) > 1) return;
    if (this.writer.isRunning) this.requestWrite();
    else queueMicrotask(this.onTurn);
  }

  /** Writes what is queued if that is much, and doesn't take another thread: nothing may be allocated that isn't appended yet. */
  writeIfMany(): void {
    if (this.queue.length < TOGETHER_MAX || this.writer.isRunning || this.isTelling) return;
    if (this.mayBlock) this.writeBlocking();
  }

  /**
   * An app's stream is removed: what is in the files of it is of nobody. Resolves when what was on its way is committed, or has failed,
   * and that is said in the log.
   */
  async drop(app: AppId): Promise<void> {
    this.forget(app);
    if (!this.file && this.full.count === 0 && this.idle) return;
    await new Promise<void>((resolve) => {
      // When it can't be said: nothing leads to a stream without a folder and a note, either.
      this.enqueue({
        target: undefined,
        dropped: encodeDropped(app),
        onCommitted: resolve,
        onRefused: () => resolve(),
      });
    });
  }

  /** All of an app is in its segment. @param target its stream, if that is open */
  isWritten(app: AppId, target: CommitTarget | undefined): void {
    if (target) target.committedTo = undefined;
    this.forget(app);
  }

  /** Nothing of an app that is in the files now is needed any more. */
  private forget(app: AppId): void {
    this.file?.apps.delete(app);
    this.full.forget(app);
  }

  /** Writes all to segments, once, and tries nothing again. */
  async close(): Promise<void> {
    this.full.beginClose();
    this.closeFile();
    await this.full.writeDue();
  }

  /** The file takes no more, if there is something in it (and it is old enough). */
  closeFile(olderThanMs = 0): void {
    const { file } = this;
    if (!file || performance.now() - file.createdMs < olderThanMs) return;
    this.mustClose = this.writer.isRunning;
    if (this.mustClose) return;
    this.closeNow(file);
  }

  /** {@link closeFile} waits for what is on its way. */
  get isClosingFile(): boolean {
    return this.mustClose;
  }

  private leaveFile(file: CommitFile): void {
    this.file = undefined;
    this.mayHaveLeftovers = false;
    this.mustClose = false;
    this.full.add(file);
    void this.full.writeDue();
  }

  /** To be called now and then: a file that is old takes no more, so that a log with few lines gets into segments as well. */
  closeOldFile(): void {
    if (this.idle) this.closeFile(FILE_AGE_MAX_MS);
    if (this.full.mustWrite) void this.full.writeDue();
  }

  /** Syncs what was written since the last time (fdatasync). @throws the system's error; the next call tries again */
  async sync(): Promise<void> {
    const { file } = this;
    if (!file || !this.unsynced) return;
    this.unsynced = false;
    try {
      await this.options.files.withFile(file.path, (fd) => this.options.files.sync(fd));
    } catch (error) {
      this.unsynced = true;
      throw error;
    }
  }

  /** The event loop waits for a write. */
  private get mayBlock(): boolean {
    return this.options.durability === 'process' && this.slowWrites.mayBlock;
  }

  private readonly onTurn = (): void => {
    // All of it may be written already.
    if (this.writer.isRunning || this.queue.length === 0) return;
    if (this.queue.length < TOGETHER_MIN && this.queue.every(isBatch)) {
      this.writeDirectly(this.queue.splice(0) as QueuedBatch[]);
      return;
    }
    if (this.mayBlock) this.writeBlocking();
    else this.requestWrite();
  };

  /** Its batches say what became of it. */
  private requestWrite(): void {
    this.writer.request().catch(() => {});
  }

  /** Fewer batches than are worth it, of one stream or several. */
  private writeDirectly(queue: readonly QueuedBatch[]): void {
    for (const { target } of queue) target.committing--;
    // What is of one stream is written together: behind a batch that failed there can't be another one.
    const streams = new Set(queue.map(({ target }) => target));
    for (const one of streams) {
      const own = queue.filter(({ target }) => target === one);
      this.options
        .writeDirectly(
          one.app,
          own.map(({ allocated }) => allocated),
        )
        .then(
          () => tellEach(own, (one) => one.onCommitted()),
          (error: unknown) => tellEach(own, (one) => one.onRefused(error)),
        );
    }
  }

  private writeBlocking(): void {
    const group = this.queue;
    this.queue = [];
    const startMs = this.slowWrites.begin();
    let file: CommitFile;
    try {
      file = this.requireFile();
      const bytes = gatherBytes(file.memory, group);
      this.writeAt(file, bytes);
      this.requireInPlace(file, startMs);
      file.size += bytes.length;
      this.mayHaveLeftovers = false;
    } catch (error) {
      this.fail(group, error);
      return;
    }
    this.slowWrites.end();
    this.commit(file, group);
  }

  private async writeQueued(): Promise<void> {
    const { files, durability } = this.options;
    while (this.queue.length > 0) {
      const group = this.queue;
      this.queue = [];
      let file: CommitFile;
      try {
        file = this.requireFile();
        const bytes = gatherBytes(file.memory, group);
        const { size } = file;
        this.mayHaveLeftovers = true;
        await files.withFile(file.path, async (fd) => {
          const { bytesWritten } = await writeFile(fd, bytes, 0, bytes.length, size);
          requireWritten(bytesWritten, bytes.length);
          if (durability === 'disk') await this.syncToDisk(file, fd);
        });
        this.requireInPlace(file, performance.now());
        file.size += bytes.length;
        this.mayHaveLeftovers = false;
      } catch (error) {
        this.fail(group, error);
        continue;
      }
      this.commit(file, group);
    }
  }

  /** Syncs a file, and its directory entry, without which nobody would find it after a power cut. */
  private async syncToDisk(file: CommitFile, fd: number): Promise<void> {
    await this.options.files.sync(fd);
    if (file === this.dirSyncedFile) return;
    const folder = dirname(file.path);
    await syncFolder(folder);
    if (!this.dirSyncedFile) await syncFolder(dirname(folder));
    this.dirSyncedFile = file;
  }

  private writeAt(file: CommitFile, bytes: Buffer): void {
    this.mayHaveLeftovers = true;
    const fd = this.options.files.descriptor(file.path);
    const written = writeSync(fd, bytes, 0, bytes.length, file.size);
    requireWritten(written, bytes.length);
  }

  private commit(file: CommitFile, group: readonly QueuedCommit[]): void {
    this.unsynced = true;
    const due: AppId[] = [];
    const { memory } = file;
    const { pieceNumber } = memory;
    let { at } = memory;
    // Before anybody is told: then more may come, and a file may be left.
    for (const queued of group) {
      at += COMMIT_HEADER;
      if (!isBatch(queued)) {
        file.saysDropped = true;
        continue;
      }
      const { target, allocated } = queued;
      target.committing--;
      if (target.committedTo !== file) {
        target.committedTo = file;
        file.apps.add(target.app);
      }
      const time = commitTo(target.stream, allocated, pieceNumber, at);
      if (time === 'now') due.push(target.app);
      else if (time === 'soon') this.full.writeSoon(target.app);
      at += entryBytes(allocated);
    }
    memory.keep(at - memory.at);
    file.entries += group.length;
    this.isTelling = true;
    tellEach(group, (one) => one.onCommitted());
    this.isTelling = false;
    for (const app of due) this.options.writeToSegment(app);
    if (file === this.file && (this.mustClose || file.size >= this.options.fileBytes)) this.closeNow(file);
  }

  private closeNow(file: CommitFile): void {
    // What was refused must not stay: its numbers are others' in the next file.
    this.tryTruncate();
    if (!this.mayHaveLeftovers) this.leaveFile(file);
  }

  /** None of them is kept, and nothing that was allocated after them. */
  private fail(group: readonly QueuedCommit[], error: unknown): void {
    const all = [...group, ...this.queue.splice(0)];
    for (const queued of all) {
      if (!isBatch(queued)) continue;
      queued.target.committing--;
      queued.target.stream.rollback();
    }
    this.tryTruncate();
    // What was in it is in memory: it goes to the segments.
    const isGone = error instanceof CommitLogGoneError || systemCode(error) === 'ENOENT';
    if (isGone && this.file) this.leaveFile(this.file);
    if (this.mustClose && this.file) this.closeNow(this.file);
    tellEach(all, (one) => one.onRefused(error));
  }

  /** The file to write to, without what a write that failed has left. */
  private requireFile(): CommitFile {
    if (this.file) {
      if (this.mayHaveLeftovers) this.truncate(this.file);
      return this.file;
    }
    const { folder, files, place } = this.options;
    // Not in another folder that has its name now.
    place.requireNow();
    const path = join(folder, commitFileName(this.nextNumber));
    try {
      files.create(path);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      mkdirSync(folder, { mode: 0o700 });
      files.create(path);
    }
    this.nextNumber++;
    this.file = new CommitFile(path);
    this.file.openForReading();
    return this.file;
  }

  private truncate(file: CommitFile): void {
    ftruncateSync(this.options.files.descriptor(file.path), file.size);
    this.mayHaveLeftovers = false;
  }

  private tryTruncate(): void {
    if (!this.file || !this.mayHaveLeftovers) return;
    try {
      this.truncate(this.file);
    } catch {
      // Before the next write.
    }
  }

  /** @throws CommitLogGoneError when the file to which was written isn't the one that the next start will find */
  private requireInPlace({ path }: CommitFile, nowMs: number): void {
    if (!this.placeCheck.isInPlace(path, this.options.files.descriptor(path), nowMs))
      throw new CommitLogGoneError(path);
  }
}

/** One that throws keeps nobody from being told. */
function tellEach(queued: readonly QueuedEntry[], tell: (one: QueuedEntry) => void): void {
  for (const one of queued)
    try {
      tell(one);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
}

/** Bytes of a batch as an entry of a segment. */
function entryBytes({ stored, frameId }: AllocatedBatch): number {
  return stored.bytes.length + (frameId === undefined ? 0 : frameIdEntryBytes(frameId));
}

/** Puts batches, each with its header, into the memory of a file: it is kept once they are written. */
function gatherBytes(memory: CommitMemory, group: readonly QueuedCommit[]): Buffer {
  let size = 0;
  for (const queued of group) size += COMMIT_HEADER + (isBatch(queued) ? entryBytes(queued.allocated) : 0);
  memory.reserve(size);
  const { piece, at: start } = memory;
  let at = start;
  for (const queued of group) {
    if (!isBatch(queued)) {
      piece.set(queued.dropped, at);
      at += COMMIT_HEADER;
      continue;
    }
    const { target, allocated } = queued;
    const { stored, frameId } = allocated;
    writeCommitHeader(piece, at, target.idBytes, entryBytes(allocated), stored);
    at += COMMIT_HEADER;
    if (frameId !== undefined) {
      const named = encodeFrameIdEntry(frameId, target.stream.seed);
      piece.set(named, at);
      at += named.length;
    }
    piece.set(stored.bytes, at);
    at += stored.bytes.length;
  }
  return piece.subarray(start, at);
}

/** @param bytes of the file that it is in */
function toLeftBatch(batch: AllocatedBatch, bytes: Buffer, file: EntryFile): LeftBatch {
  const { stored, bytesSoFar, frameId } = batch;
  const { first, last } = stored;
  const length = entryBytes(batch);
  const offset = stored.bytes.byteOffset - bytes.byteOffset + stored.bytes.length - length;
  return { first, last, bytes: stored.bytes.length, bytesSoFar, frameId, file, offset, entryBytes: length };
}

function isBatch(queued: QueuedCommit): queued is QueuedBatch {
  return queued.target !== undefined;
}

/** It is stored whatever becomes of what has to be trimmed: when that fails, the write to the segment will say so. */
function commitTo(
  stream: CommittableStream,
  allocated: AllocatedBatch,
  piece: number,
  at: number,
): WriteTime | undefined {
  try {
    return stream.commitUnwritten(allocated, piece, at);
  } catch {
    return 'now';
  }
}

/** The numbers of the files in a commit log's folder, in their order. */
export function commitFileNumbers(folder: string): number[] {
  try {
    const numbers = readdirSync(folder).map(parseCommitFileName);
    return numbers.filter((number) => number !== undefined).sort((a, b) => a - b);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
