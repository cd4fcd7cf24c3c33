import { type BackoffRange, backoffMs } from '../../common/backoff.ts';
import type { AppId, Store } from '../store/contract.ts';
import { BATCH_BYTES, type Batch } from '../syslog/batch.ts';
import { BatchBuilder } from '../syslog/batch-builder.ts';
import type { SyslogHeader } from '../syslog/header.ts';
import type { LogSource } from './token-cache.ts';

/** Pauses before a failed append is tried again. */
const RETRY: BackoffRange = { firstMs: 100, maxMs: 1_000 };

/** What the router keeps count of while batches are on their way to the store. */
export interface BatcherEvents {
  /** Bytes more (or, negative, fewer) that wait to be stored. */
  addPendingBytes(bytes: number): void;
  /** An append failed. */
  onAppendFailed(app: AppId, error: unknown): void;
  /** A batch is durable, so long after its first line had come. */
  onBatchStored?(app: AppId, batch: Batch, afterMs: number): void;
}

/** A batch that is open, queued or on its way, and who cares about it. */
class PendingBatch {
  readonly done: Promise<void>;
  resolve: () => void = () => {};
  reject: (error: unknown) => void = () => {};
  /** Its place in the stream's order. */
  readonly number: number;
  batch: Batch | undefined;
  /** Lines came from somebody who won't send them again: they must be kept and tried again. */
  retryUntilStored = false;
  /** On the clock of `performance.now()`. */
  readonly openedMs = performance.now();

  constructor(number: number) {
    this.number = number;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.done.catch(() => {}); // whoever asked has their own handler
  }
}

/**
 * Gathers the lines of one app into batches and hands them to the store in order.
 *
 * No timer: while nothing is on its way, the open batch leaves at the end of this turn of the event loop; while
 * something is, lines gather until it has arrived, or until the batch is full. So a lone line is stored at
 * once, and under load a batch grows to what a commit takes. Only lines that come one in a turn, and that nobody waits for, may
 * gather for a time: each of them would be a batch of its own, which costs more than many lines.
 */
export class Batcher {
  readonly app: AppId;
  private readonly store: Store;
  private readonly events: BatcherEvents;
  private readonly builder = new BatchBuilder();
  private openBatch: PendingBatch | undefined;
  /** Closed batches that wait for a failed one before them. */
  private retryQueue: PendingBatch[] = [];
  private readonly unstored = new Set<PendingBatch>();
  /** Resolves when all of these have; made when somebody asks. */
  private allStored: Promise<unknown> | undefined;
  private closeScheduled = false;
  /** A timer runs at whose end the open batch leaves. */
  private lingering = false;
  /** When the last batch was closed, on the clock of `performance.now()`. */
  private lastClosedMs = Number.NEGATIVE_INFINITY;
  private inFlight = 0;
  /** Appends that failed since the last that didn't; above 0 batches are queued behind the first that failed. */
  private failedAttempts = 0;
  private retryTimer: NodeJS.Timeout | undefined;
  private nextNumber = 0;
  /** When the last batch left, milliseconds since 1970. */
  lastUsedMs = Date.now();

  constructor(app: AppId, store: Store, events: BatcherEvents) {
    this.app = app;
    this.store = store;
    this.events = events;
  }

