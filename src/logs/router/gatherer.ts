import type { AppId, Store } from '../store/contract.ts';
import { BATCH_BYTES, type Batch } from '../syslog/batch.ts';
import { BatchBuilder } from '../syslog/batch-builder.ts';
import type { Header } from '../syslog/header.ts';
import type { Tenant } from './tenants.ts';

/** Pause before a failed append is tried again, doubled each time up to the second figure. */
const RETRY_MS = 100;
const RETRY_MAX_MS = 1_000;

/** What the router keeps count of while batches are on their way to the store. */
export interface Load {
  /** Bytes more (or, negative, fewer) that wait to be stored. */
  pending(bytes: number): void;
  /** An append failed. */
  failed(app: AppId, error: unknown): void;
  /** A batch is durable, so long after its first line had come. */
  stored?(app: AppId, batch: Batch, afterMs: number): void;
}

/** A batch that is open, queued or on its way, and who cares about it. */
class Departure {
  readonly settled: Promise<void>;
  resolve: () => void = () => {};
  reject: (error: unknown) => void = () => {};
  /** Its place in the stream's order. */
  readonly number: number;
  batch: Batch | undefined;
  /** Lines came from somebody who won't send them again: they must be kept and tried again. */
  entrusted = false;
  /** On the clock of `performance.now()`. */
  readonly openedMs = performance.now();

