/**
 * One drain's folder: `current.log`, its journal, its rotated files. Writes requests' lines, one after the other, each whole
 * and exactly once, or not at all. Requests that arrive while the disk is busy share the next write and its syncs (group
 * commit). A file is opened for each write: then nothing breaks when somebody moves or deletes it.
 */

import { constants } from 'node:fs';
import { open, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory } from '../../../src/common/files/make-directory.ts';
import { syncFolder } from '../../../src/common/files/sync-folder.ts';
import { FILE_MODE, FOLDER_MODE, sizeOf, truncateFile, writeFully } from './durable-files.ts';
import { Journal } from './journal.ts';
import { isRotationDue, type MaxAge, nextRotatedStem } from './rotation.ts';

const WRITE_BYTES_MAX = 8 * 2 ** 20;

export interface DrainFolderSettings {
  maxBytes: number;
  maxAge: MaxAge;
  fsync: boolean;
}

interface PendingWrite {
  frameId: string | undefined;
  text: Buffer;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class DrainFolder {
  readonly path: string;
  private readonly logPath: string;
  private readonly journal: Journal;
  private readonly settings: DrainFolderSettings;
  private readonly onRotated: (path: string) => void;
  private queue: PendingWrite[] = [];
  /** Frames in flight to the disk: a retry that overtakes the response waits for the same outcome. */
  private readonly inFlight = new Map<string, Promise<void>>();
  private isFlushScheduled = false;
  private tail: Promise<void> = Promise.resolve();

  constructor(path: string, settings: DrainFolderSettings, onRotated: (path: string) => void) {
    this.path = path;
    this.logPath = join(path, 'current.log');
    this.journal = new Journal(join(path, 'frames.journal'), settings.fsync);
    this.settings = settings;
    this.onRotated = onRotated;
  }

  /** Replays the journal, and truncates what a crash left half-written. To be awaited before anything else. */
  async open(): Promise<void> {
    await this.journal.load();
    await this.runExclusive(() => this.truncateToCommitted());
  }

  /**
   * Resolves when the lines are in the log, and durable if the settings say so: by this call, or by one before with the same frame id.
   * @throws the file system's error; then nothing of them is in the log
   */
  append(frameId: string | undefined, text: Buffer): Promise<void> {
    if (frameId !== undefined) {
      if (this.journal.recentFrameIds.has(frameId)) return Promise.resolve();
      const inFlight = this.inFlight.get(frameId);
      if (inFlight !== undefined) return inFlight;
    }
    const written = new Promise<void>((resolve, reject) => {
      this.queue.push({ frameId, text, resolve, reject });
    });
    if (frameId !== undefined) {
      const forget = () => this.inFlight.delete(frameId);
      this.inFlight.set(frameId, written);
      written.then(forget, forget);
    }
    if (!this.isFlushScheduled) {
      this.isFlushScheduled = true;
      this.runExclusive(() => this.flush());
    }
    return written;
  }

  /** Rotates a file that has lines and is old enough, also when no new line comes. */
  async rotateIfDue(nowMs: number): Promise<void> {
    const isDueNow = () =>
      (this.journal.committedLength ?? 0) > 0 &&
      isRotationDue(this.journal.openedMs, nowMs, this.settings.maxAge);
    if (!isDueNow()) return;
    await this.runExclusive(async () => {
      const size = await this.truncateToCommitted();
      if (size !== undefined && isDueNow()) await this.rotate();
    });
  }

  /** Resolves when everything that was queued so far is written, or has failed. */
  whenIdle(): Promise<void> {
    return this.tail;
  }

  private async flush(): Promise<void> {
    this.isFlushScheduled = false;
    while (this.queue.length > 0) {
      const jobs = this.nextBatch();
      try {
        await this.write(jobs);
        for (const job of jobs) job.resolve();
      } catch (error) {
        // What cannot be rolled back now is before the next write, or at the next start.
        await this.truncateToCommitted().catch(() => undefined);
        for (const job of jobs) job.reject(error);
      }
    }
  }

  private nextBatch(): PendingWrite[] {
    const bytesMax = Math.min(WRITE_BYTES_MAX, this.settings.maxBytes);
    let byteCount = 0;
    let count = 0;
    do byteCount += this.queue[count++].text.length;
    while (count < this.queue.length && byteCount + this.queue[count].text.length <= bytesMax);
    return this.queue.splice(0, count);
  }

  private async write(jobs: PendingWrite[]): Promise<void> {
    const bytes = Buffer.concat(jobs.map((job) => job.text));
    const start = await this.prepareLog(bytes.length);
    const handle = await open(this.logPath, constants.O_WRONLY | constants.O_CREAT, FILE_MODE);
    try {
      await writeFully(handle, bytes, start);
      if (this.settings.fsync) await handle.datasync();
    } finally {
      await handle.close();
    }
    if (start === 0 && this.settings.fsync) await syncFolder(this.path);
    let length = start;
    const records = jobs.map(({ frameId, text }) => {
      length += text.length;
      return { frameId, length };
    });
    await this.journal.append(records);
  }

  /** Where to write `byteCount` bytes, in a file that isn't full or due for rotation with them. */
  private async prepareLog(byteCount: number): Promise<number> {
    const nowMs = Date.now();
    let size = await this.truncateToCommitted();
    if (size !== undefined && size > 0) {
      const isFull = size + byteCount > this.settings.maxBytes;
      if (isFull || isRotationDue(this.journal.openedMs, nowMs, this.settings.maxAge)) {
        await this.rotate();
        size = undefined;
      }
    }
    if (size === undefined || size === 0) {
      const isNew = makeDirectory(this.path, FOLDER_MODE);
      if (isNew && this.settings.fsync) await syncFolder(dirname(this.path));
      // Before the first byte: the old journal's length must not be applied to the new log.
      await this.journal.startLog(nowMs);
      return 0;
    }
    await this.journal.compactIfLong();
    return size;
  }

  /** Truncates the log to its committed length, and returns it; `undefined` when there is no log. */
  private async truncateToCommitted(): Promise<number | undefined> {
    // First the journal: a frame id must not outlast its lines.
    await this.journal.truncateTornRecord();
    const size = await sizeOf(this.logPath);
    if (size === undefined || size === 0) return size;
    const committed = this.journal.committedLength;
    if (committed === undefined) {
      // A log without a journal isn't ours; it is rotated as it is.
      await this.rotate();
      return undefined;
    }
    if (size > committed) await truncateFile(this.logPath, committed, this.settings.fsync);
    // Shorter: somebody has truncated it. Continue there instead of leaving a hole.
    else this.journal.committedLength = size;
    return Math.min(size, committed);
  }

  private async rotate(): Promise<void> {
    const stem = nextRotatedStem(this.journal.openedMs, await readdir(this.path));
    await rename(this.logPath, join(this.path, `${stem}.log`));
    this.journal.committedLength = 0;
    if (this.settings.fsync) await syncFolder(this.path);
    this.onRotated(this.path);
  }

  private runExclusive(work: () => Promise<unknown>): Promise<void> {
    const done = this.tail.then(work).then(() => undefined);
    this.tail = done.catch(() => undefined);
    return done;
  }
}
