/**
 * A thread that signals when each request is due, and sleeps until then. Timers of the event loop have whole
 * milliseconds: at 4,000 requests a second each of them would send four at once.
 */
import { parentPort, workerData } from 'node:worker_threads';

export interface RequestSchedule {
  /** When the first is due, on the clock of {@link nowMs}. */
  readonly startMs: number;
  /** A second. */
  readonly rate: number;
  readonly count: number;
}

/** Milliseconds on a clock that all threads share. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function postDueTimes({ startMs, rate, count }: RequestSchedule): void {
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < count; i++) {
    const dueMs = startMs + (i * 1_000) / rate;
    const restMs = dueMs - nowMs();
    if (restMs > 0) Atomics.wait(nothing, 0, 0, restMs);
    parentPort?.postMessage(dueMs);
  }
}

if (workerData) postDueTimes(workerData as RequestSchedule);