  constructor(number: number) {
    this.number = number;
    this.settled = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.settled.catch(() => {}); // whoever asked has their own handler
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
export class Gatherer {
  readonly app: AppId;
  private readonly store: Store;
  private readonly load: Load;
  private readonly builder = new BatchBuilder();
  private open: Departure | undefined;
  /** Closed batches that wait for a failed one before them. */
  private queue: Departure[] = [];
  private readonly unsettled = new Set<Departure>();
  /** Resolves when all of these have; made when somebody asks. */
  private allSettled: Promise<unknown> | undefined;
  private scheduled = false;
  /** A timer runs at whose end the open batch leaves. */
  private gathering = false;
  /** When the last batch was closed, on the clock of `performance.now()`. */
  private closedMs = Number.NEGATIVE_INFINITY;
  private onTheWay = 0;
  private retryMs = 0;
  private retryTimer: NodeJS.Timeout | undefined;
  private count = 0;
  /** When the last batch left, milliseconds since 1970. */
  usedAtMs = Date.now();

  constructor(app: AppId, store: Store, load: Load) {
    this.app = app;
    this.store = store;
    this.load = load;
  }

  /** Nothing is open or on its way. */
  get idle(): boolean {
    return this.unsettled.size === 0 && this.builder.count === 0;
  }

  /** Adds one line; see {@link BatchBuilder.add}. Call {@link stored} or {@link entrust} after the last one. */
  add(bytes: Uint8Array, start: number, end: number, header: Header, tenant: Tenant, host: Uint8Array): void {
    const source = tenant.sourceBytes;
    if (this.builder.add(bytes, start, end, header, source, host)) return;
    // Full in the middle of somebody's lines, before they said how they care: keep these at any rate.
    this.opened().entrusted = true;
    this.close();
    this.builder.add(bytes, start, end, header, source, host);
  }

  /** Adds records that the express lane made; see {@link BatchBuilder.addRecords}. */
  addRecords(records: Uint8Array, count: number): void {
    if (this.builder.addRecords(records, count)) return;
    this.opened().entrusted = true;
    this.close();
    this.builder.addRecords(records, count);
  }

  /** Sees to it that so many bytes fit into the open batch: lines that are in one batch are stored all or none. */
  reserve(bytes: number): void {
    if (this.builder.count > 0 && this.builder.length + bytes > BATCH_BYTES) this.close();
  }

  /**
   * The lines added so far needn't be waited for: they are kept and tried again until they are stored.
   *
   * @param gatherMs they may gather until so long after the batch before them; one that somebody waits for takes them along.
   */
  entrust(gatherMs = 0): void {
    if (this.builder.count === 0) return;
    this.opened().entrusted = true;
    if (gatherMs === 0 || !this.gather(gatherMs)) this.schedule();
  }

  /** Resolves when all lines added so far are stored; rejects when they can't be: then send them again. */
  stored(): Promise<unknown> {
    if (this.builder.count > 0) {
      this.opened();
      this.schedule();
    }
    this.allSettled ??= Promise.all([...this.unsettled].map((departure) => departure.settled));
    return this.allSettled;
  }

  /** Sends what is open on its way; resolves when nothing is left, or after `graceMs`, with the number of lines that are left. */
  async flush(graceMs: number): Promise<number> {
    const giveUpMs = Date.now() + graceMs;
    while (!this.idle && Date.now() < giveUpMs) {
      if (this.builder.count > 0) this.opened().entrusted = true;
      this.close();
      // A store that fails is given time to recover; what is kept is tried again meanwhile.
      await this.stored().catch(() => pause(RETRY_MS));
    }
    let left = 0;
    for (const { batch } of this.unsettled) left += batch?.count ?? 0;
    return left;
  }

  private opened(): Departure {
    if (!this.open) {
      this.open = new Departure(this.count++);
      this.unsettled.add(this.open);
      this.allSettled = undefined;
    }
    return this.open;
  }

  /** Has the open batch leave later; false if the one before it is old enough. */
  private gather(forMs: number): boolean {
    if (this.gathering || this.scheduled) return true;
    const restMs = this.closedMs + forMs - performance.now();
    if (restMs <= 0) return false;
    this.gathering = true;
    setTimeout(() => {
      this.gathering = false;
      if (this.builder.count > 0) this.schedule();
    }, restMs);
    return true;
  }

  private schedule(): void {
    if (this.scheduled || this.onTheWay > 0 || this.retryMs > 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      if (this.onTheWay === 0) this.close();
    });
  }

  /** Closes the open batch and appends it, or queues it behind one that failed. */
  private close(): void {
    const batch = this.builder.close();
    if (!batch) return;
    const departure = this.opened();
    this.open = undefined;
    this.usedAtMs = Date.now();
    this.closedMs = performance.now();
    departure.batch = batch;
    this.load.pending(batch.bytes.length);
    if (this.retryMs > 0) this.queue.push(departure);
    else this.send(departure, batch);
  }

  private send(departure: Departure, batch: Batch): void {
    this.onTheWay++;
    this.store.append(this.app, batch).then(
      ({ passedOn }) => {
        this.onTheWay--;
        this.retryMs = 0;
        this.settle(departure, batch);
        this.load.stored?.(this.app, batch, performance.now() - departure.openedMs);
        departure.resolve();
        if (!passedOn) this.builder.takeBack(batch);
        this.sendQueued();
      },
      (error: unknown) => {
        this.onTheWay--;
        this.load.failed(this.app, error);
        departure.reject(error);
        if (departure.entrusted) this.retryLater(departure);
        else this.settle(departure, batch);
        if (this.retryMs === 0) this.sendQueued();
      },
    );
  }

  private settle(departure: Departure, batch: Batch): void {
    this.unsettled.delete(departure);
    this.allSettled = undefined;
    this.load.pending(-batch.bytes.length);
  }

  /** Puts a failed batch back in its place; the first of them is tried again after a pause. */
  private retryLater(departure: Departure): void {
    this.queue.push(departure);
    this.queue.sort((a, b) => a.number - b.number);
    if (this.retryTimer) return;
    this.retryMs = this.retryMs === 0 ? RETRY_MS : Math.min(this.retryMs * 2, RETRY_MAX_MS);
    this.retryTimer = setTimeout(() => this.sendFirst(), this.retryMs);
  }

  private sendFirst(): void {
    this.retryTimer = undefined;
    const first = this.queue.shift();
    if (first?.batch) this.send(first, first.batch);
  }

  /** After a success: everything that waited, and what was gathered meanwhile. */
  private sendQueued(): void {
    for (const departure of this.queue.splice(0)) if (departure.batch) this.send(departure, departure.batch);
    if (this.onTheWay === 0) this.close();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
