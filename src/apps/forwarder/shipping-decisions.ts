/** What a shipper does next: decisions without sockets, timers and queues. */
import { formatCount } from '../../common/text/format-numbers.ts';
import type { IngestOutcome } from './classify-response.ts';
import type { IngestResponse } from './ingest-client.ts';

/** From so much of the buffer on, those who write are asked to pause … */
const HIGH_WATERMARK = 0.5;
/** … and down from so much, they may go on. */
const LOW_WATERMARK = 0.25;

/** Is there capacity for the line of a writer that pauses at `waitingBytesMax`? */
export function hasCapacity(byteCount: number, fillRatio: number, waitingBytesMax: number): boolean {
  return byteCount < waitingBytesMax && fillRatio < HIGH_WATERMARK;
}

/** Whether writers are asked to pause, with hysteresis. */
export class Backpressure {
  isOn = false;

  /** To be called when lines came. @returns true if that turned it on */
  rise(fillRatio: number): boolean {
    if (this.isOn || fillRatio < HIGH_WATERMARK) return false;
    this.isOn = true;
    return true;
  }

  /** To be called when lines went. @returns true if that turned it off */
  fall(fillRatio: number): boolean {
    if (!this.isOn || fillRatio > LOW_WATERMARK) return false;
    this.isOn = false;
    return true;
  }
}

/** When the next batch goes: one at a time, and not before its lines have waited for others. */
export class SendSchedule {
  isSending = false;
  /** No more lines come: nothing waits for others. */
  isClosing = false;
  private readonly configuredLingerMs: number;

  /** @param lingerMs how long the first line of a batch waits for others; 0: not at all */
  constructor(lingerMs: number) {
    this.configuredLingerMs = lingerMs;
  }

  /**
   * How long the next batch waits for more lines; 0: it can go.
   *
   * @param isFlushing somebody waits until everything is sent
   * @param queue how long until it has a batch that has waited long enough, or is full
   */
  lingerMs(isFlushing: boolean, queue: { readyInMs(lingerMs: number): number }): number {
    if (this.configuredLingerMs === 0 || this.isClosing || isFlushing) return 0;
    return queue.readyInMs(this.configuredLingerMs);
  }
}

export interface RetryPolicy {
  readonly classify: (status: number) => IngestOutcome;
  /** @param attempt how often it has failed, from 1 @returns milliseconds */
  readonly delayMs: (attempt: number) => number;
}

/** What follows from one attempt to deliver a batch. */
export interface AttemptDecision {
  readonly outcome: IngestOutcome;
  /** Before the next attempt; 0 if there is none. */
  readonly delayMs: number;
  /** One sentence for people; '' for none. */
  readonly warning: string;
}

const DELIVERED: AttemptDecision = { outcome: 'delivered', delayMs: 0, warning: '' };

/** @param attempt which one it was, from 1 */
export function decideOnResponse(
  { status, retryAfterMs }: IngestResponse,
  attempt: number,
  lineCount: number,
  policy: RetryPolicy,
): AttemptDecision {
  const outcome = policy.classify(status);
  if (outcome === 'delivered') return DELIVERED;
  if (outcome === 'refused')
    return {
      outcome,
      delayMs: 0,
      warning: `The router refused ${formatCount(lineCount, 'line')} with status ${status}.`,
    };
  const delayMs = Math.max(policy.delayMs(attempt), retryAfterMs);
  return { outcome, delayMs, warning: outageWarning(attempt, `status ${status}`) };
}

/** The same when there was no response. */
export function decideOnError(error: unknown, attempt: number, policy: RetryPolicy): AttemptDecision {
  const reason = error instanceof Error ? error.message || error.name : String(error);
  return { outcome: 'retry', delayMs: policy.delayMs(attempt), warning: outageWarning(attempt, reason) };
}

/** What becomes of a batch: `kept` is for whoever opens the same queue next. */
export type BatchFate = 'accepted' | 'lost' | 'kept';

/**
 * @param isAccepted by the router; otherwise it refused the batch, or the time to close is over
 * @param isPersistent what waits outlives the process
 */
export function batchFate(isAccepted: boolean, isAborted: boolean, isPersistent: boolean): BatchFate {
  if (isAccepted) return 'accepted';
  return isAborted && isPersistent ? 'kept' : 'lost';
}

/**
 * Does a report of losses go out after this batch? Not after one of nothing but reports that was refused: a router that refuses
 * everything would be sent reports forever. And not at the end, when nobody sends it any more.
 */
export function reportsLossesAfter(
  fate: BatchFate,
  lineCount: number,
  reportedLines: number,
  isAborted: boolean,
): boolean {
  return !isAborted && (fate === 'accepted' || (fate === 'lost' && lineCount > reportedLines));
}

/** Only at the start of an outage. */
function outageWarning(attempt: number, reason: string): string {
  return attempt === 1 ? `The router takes no lines (${reason}); trying again until it does.` : '';
}
