import { unlinkSync } from 'node:fs';
import { CoalescedRun } from '../../../../common/coalesced-run.ts';
import { systemCode } from '../../../../common/errors.ts';
import type { AppId } from '../../contract.ts';
import type { FolderIdentity } from '../folder-identity.ts';
import type { OpenFileCache } from '../segments/open-file-cache.ts';
import type { CommitFile } from './commit-file.ts';
import type { UnwrittenEntries } from './unwritten-entries.ts';

/** So many full files, or older ones, have to be written to segments: a start reads all of them. */
const FULL_FILES_MAX = 12;
const FULL_AGE_MAX_MS = 120_000;
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
    const isFirstInMemory = !this.list.some(({ apps, hasLeftMemory }) => apps.size > 0 && !hasLeftMemory);
    this.list.push(file);
    file.releaseUnused();
    if (isFirstInMemory && file.isReadInLog) this.leaveAtOnce(file);
  }

  /**
   * Before more comes in this turn: with thousands of batches in one, the second file would have to wait for the first, and what comes behind would
   * be written to segments batch by batch.
   */
  private leaveAtOnce(file: CommitFile): void {
    let isInMemory = false;
    for (const app of file.apps)
      if (!file.spill(this.options.unwrittenOf(app), this.options.folder)) isInMemory = true;
    if (!isInMemory) file.leaveMemory();
  }

  /** Nothing of an app that is in them is needed any more. */
  forget(app: AppId): void {
    for (const file of this.list) if (file.apps.delete(app)) file.releaseUnused();
  }

  /** There are so many of them, or such old ones, that what is in them has to be written to segments. */
  get mustWrite(): boolean {
    if (this.isClosed || this.writingAll > 0) return true;
    const used = this.list.filter(({ apps }) => apps.size > 0);
    const isOld = used.length > 0 && performance.now() - used[0].createdMs > FULL_AGE_MAX_MS;
    return used.length > FULL_FILES_MAX || isOld;
  }

  /** So much of them is in memory that it has to become less before more is added. */
  get isBehind(): boolean {
    let behind = 0;
    for (const { apps, hasLeftMemory } of this.list) if (apps.size > 0 && !hasLeftMemory) behind++;
    return behind >= BEHIND_FILES;
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

  /** Those of which all is in segments: once these are synced, {@link remove} them. */
  writtenFiles(): readonly CommitFile[] {
    return this.list.filter(({ apps }) => apps.size === 0);
  }

  /**
   * Removes files of {@link writtenFiles}, unless the folder isn't the one that was opened any more. What can't be removed stays for the next
   * time.
   */
  remove(files: readonly CommitFile[]): void {
    if (this.options.place.check() !== undefined) return;
    for (const file of files) {
      this.options.files.close(file.path);
      try {
        unlinkSync(file.path);
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
    let startMs = performance.now();
    let sliceMs = SLICE_MS;
    let mustRetry = false;
    let { mustWrite } = this;
    for (const file of this.list.filter(({ apps }) => apps.size > 0)) {
      let isInMemory = false;
      for (const app of [...file.apps]) {
        if (file.hasLeftMemory && !mustWrite) break;
        if (!file.apps.has(app)) continue; // written meanwhile
        if (this.options.isLeft(app))
          isInMemory = true; // until it is opened
        else if (mustWrite || !file.spill(this.options.unwrittenOf(app), this.options.folder)) {
          // It may be written with what is being written there now.
          if (!this.options.writeToSegment(app) || file.apps.has(app)) isInMemory = mustRetry = true;
        }
        const endMs = performance.now();
        if (endMs - startMs < sliceMs) continue;
        await new Promise((resolve) => setImmediate(resolve));
        startMs = performance.now();
        sliceMs = Math.min(Math.max(startMs - endMs, SLICE_MS), SLICE_MAX_MS);
        mustWrite = this.mustWrite;
      }
      mustWrite = this.mustWrite;
      if (isInMemory || file.hasLeftMemory) continue;
      file.leaveMemory();
    }
    if (mustRetry && !this.isClosed)
      this.retryTimer = setTimeout(() => void this.writeDue(), RETRY_MS).unref();
  }
}
