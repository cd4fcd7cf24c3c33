/**
 * The receiver of a request, whose lines belong together: they are stored under its frame id (`Logplex-Frame-Id`) when it has
 * one, else by the batcher of its app, with capacity reserved before, so that what fits into one batch is stored all or none.
 */
import { randomUUID } from 'node:crypto';
import type { LogRouter } from '../../router/log-router.ts';
import type { RateLimiter } from '../../router/rate-limiter.ts';
import type { LogSource } from '../../router/token-cache.ts';
import { LineReceiver } from '../line-receiver.ts';
import { createListenerCounters, type ListenerCounters } from '../listener-counters.ts';
import { FrameIdBatches } from './frame-id-batch.ts';

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
  /** From {@link readFrameId}, or generated (retry-dedup.ts); needed by lines of several apps. */
  readonly frameId: string | undefined;
  /** See {@link LineReceiverOptions.fromHerokuDrain}. */
  readonly fromHerokuDrain?: boolean;
}

/** Gives a request's lines to a receiver. */
export type TakeLines = (receiver: LineReceiver) => void | Promise<void>;

/** The frame id that the sender gave the request, truncated to a reasonable length. */
export function readFrameId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && header !== '' ? header.slice(0, FRAME_ID_CHARACTERS) : undefined;
}

/**
 * A receiver for the lines of a request without a frame id; they are stored when its `whenStored()` has resolved.
 *
 * @param spare of an earlier request of the same connection: it is reused if possible.
 */
export function receiverForRequest(options: RequestReceiverOptions, spare?: LineReceiver): LineReceiver {
  const { router, rateLimiter, counters, host, logSource, bytes, fromHerokuDrain } = options;
  if (logSource) router.batcher(logSource.app).reserve(bytes);
  if (spare && spare.authenticatedSource === logSource) return spare;
  return new LineReceiver({
    router,
    counters,
    rateLimiter,
    host,
    authenticatedSource: logSource,
    fromHerokuDrain,
  });
}

/** Stores the lines of a request, and does so again when that failed. */
export class RequestStorer {
  private readonly options: RequestReceiverOptions;
  private readonly take: TakeLines;
  /** When they are stored under a name. */
  private batches: FrameIdBatches | undefined;
  private isAttempted = false;

  /** @param take is called at the most twice. */
  constructor(options: RequestReceiverOptions, take: TakeLines) {
    this.options = options;
    this.take = take;
  }

  /**
   * Resolves when the lines are stored. When it rejects, none are, or, of a request that takes several batches, the first ones, under
   * the frame id; it may be called again then.
   */
  async store(): Promise<void> {
    const { options, take, isAttempted } = this;
    this.isAttempted = true;
    if (isAttempted) return this.storeAgain();
    if (options.frameId !== undefined) {
      await this.storeNamed(options.frameId, options.counters, options.rateLimiter);
      return;
    }
    const receiver = receiverForRequest(options);
    await take(receiver);
    await receiver.whenStored();
  }

  /** The same for lines that were taken already, and not stored. */
  async storeAgain(): Promise<void> {
    if (this.batches) await this.batches.whenStored();
    else {
      // They were counted and charged when they were taken for the first time.
      const uncounted = createListenerCounters(this.options.counters.protocol);
      const frameId = this.options.frameId ?? `held/${randomUUID()}`;
      await this.storeNamed(frameId, uncounted, undefined);
    }
  }

  private async storeNamed(
    frameId: string,
    counters: ListenerCounters,
    rateLimiter: RateLimiter | undefined,
  ): Promise<void> {
    const { router, host, logSource, bytes, fromHerokuDrain } = this.options;
    const batches = new FrameIdBatches(router, frameId, bytes, counters);
    const receiver = new LineReceiver({
      router,
      counters,
      rateLimiter,
      host,
      authenticatedSource: logSource,
      fromHerokuDrain,
      targetFor: batches.targetFor,
    });
    await this.take(receiver);
    this.batches = batches;
    await batches.whenStored();
  }
}
