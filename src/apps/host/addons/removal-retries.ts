/** Removals of add-ons that could not be finished: tried again, with growing pauses, until they are. */
import { type BackoffRange, backoffMs } from '../../../common/backoff.ts';
import { reasonOf } from '../../../common/errors.ts';

const RETRY_RANGE: BackoffRange = { firstMs: 1_000, maxMs: 10 * 60_000 };

interface Retry {
  attempt: number;
  timer: NodeJS.Timeout | undefined;
  reason: string;
}

export class RemovalRetries {
  private readonly retries = new Map<string, Retry>();
  private readonly remove: (id: string) => Promise<void>;
  private readonly range: BackoffRange;
  private closed = false;

  /** @param remove does what is still to be done of a removal; nothing when there is no such add-on any more */
  constructor(remove: (id: string) => Promise<void>, range: BackoffRange = RETRY_RANGE) {
    this.remove = remove;
    this.range = range;
  }

  /** It failed for this reason: it is tried again after a while. */
  failed(id: string, error: unknown): void {
    if (this.closed) return;
    const retry = this.retries.get(id) ?? { attempt: 0, timer: undefined, reason: '' };
    this.retries.set(id, retry);
    clearTimeout(retry.timer);
    retry.attempt++;
    retry.reason = error instanceof Error ? error.message : reasonOf(error);
    retry.timer = setTimeout(
      () => {
        retry.timer = undefined;
        this.remove(id).then(
          () => this.done(id),
          (cause: unknown) => this.failed(id, cause),
        );
      },
      backoffMs(retry.attempt, this.range),
    ).unref();
  }

  /** It is removed: it isn't tried again. */
  done(id: string): void {
    clearTimeout(this.retries.get(id)?.timer);
    this.retries.delete(id);
  }

  /** Why it isn't removed yet; undefined when nothing failed. */
  reason(id: string): string | undefined {
    return this.retries.get(id)?.reason;
  }

  close(): void {
    this.closed = true;
    for (const { timer } of this.retries.values()) clearTimeout(timer);
  }
}
