import type { AppId, Store } from '../store/contract.ts';
import { BATCH_BYTES, type Batch } from '../syslog/batch.ts';
import { BatchBuilder } from '../syslog/batch-builder.ts';
import type { SyslogHeader } from '../syslog/header.ts';
import { ALREADY_SCHEDULED, APPEND_RETRY, BatchSchedule } from './batch-schedule.ts';
import type { LogSource } from './token-cache.ts';

/** What the router counts while batches are on their way to the store. */
export interface BatcherEvents {
  /** So many bytes more (or, negative, fewer) wait to be stored. */
  addPendingBytes(bytes: number): void;
  /** An append failed. */
  onAppendFailed(app: AppId, error: unknown): void;
  /** A batch is stored, `afterMs` after its first line was added. */
  onBatchStored?(app: AppId, batch: Batch, afterMs: number): void;
}

/** A batch that is open, queued or in flight, and what its senders wait for. */
class PendingBatch {
  readonly done: Promise<void>;
  resolve: () => void = () => {};
  reject: (error: unknown) => void = () => {};
  /** Its position in the stream's order. */
  readonly number: number;
  batch: Batch | undefined;
  /** Some of its lines won't be sent again (nobody waits for them): it is kept and retried. */
  retryUntilStored = false;
  /** On the clock of `performance.now()`. */
  readonly openedMs = performance.now();

  constructor(number: number) {
    this.number = number;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.done.catch(() => {}); // callers of whenStored() have their own handlers
  }
}

/**
 * Collects the lines of one app into batches and appends them to the store in order; when is up to {@link BatchSchedule}.
 *
 * Usually there is no timer: a lone line is stored at once, and under load a batch grows to what a commit takes. Only lines that
 * come one a turn, and that nobody waits for, may linger: each of them would be a batch of its own, which costs more than many
 * lines.
 */
export class Batcher {
  readonly app: AppId;
  private readonly store: Store;
  private readonly events: BatcherEvents;
  private readonly builder = new BatchBuilder();
  private readonly schedule = new BatchSchedule<PendingBatch>();
  private openBatch: PendingBatch | undefined;
  private readonly unstored = new Set<PendingBatch>();
  /** Resolves when all of these have; made on demand. */
  private allStored: Promise<unknown> | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private nextNumber = 0;
  /** When the last batch was closed, on the clock of `performance.now()`. */
  lastUsedMs = performance.now();

  constructor(app: AppId, store: Store, events: BatcherEvents) {
    this.app = app;
    this.store = store;
    this.events = events;
  }

  /** Nothing is open, queued or in flight. */
  get idle(): boolean {
    return this.unstored.size === 0 && this.builder.count === 0;
  }

  /** Adds one line; see {@link BatchBuilder.add}. Call {@link whenStored} or {@link flushInBackground} after the last one. */
  add(
    bytes: Uint8Array,
    start: number,
    end: number,
    header: SyslogHeader,
    logSource: LogSource,
    host: Uint8Array,
  ): void {
    const source = logSource.sourceBytes;
    if (this.builder.add(bytes, start, end, header, source, host)) return;
    // Full before the sender called whenStored() or flushInBackground(): keep these lines in either case.
    this.ensureOpenBatch().retryUntilStored = true;
    this.closeBatch();
    this.builder.add(bytes, start, end, header, source, host);
  }

  /** Adds records that the WebAssembly fast path made; see {@link BatchBuilder.addRecords}. */
  addRecords(records: Uint8Array, count: number): void {
    if (this.builder.addRecords(records, count)) return;
    this.ensureOpenBatch().retryUntilStored = true;
    this.closeBatch();
    this.builder.addRecords(records, count);
  }

  /** Makes sure that so many bytes fit into the open batch: the lines of one batch are stored all or none. */
  reserve(bytes: number): void {
    if (this.builder.count > 0 && this.builder.length + bytes > BATCH_BYTES) this.closeBatch();
  }

