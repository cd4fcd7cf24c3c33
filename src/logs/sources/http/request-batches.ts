import { TailraceError } from '../../../common/errors.ts';
import type { LogRouter } from '../../router/log-router.ts';
import type { LogSource } from '../../router/token-cache.ts';
import type { AppId } from '../../store/contract.ts';
import { UnansweredAppend } from '../../store/unanswered-append.ts';
import { BATCH_BYTES, type Batch } from '../../syslog/batch.ts';
import { BatchBuilder } from '../../syslog/batch-builder.ts';
import type { SyslogHeader } from '../../syslog/header.ts';
import type { LineTarget } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';
import type { RequestTally } from './request-tally.ts';

/** Beside a body's bytes, what the header of a batch and a few stamps take. */
const GROWTH_BYTES = 4_096;

export interface RequestBatchesOptions {
  readonly router: LogRouter;
  /** Length of the request's body, about what its lines take. */
  readonly bodyBytes: number;
  /** Its name (`Logplex-Frame-Id`): the same request again stores nothing. '' for none. */
  readonly frameId: string;
  /** Apps whose lines of this request are stored, from an attempt that was refused since others' weren't. */
  readonly storedBefore: ReadonlySet<AppId> | undefined;
  /** What the request takes of the limits. */
  readonly tally: RequestTally | undefined;
  readonly counters: ListenerCounters;
}

/** A request was refused, though lines of it are stored, or may be. */
export class PartlyStored extends TailraceError {
  /** Resolves with the apps whose lines are stored, when that is known. */
  readonly storedApps: Promise<ReadonlySet<AppId>>;

  constructor({ code, message, cause }: TailraceError, storedApps: Promise<ReadonlySet<AppId>>) {
    super(code, message, { cause });
    this.storedApps = storedApps;
  }
}

/**
 * The lines of a request in batches of its own, one after the other for each app, however its sources alternate. Nothing is stored
 * before all lines are there; then the lines of an app are stored all or none. A frame id is scoped to one app: a sender can't use up
 * another's.
 */
export class RequestBatches {
  private readonly options: RequestBatchesOptions;
  private readonly byApp = new Map<AppId, AppBatches>();
  private stored: Promise<void> | undefined;

  constructor(options: RequestBatchesOptions) {
    this.options = options;
  }

  readonly targetFor = (app: AppId): LineTarget => {
    let batches = this.byApp.get(app);
    if (!batches) {
      batches = new AppBatches(app, this.options, () => this.store());
      this.byApp.set(app, batches);
    }
    return batches;
  };

  /**
   * Resolves when all lines are stored, now or before.
   * @throws PartlyStored when lines of some apps are stored, or may be; any other error: none are.
   */
  private store(): Promise<void> {
    this.stored ??= this.appendAll();
    return this.stored;
  }

  private async appendAll(): Promise<void> {
    this.options.tally?.chargeAll();
    const all = [...this.byApp.values()];
    const outcomes = await Promise.allSettled(all.map((batches) => batches.append()));
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    const [refusal] = refusals;
    if (refusal === undefined) return;
    if (!(refusal instanceof TailraceError) || !outcomes.some(mayBeStored)) throw refusal;
    throw new PartlyStored(refusal, storedApps(all, outcomes));
  }
}

class AppBatches implements LineTarget {
  readonly app: AppId;
  /** Resolves when all lines of the request are stored. */
  readonly whenStored: () => Promise<void>;
  private readonly options: RequestBatchesOptions;
  private readonly builder: BatchBuilder;
  private readonly batches: Batch[] = [];

  constructor(app: AppId, options: RequestBatchesOptions, whenStored: () => Promise<void>) {
    this.app = app;
    this.options = options;
    this.whenStored = whenStored;
    this.builder = new BatchBuilder(Math.min(BATCH_BYTES, GROWTH_BYTES + options.bodyBytes));
  }

  add(
    bytes: Uint8Array,
    start: number,
    end: number,
    header: SyslogHeader,
    logSource: LogSource,
    host: Uint8Array,
  ): void {
    const source = logSource.sourceBytes;
    while (!this.builder.add(bytes, start, end, header, source, host)) this.makeRoom();
  }

  addRecords(records: Uint8Array, count: number): void {
    while (!this.builder.addRecords(records, count)) this.makeRoom();
  }

  flushInBackground(): void {}

  async append(): Promise<void> {
    const { router, frameId, storedBefore, counters } = this.options;
    this.closeBatch();
    if (storedBefore?.has(this.app)) {
      for (const { count } of this.batches) counters.duplicates += count;
      return;
    }
    const named = this.batches.map((batch, part) => ({ batch, frameId: partName(frameId, part) }));
    const appended = await router.appendAll(this.app, named);
    for (const [i, { duplicate }] of appended.entries())
      if (duplicate) counters.duplicates += this.batches[i].count;
  }

  private makeRoom(): void {
    if (this.builder.count === 0) this.builder.extend();
    else this.closeBatch();
  }

  private closeBatch(): void {
    const batch = this.builder.takeBatch();
    if (batch) this.batches.push(batch);
  }
}

/** Each batch has a name of its own: after a crash the first of them may be there without the others. No sender's has a newline in it. */
function partName(frameId: string, part: number): string {
  return part === 0 || frameId === '' ? frameId : `${frameId}\n${part}`;
}

function mayBeStored(outcome: PromiseSettledResult<void>): boolean {
  return outcome.status === 'fulfilled' || outcome.reason instanceof UnansweredAppend;
}

async function storedApps(
  all: readonly AppBatches[],
  outcomes: readonly PromiseSettledResult<void>[],
): Promise<ReadonlySet<AppId>> {
  const stored = new Set<AppId>();
  for (const [i, outcome] of outcomes.entries()) {
    const { app } = all[i];
    if (outcome.status === 'fulfilled') stored.add(app);
    else if (outcome.reason instanceof UnansweredAppend && (await outcome.reason.stored)) stored.add(app);
  }
  return stored;
}
