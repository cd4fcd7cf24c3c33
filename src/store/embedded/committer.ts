/**
 * Brings what was acknowledged into LMDB, in the background: everything that has gathered in one transaction. Until it is there,
 * readers find it in memory.
 */
import type { AppId, StoredBatch } from '../contract.ts';

/** Between two transactions, so that a trickle of lines doesn't become a trickle of disk syncs. */
const PAUSE_MS = 25;
/** With so much waiting, there is no pause. */
const URGENT_BYTES = 4_194_304;
/** With so much waiting, appends have to wait too. */
const WAITING_BYTES_MAX = 134_217_728;
/** After a failed transaction. */
const RETRY_MS = 500;

/** One batch on its way. */
export interface Departing {
  readonly app: AppId;
  readonly stored: StoredBatch;
  readonly frameId: string | undefined;
  /** Its number in the journal: it is acknowledged already. Undefined when LMDB has to acknowledge it. */
  readonly serial: number | undefined;
}

export interface CommitterOptions {
  /** Puts batches, and does whatever else belongs into the same transaction. */
  readonly put: (batches: readonly Departing[]) => Promise<void>;
  /** They are in LMDB now. */
  readonly done: (batches: readonly Departing[]) => void;
  /** A transaction failed. These batches are given up, since nobody was told of them; the others are tried again. */
  readonly failed: (givenUp: readonly Departing[], error: unknown) => void;
}

export class Committer {
  private readonly options: CommitterOptions;
  private gathering: Departing[] = [];
  private waitingBytes = 0;
  private running: Promise<void> | undefined;
  private hurry = () => {};
  private hurried = false;
  private relief: (() => void)[] = [];

  constructor(options: CommitterOptions) {
    this.options = options;
  }

  /** Appends have to wait for {@link room}. */
  get full(): boolean {
    return this.waitingBytes > WAITING_BYTES_MAX;
  }

  /** Resolves when there is room for more. */
  async room(): Promise<void> {
    while (this.full) await new Promise<void>((resolve) => this.relief.push(resolve));
  }

  /** Takes a batch; `done` or `failed` will tell of it. */
  add(batch: Departing): void {
    this.gathering.push(batch);
    this.waitingBytes += batch.stored.bytes.length;
    // Somebody waits for this one, or there is enough for a transaction.
    if (batch.serial === undefined || this.waitingBytes > URGENT_BYTES) {
      this.hurried = true;
      this.hurry();
    }
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  }

  /** Resolves when nothing is left on its way: call it when nothing is added any more. */
  async flush(): Promise<void> {
    this.hurried = true;
    this.hurry();
    await this.running;
  }

  private async run(): Promise<void> {
    // At the end of this turn: what is added meanwhile goes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.gathering.length > 0) {
      if (!this.hurried) await this.pause(PAUSE_MS);
      this.hurried = false;
      const batches = this.gathering;
      this.gathering = [];
      const committed = await this.commit(batches);
      this.options.done(committed);
      for (const { stored } of batches) this.waitingBytes -= stored.bytes.length;
      for (const resume of this.relief.splice(0)) resume();
    }
  }

  /** Commits batches until it has worked; returns those that were not given up. */
  private async commit(all: readonly Departing[]): Promise<readonly Departing[]> {
    let batches = all;
    while (batches.length > 0) {
      try {
        await this.options.put(batches);
        return batches;
      } catch (error) {
        batches = this.giveUp(batches, error);
        if (batches.length > 0) await this.pause(RETRY_MS);
      }
    }
    return batches;
  }

  /** Gives up what nobody was told of, also of what has gathered meanwhile: its sequences come after those that are void. */
  private giveUp(batches: readonly Departing[], error: unknown): readonly Departing[] {
    const gathered = this.gathering;
    this.gathering = gathered.filter(({ serial }) => serial !== undefined);
    const untold = [...batches, ...gathered].filter(({ serial }) => serial === undefined);
    for (const { stored, serial } of gathered)
      if (serial === undefined) this.waitingBytes -= stored.bytes.length;
    this.options.failed(untold, error);
    return batches.filter(({ serial }) => serial !== undefined);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