  /** Nothing is open or on its way. */
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
    // Full in the middle of somebody's lines, before they said how they care: keep these at any rate.
    this.ensureOpenBatch().retryUntilStored = true;
    this.closeBatch();
    this.builder.add(bytes, start, end, header, source, host);
  }

  /** Adds records that the express lane made; see {@link BatchBuilder.addRecords}. */
  addRecords(records: Uint8Array, count: number): void {
    if (this.builder.addRecords(records, count)) return;
    this.ensureOpenBatch().retryUntilStored = true;
    this.closeBatch();
    this.builder.addRecords(records, count);
  }

  /** Sees to it that so many bytes fit into the open batch: lines that are in one batch are stored all or none. */
  reserve(bytes: number): void {
    if (this.builder.count > 0 && this.builder.length + bytes > BATCH_BYTES) this.closeBatch();
  }

  /**
   * The lines added so far needn't be waited for: they are kept and tried again until they are stored.
   *
   * @param lingerMs they may gather until so long after the batch before them; one that somebody waits for takes them along.
   */
  flushInBackground(lingerMs = 0): void {
    if (this.builder.count === 0) return;
    this.ensureOpenBatch().retryUntilStored = true;
    if (lingerMs === 0 || !this.linger(lingerMs)) this.scheduleClose();
  }

  /** Resolves when all lines added so far are stored; rejects when they can't be: then send them again. */
  whenStored(): Promise<unknown> {
    if (this.builder.count > 0) {
      this.ensureOpenBatch();
      this.scheduleClose();
    }
    this.allStored ??= Promise.all([...this.unstored].map((pendingBatch) => pendingBatch.done));
    return this.allStored;
  }

  /** Sends what is open on its way; resolves when nothing is left, or after `graceMs`, with the number of lines that are left. */
  async flush(graceMs: number): Promise<number> {
    const giveUpMs = Date.now() + graceMs;
    while (!this.idle && Date.now() < giveUpMs) {
      if (this.builder.count > 0) this.ensureOpenBatch().retryUntilStored = true;
      this.closeBatch();
      // A store that fails is given time to recover; what is kept is tried again meanwhile.
      await this.whenStored().catch(() => pause(RETRY.firstMs));
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

  /** Has the open batch leave later; false if the one before it is old enough. */
  private linger(lingerMs: number): boolean {
    if (this.lingering || this.closeScheduled) return true;
    const restMs = this.lastClosedMs + lingerMs - performance.now();
    if (restMs <= 0) return false;
    this.lingering = true;
    setTimeout(() => {
      this.lingering = false;
      if (this.builder.count > 0) this.scheduleClose();
    }, restMs);
    return true;
  }

  private scheduleClose(): void {
    if (this.closeScheduled || this.inFlight > 0 || this.failedAttempts > 0) return;
    this.closeScheduled = true;
    setImmediate(() => {
      this.closeScheduled = false;
      if (this.inFlight === 0) this.closeBatch();
    });
  }

  /** Closes the open batch and appends it, or queues it behind one that failed. */
  private closeBatch(): void {
    const batch = this.builder.takeBatch();
    if (!batch) return;
    const pendingBatch = this.ensureOpenBatch();
    this.openBatch = undefined;
    this.lastUsedMs = Date.now();
    this.lastClosedMs = performance.now();
    pendingBatch.batch = batch;
    this.events.addPendingBytes(batch.bytes.length);
    if (this.failedAttempts > 0) this.retryQueue.push(pendingBatch);
    else this.append(pendingBatch, batch);
  }

  private append(pendingBatch: PendingBatch, batch: Batch): void {
    this.inFlight++;
    this.store.append(this.app, batch).then(
      ({ retainedByReaders }) => {
        this.inFlight--;
        this.failedAttempts = 0;
        this.complete(pendingBatch, batch);
        this.events.onBatchStored?.(this.app, batch, performance.now() - pendingBatch.openedMs);
        pendingBatch.resolve();
        if (!retainedByReaders) this.builder.reclaim(batch);
        this.appendQueued();
      },
      (error: unknown) => {
        this.inFlight--;
        this.events.onAppendFailed(this.app, error);
        pendingBatch.reject(error);
        if (pendingBatch.retryUntilStored) this.retryLater(pendingBatch);
        else this.complete(pendingBatch, batch);
        if (this.failedAttempts === 0) this.appendQueued();
      },
    );
  }

  private complete(pendingBatch: PendingBatch, batch: Batch): void {
    this.unstored.delete(pendingBatch);
    this.allStored = undefined;
    this.events.addPendingBytes(-batch.bytes.length);
  }

  /** Puts a failed batch back in its place; the first of them is tried again after a pause. */
  private retryLater(pendingBatch: PendingBatch): void {
    this.retryQueue.push(pendingBatch);
    this.retryQueue.sort((a, b) => a.number - b.number);
    if (this.retryTimer) return;
    this.failedAttempts++;
    this.retryTimer = setTimeout(() => this.retryFirst(), backoffMs(this.failedAttempts, RETRY));
  }

  private retryFirst(): void {
    this.retryTimer = undefined;
    const first = this.retryQueue.shift();
    if (first?.batch) this.append(first, first.batch);
  }

  /** After a success: everything that waited, and what was gathered meanwhile. */
  private appendQueued(): void {
    for (const pendingBatch of this.retryQueue.splice(0))
      if (pendingBatch.batch) this.append(pendingBatch, pendingBatch.batch);
    if (this.inFlight === 0) this.closeBatch();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
