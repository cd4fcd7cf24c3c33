/**
 * A request whose lines are handed over together: under its name (`Logplex-Frame-Id`) when it has one, else to the gatherer of
 * its app, which is asked before for the room, so that what fits into one batch is stored all or none.
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
  /** Whose all the lines are; undefined when every line names its own token. */
  readonly logSource: LogSource | undefined;
  /** About what its lines take in a batch. */
  readonly bytes: number;
  /** From {@link readFrameId}, or given to it here. */
  readonly frameId: string | undefined;
  /** See the intake's. */
  readonly fromHerokuDrain?: boolean;
}

/** The name that the sender gave the request, cut to a bearable length. */
export function readFrameId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header !== '' ? header.slice(0, FRAME_ID_CHARACTERS) : undefined;
}

/**
 * What to give the lines to; they are stored when its `stored()` has resolved. `spare`, of a request before from the same
 * connection that had no name, is taken again when it does.
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
