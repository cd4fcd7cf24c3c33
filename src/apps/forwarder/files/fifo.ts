import type { FileHandle } from 'node:fs/promises';
import { stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { systemCode } from '../../../common/errors.ts';

const READ_BYTES = 65_536;
/** An empty FIFO is asked again after a time that doubles, milliseconds. */
const POLL_MS_MIN = 1;
const POLL_MS_MAX = 250;
/** A FIFO that was replaced is still asked so often: its writer may have it open. */
const POLLS_AFTER_REPLACEMENT = 4;
/** What is read at the end, at the most: what a pipe holds. A writer may go on forever. */
const LAST_BYTES_MAX = 1_048_576;
/** Descriptors of this process: what is behind them can't be opened by anybody who comes later. */
const OWN_DESCRIPTOR = /^\/(?:dev\/(?:stdin|fd\/)|proc\/(?:self|\d+)\/fd\/)/;

/** A FIFO that writers open, write to and close, one after the other or at the same time. */
export class Fifo {
  private readonly file: FileHandle;
  private readonly path: string;
  private readonly signal: AbortSignal;
  private stopped = false;
  private ended = false;

  /**
   * @param file opened with `O_NONBLOCK`: it stays open, so that no line is lost between two writers
   * @param signal ends it: with what was written by then
   */
  constructor(file: FileHandle, path: string, signal: AbortSignal) {
    this.file = file;
    this.path = path;
    this.signal = signal;
  }

  /** Nothing more comes: it was stopped or replaced, or it is a pipe whose writers are gone for good. */
  get isOver(): boolean {
    return this.stopped || this.ended || this.signal.aborted;
  }

  /** It is a pipe whose writers are gone for good. */
  get hasEnded(): boolean {
    return this.ended;
  }

  /** What is written until no writer is left, which ends the last line. To be called again until it is over. */
  async *readUntilClosed(): AsyncGenerator<Buffer> {
    let hasRead = false;
    let lastBytes = 0;
    let pollMs = POLL_MS_MIN;
    for (let pollsLeft = POLLS_AFTER_REPLACEMENT; ; ) {
      const isLast = this.signal.aborted;
      const chunk = await this.read();
      if (chunk && chunk.length > 0) {
        yield chunk;
        hasRead = true;
        pollMs = POLL_MS_MIN;
        lastBytes += isLast ? chunk.length : 0;
        if (lastBytes < LAST_BYTES_MAX) continue;
      }
      if (isLast) return;
      const isClosed = chunk !== undefined;
      if (isClosed && OWN_DESCRIPTOR.test(this.path)) this.ended = true;
      if (isClosed && (hasRead || this.ended)) return;
      await wait(pollMs, undefined, { signal: this.signal }).catch(() => undefined);
      pollMs = Math.min(pollMs * 2, POLL_MS_MAX);
      if (pollMs < POLL_MS_MAX || !(await this.isReplaced())) continue;
      if (!isClosed && --pollsLeft > 0) continue;
      this.stopped = true;
      return;
    }
  }

  /** Undefined: there is nothing now; empty: there are no writers. */
  private async read(): Promise<Buffer | undefined> {
    try {
      const { bytesRead, buffer } = await this.file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, null);
      return buffer.subarray(0, bytesRead);
    } catch (error) {
      if (systemCode(error) === 'EAGAIN') return undefined;
      throw error;
    }
  }

  /** Is another file called like it now, or none? */
  private async isReplaced(): Promise<boolean> {
    const [own, now] = await Promise.all([this.file.stat(), stat(this.path).catch(() => undefined)]);
    return now?.ino !== own.ino || now.dev !== own.dev;
  }
}
