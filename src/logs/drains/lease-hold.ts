import type { Lease } from '../store/contract.ts';

/**
 * A lease as the router sees it that holds it. The store alone knows who has a lease; but a process that stood still may believe for a
 * while that it still has one that another router got meanwhile. So it counts as held only as long as it can't have expired, by this
 * process's monotonic clock from before the lease was requested, and whoever works under it asks here first.
 */
export class LeaseHold {
  readonly lease: Lease;
  private readonly now: () => number;
  private heldUntilMs: number;
  private lost = false;
  private readonly waiting = new Set<() => void>();

  /** @param heldUntilMs when it may have expired, by `now`: milliseconds on a clock that never goes back */
  constructor(lease: Lease, heldUntilMs: number, now: () => number = () => performance.now()) {
    this.lease = lease;
    this.heldUntilMs = heldUntilMs;
    this.now = now;
  }

  /** Nobody else can have it now. When that isn't sure any more, it may be again: the store knows, and is asked. */
  get isHeld(): boolean {
    return !this.lost && this.now() < this.heldUntilMs;
  }

  /** Another one has it, or had it meanwhile: this hold is over. */
  get isLost(): boolean {
    return this.lost;
  }

  /** The store has renewed it. @param heldUntilMs as in the constructor */
  renewed(heldUntilMs: number): void {
    this.heldUntilMs = heldUntilMs;
    this.notify();
  }

  /** The store says that it isn't ours: for good, however long it would have been held. */
  lose(): void {
    this.lost = true;
    this.notify();
  }

  /** Resolves when it was renewed or lost. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.waiting.add(resolve));
  }

  private notify(): void {
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
