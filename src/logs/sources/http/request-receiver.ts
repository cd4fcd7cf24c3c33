/**
 * The receiver of a request, whose lines belong together: they are stored under its frame id (`Logplex-Frame-Id`) when it has
 * one, else by the batcher of its app, with capacity reserved before, so that what fits into one batch is stored all or none.
 */

import type { LogRouter } from '../../router/log-router.ts';
import type { RateLimiter } from '../../router/rate-limiter.ts';
import type { LogSource } from '../../router/token-cache.ts';
import { LineReceiver } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';
import { frameIdBatches } from './frame-id-batch.ts';

const FRAME_ID_CHARACTERS = 128;

export interface RequestReceiverOptions {
  readonly router: LogRouter;
  readonly rateLimiter: RateLimiter;
  readonly counters: ListenerCounters;
  /** The sender's address. */
  readonly host: string;
  /** The source of all lines; undefined when every line has its own token. */
  readonly logSource: LogSource | undefined;
  /** About what its lines take in a batch. */
  readonly bytes: number;
  /** From {@link readFrameId}, or generated (retry-dedup.ts). */
  readonly frameId: string | undefined;
  /** See {@link LineReceiverOptions.fromHerokuDrain}. */
  readonly fromHerokuDrain?: boolean;
}

/** The frame id that the sender gave the request, truncated to a reasonable length. */
export function readFrameId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header !== '' ? header.slice(0, FRAME_ID_CHARACTERS) : undefined;
}

/**
 * A receiver for the request's lines; they are stored when its `whenStored()` has resolved.
 *
 * @param spare of an earlier request of the same connection without a frame id: it is reused if possible.
 */
export function receiverForRequest(options: RequestReceiverOptions, spare?: LineReceiver): LineReceiver {
  const { router, rateLimiter, counters, host, logSource, bytes, frameId, fromHerokuDrain } = options;
  if (frameId === undefined && logSource) router.batcher(logSource.app).reserve(bytes);
  if (frameId === undefined && spare && spare.authenticatedSource === logSource) return spare;
  return new LineReceiver({
    router,
    counters,
    rateLimiter,
    host,
    authenticatedSource: logSource,
    fromHerokuDrain,
    targetFor: frameId === undefined ? undefined : frameIdBatches(router, frameId, bytes, counters),
  });
}
