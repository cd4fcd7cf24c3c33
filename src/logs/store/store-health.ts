import { waitWithTimeout } from '../../common/wait-with-timeout.ts';
import type { Store, StoreStatus } from './contract.ts';

/** A store that takes longer to say how it is isn't well. */
const ANSWER_MS = 2_000;

/** What a shared store says of itself, asked now and then; the embedded one is asked each time, since it knows at once. */
export class StoreHealth {
  private readonly store: Store;
  private last: { readonly atMs: number; readonly status: StoreStatus | undefined } | undefined;
  private asking: Promise<StoreStatus | undefined> | undefined;
  /** When a shared store said last that all is well. */
  private wellAtMs = Number.NEGATIVE_INFINITY;

  constructor(store: Store) {
    this.store = store;
  }

  /**
   * Why lines can't be stored, or stored ones are missing: a sentence; undefined when all is well. Never rejects.
   * @param ageMs an answer of a shared store that is no older is good enough
   * @param graceMs a shared store that was well so short a time ago still counts as that: it may have failed over
   */
  async trouble(ageMs: number, graceMs = 0): Promise<string | undefined> {
    if (!this.store.shared) return this.store.trouble;
    const status = await this.status(ageMs);
    if (performance.now() - this.wellAtMs < graceMs) return undefined;
    return status ? status.trouble : `The store hasn't said within ${ANSWER_MS / 1_000} seconds how it is.`;
  }

  /** undefined when it doesn't answer. */
  async status(ageMs: number): Promise<StoreStatus | undefined> {
    if (this.last && performance.now() - this.last.atMs < ageMs) return this.last.status;
    this.asking ??= this.ask().finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private async ask(): Promise<StoreStatus | undefined> {
    let status: StoreStatus | undefined;
    const asked = this.store.status().then((answer) => {
      status = answer;
    });
    await waitWithTimeout(ANSWER_MS, asked);
    this.last = { atMs: performance.now(), status };
    if (status && status.trouble === undefined) this.wellAtMs = this.last.atMs;
    return status;
  }
}
