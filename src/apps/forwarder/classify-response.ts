import { type BackoffRange, backoffMs } from '../../common/backoff.ts';

/** What a response of the router means for a batch. */
export type IngestOutcome = 'delivered' | 'retry' | 'refused';

/** Once somebody has fixed it, the same batch is accepted: a token that was revoked, a wrong address. */
const FIXABLE_STATUSES = [401, 403, 404, 405];

/**
 * @param status the HTTP status. 408, 429 and 5xx pass by themselves; every other response would be the same the next time
 */
export function classifyIngestStatus(status: number): IngestOutcome {
  if (status >= 200 && status < 300) return 'delivered';
  if (status === 408 || status === 429 || status >= 500) return 'retry';
  return 'refused';
}

/** The same for lines that are persisted: they may wait also until somebody has fixed the cause. */
export function classifyRetryingFixable(status: number): IngestOutcome {
  return FIXABLE_STATUSES.includes(status) ? 'retry' : classifyIngestStatus(status);
}

const RETRY: BackoffRange = { firstMs: 50, maxMs: 5_000 };

/**
 * How long to wait before a batch is sent again: at most 50 ms, doubled each time, at most 5 s. The router is near, often in
 * the same process; what waits meanwhile holds up the dynos.
 *
 * @param attempt how often it has failed, from 1
 * @param random gives numbers from 0 up to 1
 * @returns milliseconds
 */
export function retryDelayMs(attempt: number, random?: () => number): number {
  return backoffMs(attempt, RETRY, random);
}
