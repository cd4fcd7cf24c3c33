/**
 * Works on one drain: reads the stream after the drain's cursor, sends, waits for the acceptance, moves the
 * cursor. Every line at least once and in order; what fell out of the stream before it could be sent is counted
 * and told.
 */

import { waitWithTimeout } from '../../common/wait-with-timeout.ts';
import type { Lease, Sequence, Store, StoredBatch } from '../store/contract.ts';
import type { StreamReader } from '../store/stream-reader.ts';
import type { DrainState } from './drain-state.ts';
import type { DrainRecord } from './options/drain-record.ts';
import { type Outlet, OutletError } from './outlet.ts';
import { DrainCursor, FencedError } from './progress/drain-cursor.ts';
import { hasOnlyDrainEvents, type LogToApp } from './progress/drain-events.ts';
import { DrainHealth } from './progress/drain-health.ts';
import { InFlightShipments } from './progress/in-flight.ts';
import { LossReporter } from './progress/loss-reporter.ts';
import { RefusedBatches } from './progress/refused-batches.ts';
import { RequestPacer } from './progress/request-pacer.ts';
import { buildShipment, type Shipment } from './shipment.ts';
import { isUnreachableError } from './sinks/reachability.ts';

/** A cursor that moves all the time is written this often. */
const SAVE_INTERVAL_MS = 250;

export interface DrainWorkerOptions {
  readonly drain: DrainRecord;
  readonly store: Store;
  readonly reader: StreamReader;
  readonly lease: Lease;
  readonly createOutlet: (drain: DrainRecord) => Outlet;
  /** Calls `open` when somebody listens at the destination again, until the returned function is called. */
  readonly onReachable?: (listener: () => void) => () => void;
  /** What the drain's filters and rules leave of a shipment; left out: everything. */
  readonly transform?: (shipment: Shipment) => Shipment;
  readonly logToApp: LogToApp;
  readonly random: () => number;
}

export class DrainWorker {
  private readonly options: DrainWorkerOptions;
  private readonly cursor: DrainCursor;
  private readonly lossReporter: LossReporter;
  private readonly health: DrainHealth;
  private readonly inFlight = new InFlightShipments();
  private readonly pacer = new RequestPacer(() =>
    this.isStopping ? Infinity : this.options.reader.newest - this.sentUpTo,
  );
  private sentUpTo: Sequence = 0;
  /** Read, and not yet sent. */
  private prefetched: readonly StoredBatch[] = [];
  private flushing: Promise<void> | undefined;
  private state: DrainState['state'] = 'starting';
  private waitingSinceMs = 0;
  private lastSavedAtMs = 0;
  /** How long the last shipment took. */
  private lastRequestMs = 0;
  private isStopping = false;
  /** Nobody listened at the destination the last time. */
  private isUnreachable = false;
  private endWait = () => {};
  private finished: Promise<void> = Promise.resolve();

  constructor(options: DrainWorkerOptions) {
    const { store, drain, lease, logToApp } = options;
    this.options = options;
    this.cursor = new DrainCursor(store, drain, lease.fence);
    this.lossReporter = new LossReporter(drain.token, this.cursor, logToApp);
    this.health = new DrainHealth(options);
  }

  /** Starts to work; `gone` is called when it stops by itself, because another process took over. */
  start(onFenced: () => void): void {
    const unsubscribe = this.options.reader.onAppend(() => this.wake());
    this.finished = this.run()
      .catch(() => onFenced())
      .finally(() => {
        unsubscribe();
        this.lossReporter.stop();
        this.state = 'stopped';
      });
  }

  /** Stops: what is under way is finished for up to `graceMs`, the cursor is written. */
  async stop(graceMs: number): Promise<void> {
    this.isStopping = true;
    this.wake();
    await waitWithTimeout(graceMs, this.finished);
  }

  snapshot(): DrainState {
    const { record } = this.cursor;
    const { lagLines } = this;
    return {
      state: this.state,
      delivered: record.delivered,
      lost: record.lost,
      withheld: record.withheld ?? 0,
      after: record.after,
      lagLines,
      lagMs: lagLines > 0 && this.waitingSinceMs > 0 ? Math.max(0, Date.now() - this.waitingSinceMs) : 0,
      nextAttemptAt:
        this.state === 'retrying' ? new Date(this.health.nextAttemptAtMs).toISOString() : undefined,
      ...this.health.snapshot(),
    };
  }

