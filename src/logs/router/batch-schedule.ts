/**
 * When an app's open batch is closed, and in which order closed batches are appended: decisions only, without timers, promises
 * or a store. {@link Batcher} executes them.
 *
 * While nothing is in flight, the open batch is closed at the end of the current turn of the event loop; while something is,
 * it fills up until that has been stored. A failed batch that has to be kept goes back to its position, everything behind it
 * waits, and the first of them is retried after a back-off.
 */
import { type BackoffRange, backoffMs } from '../../common/backoff.ts';

/** Pauses before a failed append is retried. */
export const APPEND_RETRY: BackoffRange = { firstMs: 100, maxMs: 1_000 };

/** What {@link BatchSchedule.linger} returns when nothing has to be scheduled: something else closes the open batch. */
export const ALREADY_SCHEDULED = -1;

const NONE: readonly never[] = [];

/** @typeParam T a closed batch. */
export class BatchSchedule<T extends { /** Position in the stream's order. */ readonly number: number }> {
  private readonly random: () => number;
  private closeScheduled = false;
  private lingering = false;
  /** When the last batch was closed, on the caller's monotonic clock. */
  lastClosedMs = Number.NEGATIVE_INFINITY;
  private inFlight = 0;
  /** Retries since an append succeeded; 0: none has failed since. */
  private retryCount = 0;
  private retryScheduled = false;
  /** Closed batches that wait for a failed one before them. */
  private queue: T[] = [];

  /** @param random gives numbers from 0 up to 1. */
  constructor(random: () => number = Math.random) {
    this.random = random;
  }

  /**
   * An append has ended, and the open batch may be closed at once: nothing else is in flight or waits for a retry,
   * and the end of a turn doesn't close it.
   */
  get canClose(): boolean {
    return this.inFlight === 0 && this.retryCount === 0 && !this.closeScheduled;
  }

  /** Appends fail: what is closed waits for a retry. */
  get isFailing(): boolean {
    return this.retryCount > 0;
  }

  /** The open batch should be stored soon. True: call {@link turnEnded} at the end of this turn of the event loop. */
  requestClose(): boolean {
    if (this.closeScheduled || this.inFlight > 0 || this.retryCount > 0) return false;
    this.closeScheduled = true;
    return true;
  }

  /** The turn is over for which {@link requestClose} asked. True: close the open batch now. */
  turnEnded(): boolean {
    this.closeScheduled = false;
    return this.inFlight === 0;
  }

  /**
   * The open batch may stay open until `lingerMs` after the batch before it was closed.
   *
   * @returns milliseconds after which to call {@link lingerEnded}; 0 when that time is over: request the close;
   * {@link ALREADY_SCHEDULED} when there is nothing to do.
   */
  linger(lingerMs: number, nowMs: number): number {
    if (this.lingering || this.closeScheduled) return ALREADY_SCHEDULED;
    const restMs = this.lastClosedMs + lingerMs - nowMs;
    if (restMs <= 0) return 0;
    this.lingering = true;
    return restMs;
  }

  /** The time is over that {@link linger} gave. */
  lingerEnded(): void {
    this.lingering = false;
  }

  /** A batch was closed. True: append it now; otherwise it is kept here, behind one that failed. */
  closed(batch: T, nowMs: number): boolean {
    this.lastClosedMs = nowMs;
    if (this.retryCount === 0) {
      this.inFlight++;
      return true;
    }
    this.queue.push(batch);
    return false;
  }

  /** An append succeeded. Returns what has waited, in order: append all of it now; no retry is due any more. */
  succeeded(): readonly T[] {
    this.inFlight--;
    this.retryCount = 0;
    this.retryScheduled = false;
    if (this.queue.length === 0) return NONE;
    const batches = this.queue;
    this.queue = [];
    this.inFlight += batches.length;
    return batches;
  }

  /**
   * An append failed, and its batch is kept: it waits in its position.
   *
   * @returns milliseconds after which to call {@link retry}; undefined when that is scheduled already.
   */
  failedAndKept(batch: T): number | undefined {
    this.inFlight--;
    this.queue.push(batch);
    this.queue.sort((a, b) => a.number - b.number);
    if (this.retryScheduled) return undefined;
    this.retryScheduled = true;
    return backoffMs(++this.retryCount, APPEND_RETRY, this.random);
  }

  /** An append failed, and its batch is given up: whoever sent it sends it again. */
  failedAndDropped(): void {
    this.inFlight--;
  }

  /** The pause before a retry is over. Returns the batch to append now. */
  retry(): T | undefined {
    this.retryScheduled = false;
    const first = this.queue.shift();
    if (first) this.inFlight++;
    return first;
  }
}
