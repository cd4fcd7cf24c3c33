import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { writeFullySync } from '../../../common/files/write-fully.ts';
import { TokenBucket } from '../../../common/limits/token-bucket.ts';

const LENGTH_BYTES = 4;
/** Writes of what is there for the case that this process is killed hold everything up: so many milliseconds of a second are for them, by the clock. */
export const JOURNAL_BUDGET = new TokenBucket(200, 0);
/** Taken of it when a write fails: nothing is written for a second or two. */
export const JOURNAL_PAUSE = 400;

/**
 * What was read of a pipe and not emitted as lines yet, in a file that outlives a process which is killed: u32 length, bytes. Not synced: it is of
 * a process, which doesn't outlive the machine. Where it can't be written it has nothing, and a line may begin in its middle.
 */
export class HeldBytesFile {
  private readonly fd: number;
  private readonly length = Buffer.alloc(LENGTH_BYTES);
  /** NaN: what it has is unknown. */
  private savedBytes = Number.NaN;
  private readonly budget: TokenBucket;
  private isClosed = false;

  /** @throws the system's error when it can't be made */
  constructor(path: string, budget = JOURNAL_BUDGET) {
    this.budget = budget;
    // What an earlier process has left stays until something else is saved.
    this.fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  /** What another process has left; undefined when it had no such file. */
  static read(path: string): Buffer | undefined {
    try {
      const bytes = readFileSync(path);
      if (bytes.length < LENGTH_BYTES) return Buffer.alloc(0);
      return bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + bytes.readUInt32LE(0));
    } catch {
      return undefined;
    }
  }

  /**
   * Saves `line`, and `rest` behind it. Never throws.
   * @param savedBytes so many of the line are there, since they were saved last
   */
  save(line: Uint8Array, rest: Uint8Array, savedBytes: number): void {
    const total = line.length + rest.length;
    if (this.isClosed || (total === 0 && this.savedBytes === 0)) return;
    const now = performance.now();
    const isPaused = this.budget.available(now) <= 0;
    if (isPaused && this.savedBytes === 0) return;
    try {
      const kept = this.savedBytes >= savedBytes ? savedBytes : 0;
      if (!isPaused) {
        writeFullySync(this.fd, line.subarray(kept), LENGTH_BYTES + kept);
        writeFullySync(this.fd, rest, LENGTH_BYTES + line.length);
      }
      this.savedBytes = isPaused ? 0 : total;
      this.length.writeUInt32LE(this.savedBytes, 0);
      writeFullySync(this.fd, this.length, 0);
      this.budget.take(performance.now() - now);
    } catch {
      this.savedBytes = Number.NaN;
      this.budget.take(JOURNAL_PAUSE);
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    closeSync(this.fd);
  }
}
