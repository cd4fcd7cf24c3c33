/** What an answer of the router means for a batch. */
export type Verdict = 'delivered' | 'retry' | 'refused';

/**
 * @param status the HTTP status. 429 and 5xx pass by themselves; every other answer would be the same the next time
 */
export function verdict(status: number): Verdict {
  if (status >= 200 && status < 300) return 'delivered';
  if (status === 429 || status >= 500) return 'retry';
  return 'refused';
}

const LONGEST_RETRY_MS = 5_000;

/**
 * How long to wait before a batch is sent again: 50 ms, doubled each time, at most 5 s. The router is near, often in
 * the same process; what waits meanwhile holds up the dynos.
 *
 * @param attempt how often it has failed, from 1
 * @returns milliseconds
 */
export function retryDelayMs(attempt: number): number {
  return Math.min(LONGEST_RETRY_MS, 50 * 2 ** (attempt - 1));
}
