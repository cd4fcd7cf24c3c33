/**
 * Requests that would be refused for now are held for a while, since some senders (log-shuttle) never send again what got a status
 * of 400 or more: most of the time the store is back before that.
 */
import { type BackoffRange, backoffMs } from '../../../common/backoff.ts';
import { TailraceError } from '../../../common/errors.ts';

export interface HeldRequestsOptions {
  /** How long a request is held, milliseconds. */
  readonly holdMs: number;
  /** Requests at the most, and bytes that they keep in memory. */
  readonly requestsMax: number;
  readonly bytesMax: number;
}

/** As many as wait at the busiest routers when a store fails over. */
export const HELD_REQUESTS: HeldRequestsOptions = {
  holdMs: 5_000,
  requestsMax: 1_000,
  bytesMax: 64_000_000,
};

/** Pauses between two attempts. */
const ATTEMPTS: BackoffRange = { firstMs: 50, maxMs: 500 };

/** One request that may be held. */
export interface HoldableRequest {
  /** Milliseconds that it may be held yet: of all its steps together. */
  restMs: number;
  /** Bytes that it keeps in memory. */
  bytes: number;
  /** Its sender has gone, and will send it again elsewhere. */
  readonly isGone: () => boolean;
}

/** One for all sources over HTTP. A request is held at most {@link HeldRequestsOptions.holdMs}, in all its steps together. */
export class HeldRequests {
  private readonly options: HeldRequestsOptions;
  private readonly pauses = new Set<() => void>();
  private count = 0;
  private bytes = 0;
  private isClosed = false;

  constructor(options: HeldRequestsOptions = HELD_REQUESTS) {
    this.options = options;
  }

  /** For a request that has just come. */
  begin(isGone: () => boolean): HoldableRequest {
    return { restMs: this.options.holdMs, bytes: 0, isGone };
  }

  /** Does a step of a request, again and again while it is refused for now and the request may be held. */
  async run<T>(request: HoldableRequest, step: () => T | Promise<T>): Promise<T> {
    const startMs = performance.now();
    try {
      return await step();
    } catch (error) {
      request.restMs -= performance.now() - startMs;
      return this.retry(request, step, error);
    }
  }

  /** The same for a step that was tried once already, and failed. */
  async retry<T>(request: HoldableRequest, step: () => T | Promise<T>, firstError: unknown): Promise<T> {
    let error = firstError;
    if (!isForNow(error) || !this.hasSpaceFor(request)) throw error;
    const { bytes } = request;
    const endMs = performance.now() + request.restMs;
    this.count++;
    this.bytes += bytes;
    try {
      for (let attempt = 1; ; attempt++) {
        const restMs = endMs - performance.now();
        if (restMs > 0) await this.pause(Math.min(restMs, backoffMs(attempt, ATTEMPTS)));
        // What is under way when the time is over isn't given up: its lines might be stored all the same.
        if (restMs <= 0 || this.isClosed || request.isGone()) throw error;
        try {
          return await step();
        } catch (next) {
          error = next;
          if (!isForNow(error)) throw error;
        }
      }
    } finally {
      this.count--;
      this.bytes -= bytes;
      request.restMs = endMs - performance.now();
    }
  }

  /** From now on nothing is held: what is gets its answer. */
  close(): void {
    this.isClosed = true;
    for (const end of this.pauses) end();
  }

  private hasSpaceFor({ restMs, bytes }: HoldableRequest): boolean {
    const { requestsMax, bytesMax } = this.options;
    return !this.isClosed && restMs > 0 && this.count < requestsMax && this.bytes + bytes <= bytesMax;
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.pauses.add(end);
    });
  }
}

/** Would it be answered with 503? */
export function isForNow(error: unknown): boolean {
  return error instanceof TailraceError && error.status === 503;
}
