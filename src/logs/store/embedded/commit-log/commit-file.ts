import { join } from 'node:path';
import type { AppId } from '../../contract.ts';
import { CommitMemory, SpilledEntries } from './commit-memory.ts';
import type { UnwrittenEntries } from './unwritten-entries.ts';

/** The name of a file with spilled entries, until it is open. */
const SPILL_NAME = 'spilled.tmp';

/** A file of the commit log, and what is kept of it until all of it is in segments. */
export class CommitFile {
  readonly path: string;
  /** On the clock of `performance.now()`; 0 for one of a process before this one. */
  readonly createdMs: number;
  /** Bytes that hold acknowledged entries. */
  size = 0;
  /** Apps that have something in it which may not be in a segment. */
  readonly apps: Set<AppId>;
  readonly memory = new CommitMemory();
  /** What was in {@link memory}. */
  private spilled: SpilledEntries | undefined;
  /** All of it is spilled, or in segments. */
  private isOutOfMemory = false;

  constructor(path: string, createdMs: number, apps = new Set<AppId>()) {
    this.path = path;
    this.createdMs = createdMs;
    this.apps = apps;
  }

  /** What is in it isn't in memory any more: it was spilled, or is in segments. */
  get hasLeftMemory(): boolean {
    return this.isOutOfMemory;
  }

  /**
   * Moves what an app has in memory out of it.
   * @param unwritten what the app has in the log only
   * @param folder where there is space for it
   * @returns false when it has to be written to the app's segment: there is nothing, or it can't be moved
   */
  spill(unwritten: UnwrittenEntries | undefined, folder: string): boolean {
    try {
      this.spilled ??= new SpilledEntries(join(folder, SPILL_NAME));
      return unwritten?.spill(this.memory, this.spilled) ?? false;
    } catch {
      return false;
    }
  }

  /** All of it is spilled, or in segments. */
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
    this.closeSpilled();
  }

  /** Nobody reads what was spilled any more. */
  closeSpilled(): void {
    this.spilled?.close();
    this.spilled = undefined;
  }
}
