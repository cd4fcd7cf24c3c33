/** Appends whose waiters are told what became of them: all those of a call in one microtask, since each would cost as much as a line. */
import type { Batch } from '../../../syslog/batch.ts';
import type { AppendWaiter, AppId, NamedBatch } from '../../contract.ts';
import type { TimedAppendResult } from './append-script.ts';
import type { PendingAppend } from './appender.ts';

/** Is told of a batch that is stored, before its waiter. */
export type StoredListener = (app: AppId, batch: Batch, appended: TimedAppendResult) => void;

/** Appends of which is known what became of them, and whose waiters aren't told yet. */
export class AppendOutcomes {
  readonly onStored: StoredListener;
  private known: WaitingAppend[] = [];

  constructor(onStored: StoredListener) {
    this.onStored = onStored;
  }

  add(append: WaitingAppend): void {
    if (this.known.push(append) === 1) queueMicrotask(this.tellAll);
  }

  private readonly tellAll = (): void => {
    const { known } = this;
    this.known = [];
    let told = 0;
    try {
      while (told < known.length) known[told++].tellWaiter();
    } finally {
      // One has failed: the others are told nevertheless.
      for (; told < known.length; told++) this.add(known[told]);
    }
  };
}

/** A batch without a frame id. */
export class WaitingAppend implements PendingAppend, NamedBatch {
  readonly batch: Batch;
  readonly frameId = '';
  readonly batches: readonly NamedBatch[] = [this];
  private readonly app: AppId;
  private readonly waiter: AppendWaiter;
  private readonly outcomes: AppendOutcomes;
  /** What the appender calls first counts: one that may be stored is told so, and then fails with all behind it. */
  private isKnown = false;
  private failure: { readonly error: unknown } | undefined;

  constructor(app: AppId, batch: Batch, waiter: AppendWaiter, outcomes: AppendOutcomes) {
    this.app = app;
    this.batch = batch;
    this.waiter = waiter;
    this.outcomes = outcomes;
  }

  resolve([appended]: readonly TimedAppendResult[]): void {
    this.outcomes.onStored(this.app, this.batch, appended);
    this.setOutcome(undefined);
  }

  reject(error: unknown): void {
    this.setOutcome({ error });
  }

  /** For {@link AppendOutcomes} only. */
  tellWaiter(): void {
    if (this.failure) this.waiter.onAppendFailed(this.failure.error);
    else this.waiter.onAppended();
  }

  private setOutcome(failure: { readonly error: unknown } | undefined): void {
    if (this.isKnown) return;
    this.isKnown = true;
    this.failure = failure;
    this.outcomes.add(this);
  }
}
