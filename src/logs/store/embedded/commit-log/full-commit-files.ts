import { unlink } from 'node:fs/promises';
import { CoalescedRun } from '../../../../common/coalesced-run.ts';
import { systemCode } from '../../../../common/errors.ts';
import type { AppId } from '../../contract.ts';
import type { FolderIdentity } from '../folder-identity.ts';
import type { OpenFileCache } from '../segments/open-file-cache.ts';
import type { CommitFile } from './commit-file.ts';
import type { UnwrittenEntries } from './unwritten-entries.ts';

/**
 * Up to so many full files stay whatever is in them. More of them do while most apps that are in the oldest one still have too little for a write
 * of their own: up to so many times the bytes of one on the disk, and for so long, since a start reads all of them.
 */
const FULL_FILES_MIN = 12;
const WAITING_PART_MIN = 0.5;
const FULL_FILES_MAX = 40;
const FULL_AGE_MAX_MS = 300_000;
/** So many full files may be in memory. */
const BEHIND_FILES = 2;
/**
 * Full files are emptied for so long in a turn of the event loop, and up to so long when the rest of the turn took as long: lines that come
 * faster than files leave memory would each be written to a segment of its own.
 */
const SLICE_MS = 3;
const SLICE_MAX_MS = 15;
/** When that fails, it is tried again after this time. */
const RETRY_MS = 1_000;

export interface FullCommitFilesOptions {
  readonly folder: string;
  /** A file that is larger takes no more. */
  readonly fileBytes: number;
  readonly files: OpenFileCache;
  readonly place: FolderIdentity;
  /** Writes what is in the log only of a stream to its segment, now or with what is being written there; false when that failed. */
  readonly writeToSegment: (app: AppId) => boolean;
  /** What is in the log only of a stream that is open. */
  readonly unwrittenOf: (app: AppId) => UnwrittenEntries | undefined;
  /** Has a stream not taken yet what processes before this one left in the log? */
  readonly isLeft: (app: AppId) => boolean;
}

/**
 * Files of the commit log that take no more: what is in them leaves memory, then goes to segments, and then they are removed.
 */
export class FullCommitFiles {
  private readonly options: FullCommitFilesOptions;
  /** Oldest first. */
  private list: CommitFile[] = [];
  /** Those of them that are in memory. */
  private inMemory: CommitFile[] = [];
  /** Apps of which there is enough in them for a write to their segments. */
  private readonly due = new Set<AppId>();
  private readonly emptying = new CoalescedRun(() => this.empty());
  private retryTimer: NodeJS.Timeout | undefined;
  /** Those who wait until all that is in them is in segments. */
  private writingAll = 0;
  private isClosed = false;

  constructor(options: FullCommitFilesOptions) {
    this.options = options;
  }

  get count(): number {
    return this.list.length;
  }

  /** The newest one. */
  add(file: CommitFile): void {
    this.list.push(file);
    file.end();
    file.releaseUnused();
    if (file.hasLeftMemory) return;
    const isFirstInMemory = !this.inMemory.some(isInMemory);
    this.inMemory = [...this.inMemory.filter(isInMemory), file];
    if (isFirstInMemory && file.isReadInLog) this.leaveAtOnce(file);
  }

  /**
   * Before more comes in this turn: with thousands of batches in one, the second file would have to wait for the first, and what comes behind would
   * be written to segments batch by batch.
   */
  private leaveAtOnce(file: CommitFile): void {
    let isLeaving = true;
    for (const app of file.apps)
      if (!file.spill(this.options.unwrittenOf(app), this.options.folder)) isLeaving = false;
    if (isLeaving) file.leaveMemory();
  }

  /** Nothing of an app that is in them is needed any more. */
  forget(app: AppId): void {
    this.due.delete(app);
    for (const file of this.list) if (file.apps.delete(app)) file.releaseUnused();
  }

  /** There are so many of them, or such old ones, that what is in them has to be written to segments. */
  get mustWrite(): boolean {
    if (this.isClosed || this.writingAll > 0) return true;
    const used = this.list.filter(({ apps, isLeft }) => apps.size > 0 && !isLeft);
    if (used.length === 0) return false;
    const [oldest] = used;
    if (performance.now() - oldest.createdMs > FULL_AGE_MAX_MS) return true;
    if (used.length <= FULL_FILES_MIN) return false;
    let bytes = 0;
    for (const { diskBytes } of used) bytes += diskBytes;
    return bytes > FULL_FILES_MAX * this.options.fileBytes || oldest.isMostlyWritten(WAITING_PART_MIN);
  }

  /** So much of them is in memory that it has to become less before more is added. */
  get isBehind(): boolean {
    let behind = 0;
    for (const file of this.inMemory) if (isInMemory(file)) behind++;
    return behind >= BEHIND_FILES;
  }

