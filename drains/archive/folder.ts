/**
 * One drain's folder: `current.log`, its journal, its rotated files. Takes requests' lines, one after the other, and
 * promises for each: written whole and once, or not at all. Requests that come while the disk is busy share the next
 * write and its syncs. A file is opened for each write: then nothing breaks when somebody moves or deletes it.
 */

import { constants } from 'node:fs';
import { open, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FILE_MODE, makeFolder, sizeOf, syncFolder, truncateFile, writeFully } from './disk.ts';
import { Journal } from './journal.ts';
import { isDue, type MaxAge, nextStem } from './rotation.ts';

const WRITE_BYTES_MAX = 8 * 2 ** 20;

export interface FolderSettings {
  maxBytes: number;
  maxAge: MaxAge;
  fsync: boolean;
}

interface Job {
  frameId: string | undefined;
  text: Buffer;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class Folder {
  readonly path: string;
  readonly #log: string;
  readonly #journal: Journal;
  readonly #settings: FolderSettings;
  readonly #onRotated: (path: string) => void;
  #queue: Job[] = [];
  /** Frames on their way to the disk: a retry that overtakes the answer waits for the same outcome. */
  readonly #underway = new Map<string, Promise<void>>();
  #isFlushPlanned = false;
  #last: Promise<void> = Promise.resolve();

  constructor(path: string, settings: FolderSettings, onRotated: (path: string) => void) {
    this.path = path;
    this.#log = join(path, 'current.log');
    this.#journal = new Journal(join(path, 'frames.journal'), settings.fsync);
    this.#settings = settings;
    this.#onRotated = onRotated;
  }

  /** Reads the journal and removes what a crash left half-written. To be awaited before anything else. */
  async open(): Promise<void> {
    await this.#journal.load();
    await this.#exclusively(() => this.#cleanLog());
  }

  append(frameId: string | undefined, text: Buffer): Promise<void> {
    if (frameId !== undefined) {
      if (this.#journal.seen.has(frameId)) return Promise.resolve();
      const same = this.#underway.get(frameId);
      if (same !== undefined) return same;
    }
    const written = new Promise<void>((resolve, reject) => {
      this.#queue.push({ frameId, text, resolve, reject });
    });
    if (frameId !== undefined) {
      const forget = () => this.#underway.delete(frameId);
      this.#underway.set(frameId, written);
      written.then(forget, forget);
    }
    if (!this.#isFlushPlanned) {
      this.#isFlushPlanned = true;
      this.#exclusively(() => this.#flush());
    }
    return written;
  }

  /** Rotates a file that has lines and is old enough, also when no new line comes. */
  async rotateIfDue(nowMs: number): Promise<void> {
    const isWanted = () =>
      (this.#journal.length ?? 0) > 0 && isDue(this.#journal.openedMs, nowMs, this.#settings.maxAge);
    if (!isWanted()) return;
    await this.#exclusively(async () => {
      const size = await this.#cleanLog();
      if (size !== undefined && isWanted()) await this.#rotate();
    });
  }

  /** After everything that was accepted so far is written, or has failed. */
  settled(): Promise<void> {
    return this.#last;
  }

  async #flush(): Promise<void> {
    this.#isFlushPlanned = false;
    while (this.#queue.length > 0) {
      const jobs = this.#takeJobs();
      try {
        await this.#write(jobs);
        for (const job of jobs) job.resolve();
      } catch (error) {
        // What cannot be undone now is undone before the next write, or at the next start.
        await this.#cleanLog().catch(() => undefined);
        for (const job of jobs) job.reject(error);
      }
    }
  }

  #takeJobs(): Job[] {
    const bytesMax = Math.min(WRITE_BYTES_MAX, this.#settings.maxBytes);
    let byteCount = 0;
    let count = 0;
    do byteCount += this.#queue[count++].text.length;
    while (count < this.#queue.length && byteCount + this.#queue[count].text.length <= bytesMax);
    return this.#queue.splice(0, count);
  }

  async #write(jobs: Job[]): Promise<void> {
    const bytes = Buffer.concat(jobs.map((job) => job.text));
    const start = await this.#makeReady(bytes.length);
    const handle = await open(this.#log, constants.O_WRONLY | constants.O_CREAT, FILE_MODE);
    try {
      await writeFully(handle, bytes, start);
      if (this.#settings.fsync) await handle.datasync();
    } finally {
      await handle.close();
    }
    if (start === 0 && this.#settings.fsync) await syncFolder(this.path);
    let length = start;
    const records = jobs.map(({ frameId, text }) => {
      length += text.length;
      return { frameId, length };
    });
    await this.#journal.append(records);
  }

  /** Where to write `byteCount` bytes, in a file that has room for them and is young enough. */
  async #makeReady(byteCount: number): Promise<number> {
    const nowMs = Date.now();
    let size = await this.#cleanLog();
    if (size !== undefined && size > 0) {
      const isFull = size + byteCount > this.#settings.maxBytes;
      if (isFull || isDue(this.#journal.openedMs, nowMs, this.#settings.maxAge)) {
        await this.#rotate();
        size = undefined;
      }
    }
    if (size === undefined || size === 0) {
      const isNew = await makeFolder(this.path);
      if (isNew && this.#settings.fsync) await syncFolder(dirname(this.path));
      // Before the first byte: the old journal's length must never be taken for the new log's.
      await this.#journal.begin(nowMs);
      return 0;
    }
    await this.#journal.compactIfLong();
    return size;
  }

  /** Brings the log back to its committed length, and tells it; `undefined` when there is no log. */
  async #cleanLog(): Promise<number | undefined> {
    // First the journal: a frame id must not outlive its lines.
    await this.#journal.restore();
    const size = await sizeOf(this.#log);
    if (size === undefined || size === 0) return size;
    const committed = this.#journal.length;
    if (committed === undefined) {
      // A log without a journal is somebody's; it is put aside as it is.
      await this.#rotate();
      return undefined;
    }
    if (size > committed) await truncateFile(this.#log, committed, this.#settings.fsync);
    // Shorter: somebody has emptied it. Go on from there instead of leaving a hole.
    else this.#journal.length = size;
    return Math.min(size, committed);
  }

  async #rotate(): Promise<void> {
    const stem = nextStem(this.#journal.openedMs, await readdir(this.path));
    await rename(this.#log, join(this.path, `${stem}.log`));
    this.#journal.length = 0;
    if (this.#settings.fsync) await syncFolder(this.path);
    this.#onRotated(this.path);
  }

  #exclusively(work: () => Promise<unknown>): Promise<void> {
    const done = this.#last.then(work).then(() => undefined);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