  private wake(): void {
    this.endWait();
    this.pacer.linesArrived();
  }

  private get lagLines(): number {
    return Math.max(0, this.options.reader.newest - this.cursor.record.after);
  }

  private async run(): Promise<void> {
    await this.options.reader.ready;
    await this.cursor.load();
    this.lossReporter.resume();
    while (!this.isStopping) {
      this.sentUpTo = this.cursor.record.after;
      const outlet = this.options.createOutlet(this.options.drain);
      try {
        await this.deliver(outlet);
      } catch (error) {
        if (error instanceof FencedError) throw error;
        this.recordFailure(error);
      } finally {
        this.prefetched = []; // a drain that waits costs no memory
        this.inFlight.clear();
        this.flushing = undefined;
        await outlet.close();
      }
      if (!this.isStopping) await this.waitForRetry();
    }
    if (this.cursor.isDirty) await this.cursor.save();
  }

  /** Sends shipment after shipment until something fails or the worker is stopped. */
  private async deliver(outlet: Outlet): Promise<void> {
    while (!this.isStopping) {
      if (outlet.hasFrameIds) await this.pacer.waitForNext();
      const shipment = await this.nextShipment(outlet);
      if (shipment) await this.processShipment(outlet, shipment);
      else await this.waitForLines(outlet);
    }
    this.acknowledge(await outlet.flush());
  }

  private async nextShipment(outlet: Outlet): Promise<Shipment | undefined> {
    const firstUnsent = this.prefetched.findIndex((batch) => batch.last > this.sentUpTo);
    const batches =
      firstUnsent === -1
        ? await this.options.reader.readAfter(this.sentUpTo)
        : this.prefetched.slice(firstUnsent);
    this.prefetched = batches;
    if (batches.length === 0) return undefined;
    const { first, storedAtMs } = batches[0];
    if (first > this.sentUpTo + 1) {
      // What was sent before the gap is accepted or not, but the cursor can't wait for it behind lines that are gone.
      this.acknowledge(await outlet.flush());
      this.inFlight.clear();
      this.recordLoss(first - 1, storedAtMs);
    }
    if (this.cursor.record.after === this.sentUpTo) this.waitingSinceMs = storedAtMs;
    const { upTo } = this.cursor.record;
    return buildShipment(
      batches,
      this.sentUpTo,
      outlet.shipmentBytesMax,
      outlet.hasFrameIds ? upTo : undefined,
    );
  }

  /** The stream doesn't hold the lines up to `upTo` any more; what it holds was stored from `untilMs` on. */
  private recordLoss(upTo: Sequence, untilMs: number): void {
    const { after, storedAtMs } = this.cursor.record;
    const count = upTo - after;
    if (count > 0) {
      const sinceMs = storedAtMs || this.waitingSinceMs || untilMs;
      this.cursor.advance(upTo, { lost: count }, sinceMs);
      this.lossReporter.record({ count, sinceMs, untilMs });
    }
    this.sentUpTo = upTo;
  }

  private async processShipment(outlet: Outlet, loaded: Shipment): Promise<void> {
    this.state = this.health.isFailing ? 'retrying' : 'delivering';
    const shipment = this.options.transform?.(loaded) ?? loaded;
    const notice = this.inFlight.hasNotice ? undefined : this.lossReporter.notice;
    const isNothingToSend = shipment.count === 0 && !notice && (outlet.hasFrameIds || this.inFlight.isEmpty);
    this.inFlight.add(shipment, notice?.count ?? 0);
    if (isNothingToSend) this.acknowledge(shipment.last);
    else {
      if (outlet.hasFrameIds) {
        if (this.cursor.record.upTo !== shipment.last) this.cursor.markInFlight(shipment.last);
        if (this.cursor.isDirty) await this.cursor.save();
      }
      await this.send(outlet, shipment, notice);
      this.state = 'delivering';
    }
    this.sentUpTo = shipment.last;
    const isSaveDue = Date.now() - this.lastSavedAtMs > SAVE_INTERVAL_MS;
    if (this.cursor.isDirty && isSaveDue && (isNothingToSend || !outlet.hasFrameIds)) await this.save();
  }

