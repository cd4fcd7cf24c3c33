/** When a service's program that has ended is started again. */
import { restartDelayMs } from '../../../processes/config/restart-delay.ts';

/** One that worked and was killed is started again at once, but not more often than this. */
const RESTART_INTERVAL_MS = 1_000;
/** It works again at most this long after what kept it from starting is mended. */
const DELAY_MAX_MS = 60_000;
/** One that ran this long has not failed to start. */
const STABLE_AFTER_MS = 60_000;

/** The end of one run. */
export interface EndedRun {
  /** Did its port accept connections? */
  readonly wasReady: boolean;
  /** Exit status; 128 + n for signal n. */
  readonly status: number;
  readonly ranMs: number;
}

/**
 * What was killed by somebody while it worked is started again at once: its clients wait. What can't start, or ends by itself again and
 * again, waits longer each time: neither it nor what it writes holds up others.
 */
export class RestartBackoff {
  private failures = 0;

  /** @returns milliseconds until the next start */
  afterRun({ wasReady, status, ranMs }: EndedRun): number {
    const hasWorked = wasReady && (wasKilled(status) || ranMs >= STABLE_AFTER_MS);
    this.failures = hasWorked ? 0 : this.failures + 1;
    const soonestMs = Math.max(0, RESTART_INTERVAL_MS - ranMs);
    return Math.max(soonestMs, this.failures === 0 ? 0 : this.delayMs());
  }

  /** It could not be started at all: a file could not be written, say. @returns milliseconds until the next try */
  afterFailedStart(): number {
    this.failures++;
    return Math.max(RESTART_INTERVAL_MS, this.delayMs());
  }

  private delayMs(): number {
    return Math.min(DELAY_MAX_MS, restartDelayMs(this.failures));
  }
}

/** By SIGKILL or SIGTERM, which come from outside: a user, the kernel's out-of-memory killer. */
function wasKilled(status: number): boolean {
  return status === 128 + 9 || status === 128 + 15;
}

/**
 * What the app's owner is told of the end of a run: one sentence.
 * @param isDiskFull when that may be the reason
 */
export function describeEnd(name: string, status: number, delayMs: number, isDiskFull: boolean): string {
  const how =
    status === 128 + 9
      ? 'was killed (SIGKILL)'
      : status > 128
        ? `was ended by signal ${status - 128}`
        : `ended by itself (exit status ${status})`;
  const advice = isDiskFull
    ? " while the server's disk is full: make space there. What it confirmed is kept"
    : '';
  const when = delayMs < 1_500 ? 'at once' : `in ${Math.round(delayMs / 1_000)} seconds`;
  return `${name} ${how}${advice}; it is started again ${when}.`;
}
