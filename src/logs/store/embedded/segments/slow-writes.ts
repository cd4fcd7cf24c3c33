import { processorWaitMs } from '../../../../common/processes/processor-wait.ts';

/**
 * A write that took this long means that the system throttles writers (by 10 ms and more) or waits for the disk, unless the thread was ready to run
 * meanwhile, and others ran: then another thread writes, for so long.
 */
const SLOW_MS = 8;
const SLOW_FOR_MS = 1_000;
/** So long after a slow write the next ones are asked for what the thread waits for a processor, which costs more than a microsecond each. */
const WATCH_FOR_MS = 60_000;

/** One for all: there is a writer of each of ten thousand streams. */
const monotonicMs = (): number => performance.now();

/** Tells whether the system throttles writers, by how long the last writes took that the event loop waited for. */
export class SlowWrites {
  /** Another thread writes until then, on the clock; 0 when writes aren't slow. */
  private threadUntilMs = 0;
  /** On the clock, see {@link WATCH_FOR_MS}; until one was slow nobody asks. */
  private watchedUntilMs = 0;
  /** Of the write that has begun. */
  private startMs = 0;
  private waitBeforeMs: number | undefined;
  private readonly clock: () => number;
  private readonly processorWait: () => number;

  /**
   * @param clock in ms, rising
   * @param processorWait for how long this thread has waited for a processor, ms
   */
  constructor(clock = monotonicMs, processorWait: () => number = processorWaitMs) {
    this.clock = clock;
    this.processorWait = processorWait;
  }

  /** May the event loop wait for a write? */
  get mayBlock(): boolean {
    return this.threadUntilMs === 0 || this.clock() >= this.threadUntilMs;
  }

  /** The event loop begins to wait for a write; returns when, on the clock. */
  begin(): number {
    this.startMs = this.clock();
    this.waitBeforeMs = this.startMs < this.watchedUntilMs ? this.processorWait() : undefined;
    return this.startMs;
  }

  /** The write is done. */
  end(): void {
    const endMs = this.clock();
    const tookMs = endMs - this.startMs;
    this.threadUntilMs = 0;
    if (tookMs <= SLOW_MS) return;
    this.watchedUntilMs = endMs + WATCH_FOR_MS;
    const waitedMs = this.waitBeforeMs === undefined ? 0 : this.processorWait() - this.waitBeforeMs;
    if (tookMs - waitedMs <= SLOW_MS) return;
    this.threadUntilMs = endMs + SLOW_FOR_MS;
  }
}
