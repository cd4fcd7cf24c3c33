/**
 * Gathers the lines that many apps have in a turn, or in some milliseconds: the store takes all of them with one call, since a batch of its
 * own costs many times what a line or two do. What it can't take so goes through the apps' batchers.
 */
import type { AppId, Store } from '../store/contract.ts';
import { type GatheredRecords, Gathering } from './gathering.ts';
import { areManyApps, atTurnEnd, countGathered } from './turn-end.ts';

export class Gatherer {
  private readonly store: Pick<Store, 'appendGathered'>;
  private readonly addPendingBytes: (bytes: number) => void;
  private open: Gathering | undefined;
  /** Gatherings of which it isn't known yet what became of them. */
  private inFlight = 0;
  /** Its memory is free. */
  private unused: Gathering | undefined;
  /** What is open should be stored, as soon as nothing is in flight. */
  private isDue = false;

  /** @param addPendingBytes see {@link BatcherEvents} */
  constructor(store: Pick<Store, 'appendGathered'>, addPendingBytes: (bytes: number) => void) {
    this.store = store;
    this.addPendingBytes = addPendingBytes;
  }

  /** Lines of many apps come, and the store takes them together. */
  get isOn(): boolean {
    return areManyApps() && this.store.appendGathered !== undefined;
  }

  /** Begins an app's share of what is gathered now. */
  begin(app: AppId, owner: GatheredRecords['owner']): GatheredRecords {
    if (this.open?.isFull) this.flush();
    if (!this.open) {
      this.open = new Gathering(this.unused, (gathering) => this.onTold(gathering));
      this.unused = undefined;
      atTurnEnd(this.onTurnEnded, true);
    } else countGathered();
    return this.open.begin(app, owner);
  }

  /** Has all of it stored, or given to the batchers. */
  flush(): void {
    const { open } = this;
    if (!open) return;
    this.open = undefined;
    this.isDue = false;
    this.inFlight++;
    this.addPendingBytes(open.end);
    open.close((lines) => this.store.appendGathered?.(lines));
  }

  private readonly onTurnEnded = (): void => {
    this.isDue = this.inFlight > 0;
    if (!this.isDue) this.flush();
  };

  private onTold(gathering: Gathering): void {
    this.inFlight--;
    this.addPendingBytes(-gathering.end);
    this.unused = gathering;
    if (this.isDue && this.inFlight === 0) this.flush();
  }
}