  private async send(outlet: Outlet, shipment: Shipment, notice: LossReporter['notice']): Promise<void> {
    const beganMs = performance.now();
    this.pacer.requestStarted();
    try {
      const accepted = await outlet.send(shipment, notice);
      this.lastRequestMs = performance.now() - beganMs;
      this.acknowledge(accepted, outlet.lastAnswer);
    } catch (error) {
      if (!(error instanceof OutletError) || !error.isPermanent) throw error;
      this.inFlight.clear();
      await this.handleRefusal(shipment, error, performance.now() - beganMs);
    }
  }

  /** Nothing to send: waits for lines, and meanwhile for certainty about what was sent. */
  private async waitForLines(outlet: Outlet): Promise<void> {
    if (!this.health.isFailing) this.state = 'idle';
    const grown = new Promise<void>((resolve) => {
      this.endWait = resolve;
    });
    if (this.options.reader.newest > this.sentUpTo || this.isStopping) return;
    if (this.cursor.record.after < this.sentUpTo) {
      await Promise.race([grown, this.flush(outlet)]);
    } else if (this.cursor.isDirty) await this.save();
    else await grown;
  }

  /** Waits for certainty about what was sent; one wait at a time, however often lines come between. */
  private flush(outlet: Outlet): Promise<void> {
    this.flushing ??= outlet
      .flush()
      .then((accepted) => this.acknowledge(accepted))
      .finally(() => {
        this.flushing = undefined;
      });
    this.flushing.catch(() => {});
    return this.flushing;
  }

  private acknowledge(upTo: Sequence, answer = ''): void {
    const acknowledged = this.inFlight.acknowledge(upTo);
    if (!acknowledged) return;
    this.cursor.advance(upTo, acknowledged, acknowledged.storedAtMs);
    const { delivered, reportedLost } = acknowledged;
    if (delivered + reportedLost > 0)
      this.health.recordSuccess(delivered, answer, this.lastRequestMs, this.lagLines);
    if (acknowledged.reportedLost > 0) this.lossReporter.noticeDelivered(acknowledged.reportedLost);
  }

  private async save(): Promise<void> {
    this.lastSavedAtMs = Date.now();
    await this.cursor.save();
  }

  /** The destination said that it will never take these lines: they are kept aside. */
  private async handleRefusal(shipment: Shipment, error: OutletError, ms: number): Promise<void> {
    const { store, drain } = this.options;
    const { first, last, storedAtMs } = shipment;
    const { count } = error.refusedLines ?? shipment;
    this.health.recordRefusal(error.message, ms);
    const counts = {
      lost: count,
      delivered: shipment.count - count,
      withheld: last - first + 1 - shipment.count,
    };
    const advance = (): void => this.cursor.advance(last, counts, storedAtMs);
    // What was said of the refusal before is refused as well: saying that again would never end.
    if (hasOnlyDrainEvents(shipment)) return advance();
    await new RefusedBatches(store, drain).add(shipment, error);
    advance();
    const sinceMs = shipment.slices[0]?.batch.storedAtMs ?? storedAtMs;
    this.lossReporter.record({ count, sinceMs, untilMs: storedAtMs, refusal: error.message });
  }

  private recordFailure(error: unknown): void {
    this.isUnreachable = isUnreachableError(error);
    this.health.recordFailure(error);
    this.state = 'retrying';
  }

  private async waitForRetry(): Promise<void> {
    if (this.cursor.isDirty)
      await this.save().catch((error: unknown) => {
        if (error instanceof FencedError) throw error;
        this.recordFailure(error); // the store is away as well
      });
    const { reader, onReachable } = this.options;
    let timer: NodeJS.Timeout | undefined;
    let unsubscribes: (() => void)[] = [];
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, this.health.nextAttemptAtMs - Date.now()));
      // What was waited for may be back before that: the store, or whoever listens at the destination.
      unsubscribes = [reader.onOutage((unavailable) => unavailable || resolve())];
      if (this.isUnreachable && onReachable) unsubscribes.push(onReachable(resolve));
      this.endWait = () => {
        if (this.isStopping) resolve();
      };
      if (this.isStopping) resolve();
    });
    clearTimeout(timer);
    for (const unsubscribe of unsubscribes) unsubscribe();
  }
}
