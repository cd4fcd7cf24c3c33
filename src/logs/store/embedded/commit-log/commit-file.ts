import { join } from 'node:path';
import type { AppId } from '../../contract.ts';
import { CommitMemory, type EntryFile, OpenCommitFile, SpilledEntries } from './commit-memory.ts';
import type { UnwrittenEntries } from './unwritten-entries.ts';

/** The name of a file with spilled entries, until it is open. */
const SPILL_NAME = 'spilled.tmp';
/**
 * Entries of so many bytes, on average, are read where they are in the log: a file has one or two of each of thousands of apps, and to copy these
 * would save no read.
 */
const READ_IN_LOG_BYTES_MIN = 1_024;

/** A file of the commit log, and what is kept of it until all of it is in segments. */
export class CommitFile {
  readonly path: string;
  /** On the clock of `performance.now()`. */
  readonly createdMs = performance.now();
  /** Bytes that hold acknowledged entries. */
  size = 0;
  /** Apps that have something in it which may not be in a segment. */
  readonly apps: Set<AppId>;
  /** It says that streams were removed: what is before that is of nobody, in files before it as well. */
  saysDropped = false;
  /** How many these were when it took no more. */
  private appsAtEnd = 0;
  readonly memory = new CommitMemory();
  /** Entries that were added to {@link memory}. */
  entries = 0;
  /** What was in {@link memory}. */
  private spilled: SpilledEntries | undefined;
  /** This file, to read from. */
  private log: OpenCommitFile | undefined;
  private isOutOfMemory = false;
  private isOfBefore = false;

  constructor(path: string, apps = new Set<AppId>()) {
    this.path = path;
    this.apps = apps;
  }

  /** It is of a process before this one, and so long: what is in it is read where it is. @throws the system's error */
  openLeft(bytes: number): EntryFile {
    this.isOfBefore = true;
    this.isOutOfMemory = true;
    this.size = bytes;
    this.log = new OpenCommitFile(this.path);
    return this.log;
  }

  /** It is of a process before this one: what is in it goes to segments at once. */
  get isLeft(): boolean {
    return this.isOfBefore;
  }

  /** It takes no more. */
  end(): void {
    this.appsAtEnd = this.apps.size;
  }

  /** Of the apps that had something in it, less than this part still has: to write that to segments is little work for a file. */
  isMostlyWritten(part: number): boolean {
    return this.apps.size < this.appsAtEnd * part;
  }

  /** Of itself, and of what was spilled. */
  get diskBytes(): number {
    return this.size + (this.spilled?.bytes ?? 0);
  }

  /** To be called when it was made: later its path may lead elsewhere. */
  openForReading(): void {
    try {
      this.log = new OpenCommitFile(this.path);
    } catch {
      // What is in it is copied, then.
    }
  }

  /** What is in it isn't in memory any more: it is read where it is, was spilled, or is in segments. */
  get hasLeftMemory(): boolean {
    return this.isOutOfMemory;
  }

  /** To leave memory, nothing has to be copied. */
  get isReadInLog(): boolean {
    return this.log !== undefined && this.size >= this.entries * READ_IN_LOG_BYTES_MIN;
  }

  /**
   * Moves what an app has in memory out of it.
   * @param unwritten what the app has in the log only
   * @param folder where there is space for it
   * @returns false when it has to be written to the app's segment: there is nothing, or it can't be moved
   */
  spill(unwritten: UnwrittenEntries | undefined, folder: string): boolean {
    if (this.log && this.isReadInLog) return unwritten?.leaveInLog(this.memory, this.log) ?? false;
    try {
      this.spilled ??= new SpilledEntries(join(folder, SPILL_NAME));
      return unwritten?.spill(this.memory, this.spilled) ?? false;
    } catch {
      return false;
    }
  }

  /** Nothing of it is needed in memory any more. */
  leaveMemory(): void {
    this.isOutOfMemory = true;
    this.memory.release();
    try {
      this.spilled?.finish();
    } catch {
      // The end of it stays in memory.
    }
  }

  /** When all of it is in segments, nobody reads what is kept of it. */
  releaseUnused(): void {
    if (this.apps.size > 0) return;
    this.memory.release();
    this.closeFiles();
  }

  /** Nobody reads what is in files any more. */
  closeFiles(): void {
    this.spilled?.close();
    this.spilled = undefined;
    this.log?.close();
    this.log = undefined;
  }
}