  /** Of an app there is enough for a write to its segment: with thousands of them at once, each has its turn. */
  writeSoon(app: AppId): void {
    if (this.due.has(app)) return;
    this.due.add(app);
    void this.writeDue();
  }

  /** What is in them has to leave memory, or to go to segments. Resolves when that was tried. */
  async writeDue(): Promise<void> {
    await this.emptying.request().catch(() => {}); // it is tried again
  }

  /** Writes what is in them to segments, until `isDone` says so. */
  async writeAll(isDone: () => Promise<boolean>): Promise<void> {
    this.writingAll++;
    try {
      do await this.writeDue();
      while (!(await isDone()));
    } finally {
      this.writingAll--;
    }
  }

  /** From now on all of them are written to segments, and what fails isn't tried again. */
  beginClose(): void {
    this.isClosed = true;
    clearTimeout(this.retryTimer);
  }

  /** Nobody reads from them any more. */
  closeFiles(): void {
    for (const file of this.list) file.closeFiles();
  }

  /** Of those that are there. */
  get paths(): readonly string[] {
    return this.list.map(({ path }) => path);
  }

  /**
   * Those of which all is in segments: once these are synced, {@link remove} them. One that says that a stream was removed stays as long as there
   * is one before it.
   */
  writtenFiles(): readonly CommitFile[] {
    let isFirst = true;
    return this.list.filter(({ apps, saysDropped }) => {
      const isWritten = apps.size === 0 && (isFirst || !saysDropped);
      isFirst &&= isWritten;
      return isWritten;
    });
  }

  /**
   * Removes files of {@link writtenFiles}, unless the folder isn't the one that was opened any more. What can't be removed stays for the next
   * time. On another thread, one after the other: to give back what is cached of 16 MB takes some milliseconds.
   */
  async remove(files: readonly CommitFile[]): Promise<void> {
    for (const file of files) {
      if (this.options.place.check() !== undefined) return;
      this.options.files.close(file.path);
      try {
        await unlink(file.path);
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') continue; // next time
      }
      this.list = this.list.filter((other) => other !== file);
    }
  }

  /**
   * Moves what is in memory of them out of it, some in each turn of the event loop; and when there are too many, or old ones, writes
   * it to segments: the more there is of an app by then, the less its lines cost.
   */
  private async empty(): Promise<void> {
    clearTimeout(this.retryTimer);
    const slices = new Slices();
    let mustRetry = !(await this.writeEnough(slices));
    let { mustWrite } = this;
    for (const file of this.list.filter(({ apps }) => apps.size > 0)) {
      let isLeaving = true;
      for (const app of [...file.apps]) {
        const goesToSegments = mustWrite || file.isLeft;
        if (file.hasLeftMemory && !goesToSegments) break;
        if (!file.apps.has(app)) continue; // written meanwhile
        if (this.options.isLeft(app))
          isLeaving = false; // until it is opened
        else if (goesToSegments || !file.spill(this.options.unwrittenOf(app), this.options.folder)) {
          // It may be written with what is being written there now.
          if (!this.options.writeToSegment(app) || file.apps.has(app)) {
            isLeaving = false;
            mustRetry = true;
          }
        }
        if (!slices.isOver) continue;
        await slices.pause();
        mustWrite = this.mustWrite;
      }
      mustWrite = this.mustWrite;
      if (isLeaving && !file.hasLeftMemory) file.leaveMemory();
    }
    if (mustRetry && !this.isClosed)
      this.retryTimer = setTimeout(() => void this.writeDue(), RETRY_MS).unref();
  }

  /** Writes those to segments of which there is enough. @returns whether all of them could be written */
  private async writeEnough(slices: Slices): Promise<boolean> {
    let areWritten = true;
    for (const app of [...this.due]) {
      // Meanwhile it may have been written.
      if (this.due.has(app) && (!this.options.writeToSegment(app) || this.due.has(app))) areWritten = false;
      if (slices.isOver) await slices.pause();
    }
    return areWritten;
  }
}

/** Parts of turns of the event loop. */
class Slices {
  private startMs = performance.now();
  private sliceMs = SLICE_MS;

  /** This turn's part is over. */
  get isOver(): boolean {
    return performance.now() - this.startMs >= this.sliceMs;
  }

  /** Waits for the next turn. */
  async pause(): Promise<void> {
    const endMs = performance.now();
    await new Promise((resolve) => setImmediate(resolve));
    this.startMs = performance.now();
    this.sliceMs = Math.min(Math.max(this.startMs - endMs, SLICE_MS), SLICE_MAX_MS);
  }
}

function isInMemory({ apps, hasLeftMemory }: CommitFile): boolean {
  return apps.size > 0 && !hasLeftMemory;
}
