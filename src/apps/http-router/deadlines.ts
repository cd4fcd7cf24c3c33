import { PeriodicCheck } from '../../common/limits/deadline.ts';

/** Has until `deadlineMs` (on `performance.now`'s clock); `expire` is called when that has passed. */
type Expirable = { deadlineMs: number; expire(nowMs: number): void };

/**
 * All deadlines, checked periodically by one timer. A timer for each would be set and cleared for every
 * request, and for every chunk of a body; here a new deadline is an assignment.
 */
export class Deadlines {
  private readonly expirables = new Set<Expirable>();
  private readonly check: PeriodicCheck;

  /**
   * @param tickMs how often to check, which is how late an expiry may be
   * @param onTick called on each check, for work of the same kind
   */
  constructor(tickMs: number, onTick: (nowMs: number) => void) {
    // Connections keep the process alive, the clock alone must not.
    this.check = new PeriodicCheck(tickMs, () => {
      const nowMs = performance.now();
      for (const timed of this.expirables) if (timed.deadlineMs <= nowMs) timed.expire(nowMs);
      onTick(nowMs);
    });
  }

  /** Checks it from now on, until {@link delete}: its `deadlineMs` may change at any time. */
  add(timed: Expirable): void {
    this.expirables.add(timed);
  }

  delete(timed: Expirable): void {
    this.expirables.delete(timed);
  }

  close(): void {
    this.check.stop();
  }
}