  /**
   * The lines added so far are fire-and-forget: they are kept and retried until they are stored.
   *
   * @param lingerMs they may stay in the open batch until so long after the one before them was closed; {@link whenStored} closes
   * it at once.
   */
  flushInBackground(lingerMs = 0): void {
    if (this.builder.count === 0) return;
    this.ensureOpenBatch().retryUntilStored = true;
    const restMs = lingerMs === 0 ? 0 : this.schedule.linger(lingerMs, performance.now());
    if (restMs === 0) this.scheduleClose();
    else if (restMs !== ALREADY_SCHEDULED) setTimeout(this.onLingerEnded, restMs);
  }

  /** Resolves when all lines added so far are stored; rejects when they couldn't be: then send them again. */
  whenStored(): Promise<unknown> {
    if (this.builder.count > 0) {
      this.ensureOpenBatch();
      this.scheduleClose();
    }
    this.allStored ??= Promise.all([...this.unstored].map((pendingBatch) => pendingBatch.done));
    return this.allStored;
  }

  /** Closes and appends what is open; resolves when nothing is left, or after `graceMs`, with the number of lines that are left. */
  async flush(graceMs: number): Promise<number> {
    const giveUpMs = performance.now() + graceMs;
    while (!this.idle && performance.now() < giveUpMs) {
      if (this.builder.count > 0) this.ensureOpenBatch().retryUntilStored = true;
      this.closeBatch();
      // A store that fails is given time to recover; what is kept is retried meanwhile.
      await this.whenStored().catch(() => pause(APPEND_RETRY.firstMs));
    }
    let left = 0;
    for (const { batch } of this.unstored) left += batch?.count ?? 0;
    return left;
  }

  private ensureOpenBatch(): PendingBatch {
    if (!this.openBatch) {
      this.openBatch = new PendingBatch(this.nextNumber++);
      this.unstored.add(this.openBatch);
      this.allStored = undefined;
    }
    return this.openBatch;
  }

  private scheduleClose(): void {
    if (this.schedule.requestClose()) setImmediate(this.onTurnEnded);
  }

  private readonly onTurnEnded = (): void => {
    if (this.schedule.turnEnded()) this.closeBatch();
  };

  private readonly onLingerEnded = (): void => {
    this.schedule.lingerEnded();
    if (this.builder.count > 0) this.scheduleClose();
  };

  /** Closes the open batch, if it has lines, and appends it unless it has to wait for a failed one. */
  private closeBatch(): void {
    const batch = this.builder.takeBatch();
    if (!batch) return;
    const pendingBatch = this.ensureOpenBatch();
    this.openBatch = undefined;
    this.lastUsedMs = performance.now();
    pendingBatch.batch = batch;
    this.events.addPendingBytes(batch.bytes.length);
    if (this.schedule.closed(pendingBatch, this.lastUsedMs)) this.append(pendingBatch, batch);
  }

  private append(pendingBatch: PendingBatch, batch: Batch): void {
    this.store.append(this.app, batch).then(
      ({ retainedByReaders }) => {
        const queued = this.schedule.succeeded();
        clearTimeout(this.retryTimer);
        for (const next of queued) this.appendQueued(next);
        this.complete(pendingBatch, batch);
        this.events.onBatchStored?.(this.app, batch, performance.now() - pendingBatch.openedMs);
        pendingBatch.resolve();
        if (!retainedByReaders) this.builder.reclaim(batch);
        if (this.schedule.canClose) this.closeBatch();
      },
      (error: unknown) => {
        if (pendingBatch.retryUntilStored) {
          const retryMs = this.schedule.failedAndKept(pendingBatch);
          if (retryMs !== undefined) this.retryTimer = setTimeout(this.onRetryDue, retryMs);
        } else {
          this.schedule.failedAndDropped();
          this.complete(pendingBatch, batch);
        }
        this.events.onAppendFailed(this.app, error);
        pendingBatch.reject(error);
        if (this.schedule.canClose) this.closeBatch();
      },
    );
  }

  private readonly onRetryDue = (): void => this.appendQueued(this.schedule.retry());

  private appendQueued(pendingBatch: PendingBatch | undefined): void {
    if (pendingBatch?.batch) this.append(pendingBatch, pendingBatch.batch);
  }

  private complete(pendingBatch: PendingBatch, batch: Batch): void {
    this.unstored.delete(pendingBatch);
    this.allStored = undefined;
    this.events.addPendingBytes(-batch.bytes.length);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
