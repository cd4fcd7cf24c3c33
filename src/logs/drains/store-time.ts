import type { Store } from '../store/contract.ts';

/** The store's time without asking each time: this process's monotonic clock, and how far the store's was from it the last time. */
export class StoreTime {
  private readonly store: Pick<Store, 'time'>;
  private readonly monotonicMs: () => number;
  private aheadMs: number;

  /** Until it is asked for the first time, the store's clock is taken to be this machine's. */
  constructor(
    store: Pick<Store, 'time'>,
    monotonicMs: () => number = () => performance.now(),
    wallClockMs: () => number = Date.now,
  ) {
    this.store = store;
    this.monotonicMs = monotonicMs;
    this.aheadMs = wallClockMs() - monotonicMs();
  }

  /** Asks the store. */
  async update(): Promise<void> {
    const askedMs = this.monotonicMs();
    const storeMs = await this.store.time();
    this.aheadMs = storeMs - (askedMs + this.monotonicMs()) / 2;
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.monotonicMs() + this.aheadMs;
  }
}
