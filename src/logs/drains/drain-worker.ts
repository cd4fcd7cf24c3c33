/**
 * Works on one drain: reads the stream after the drain's cursor, sends, waits until it is accepted, moves the cursor. Every line at
 * least once and in order; what was trimmed from the stream before it could be sent is counted and reported. What comes next is
 * decided in delivery-state.ts.
 */
import { type BackoffRange, backoffMs } from '../../common/backoff.ts';
import { TailraceError } from '../../common/errors.ts';
import { waitWithTimeout } from '../../common/wait-with-timeout.ts';
import type { Sequence, Store, StoredBatch } from '../store/contract.ts';
import { lostLinesMessage } from '../store/damage-reports.ts';
import { placeholderBatch } from '../store/placeholder-batch.ts';
import type { StreamReader } from '../store/stream-reader.ts';
import { DeliveryState, failureStep } from './delivery-state.ts';
import type { DrainState } from './drain-state.ts';
import type { LeaseHold } from './lease-hold.ts';
import { LoadedBatches } from './loaded-batches.ts';
import { LoadedMemory } from './loaded-memory.ts';
import type { DrainRecord } from './options/drain-record.ts';
import { type LossNotice, type Outlet, OutletError } from './outlet.ts';
import { FencedError } from './progress/cursor-state.ts';
import { DrainCursor } from './progress/drain-cursor.ts';
import { hasOnlyDrainEvents, type LogToApp } from './progress/drain-events.ts';
import { DrainHealth } from './progress/drain-health.ts';
import { LossReporter } from './progress/loss-reporter.ts';
import { RefusedBatches } from './progress/refused-batches.ts';
import { RequestPacer } from './progress/request-pacer.ts';
import type { Shipment } from './shipment.ts';
import { isUnreachableError } from './sinks/reachability.ts';
import type { StoreTime } from './store-time.ts';

/** A cursor that moves all the time is written this often. */
const SAVE_INTERVAL_MS = 250;
/** What was accepted is written when nothing has come for so long: with the next request it is written anyway. */
const IDLE_SAVE_MS = 1_000;
/** Pauses before something is tried again that the store couldn't do. */
const STORE_RETRY: BackoffRange = { firstMs: 50, maxMs: 1_000 };
/** A stream that has less than was known of it is asked again after this time. */
const MISSING_END_MS = 1_000;
/** A line that is too large by itself is sent so often to who says when to try again. */
const TOO_LARGE_ATTEMPTS = 3;

export interface DrainWorkerOptions {
  readonly drain: DrainRecord;
  readonly store: Store;
  readonly time: StoreTime;
  readonly reader: StreamReader;
  /** Nothing is sent unless it is held. */
  readonly lease: LeaseHold;
  readonly createOutlet: (drain: DrainRecord) => Outlet;
  /** Calls `listener` when somebody listens at the destination again, until the returned function is called. */
  readonly onReachable?: (listener: () => void) => () => void;
  /** What the drain's filters and redaction leave of a shipment; left out: everything. */
  readonly transform?: (shipment: Shipment) => Promise<Shipment>;
  readonly logToApp: LogToApp;
  readonly random: () => number;
}

export class DrainWorker {
  private readonly options: DrainWorkerOptions;
  private readonly cursor: DrainCursor;
  private readonly delivery: DeliveryState;
  private readonly lossReporter: LossReporter;
  private readonly health: DrainHealth;
  private readonly memory = new LoadedMemory();
  private readonly pacer = new RequestPacer(
    () => (this.isStopping ? Infinity : this.options.reader.newest - this.delivery.sentUpTo),
    () => this.options.reader.storeGathered(),
  );
  private readonly loaded = new LoadedBatches();
  private flushing: Promise<void> | undefined;
  private state: DrainState['state'] = 'starting';
  /** On the clock of `performance.now()`. */
  private lastSavedAtMs = Number.NEGATIVE_INFINITY;
  /** How long the last shipment took. */
  private lastRequestMs = 0;
  /** The line that was refused last since it was too large by itself, and how often it was. */
  private tooLarge = { first: 0, count: 0 };
  private isStopping = false;
  /** Nobody listened at the destination the last time. */
  private isUnreachable = false;
  /** It is to end now, without waiting for what is on its way. */
  private isAborted = false;
  private outlet: Outlet | undefined;
  private endWait = () => {};
  /** Of those who wait for something, or for the stop. */
  private readonly stopWaiters = new Set<() => void>();
  private finished: Promise<void> = Promise.resolve();

  constructor(options: DrainWorkerOptions) {
    const { store, drain, lease, logToApp } = options;
    this.options = options;
    this.cursor = new DrainCursor(store, drain, lease.lease.fence);
    this.delivery = new DeliveryState(this.cursor.state);
    this.lossReporter = new LossReporter(drain.token, this.cursor.state, logToApp);
    this.health = new DrainHealth(options);
  }

  /**
   * Works until it is stopped.
   * @throws FencedError when another router works on the drain now.
   */
  run(): Promise<void> {
    const unsubscribe = this.options.reader.onAppend(
      () => this.wake(),
      () => this.pacer.isResting,
    );
    const finished = this.work().finally(() => {
      unsubscribe();
      this.lossReporter.stop();
      this.state = 'stopped';
    });
    this.finished = finished.catch(() => {});
    return finished;
  }

  /** Stops: what is on its way is finished for up to `graceMs`, the cursor is written. */
  async stop(graceMs: number): Promise<void> {
    this.isStopping = true;
    this.requestStop();
    this.wake();
    await waitWithTimeout(graceMs, this.finished);
    this.abort();
  }

  /** Stops without waiting for what is on its way: the connection is closed, and with it every wait for it ends. */
  abort(): void {
    this.isStopping = true;
    this.isAborted = true;
    this.requestStop();
    this.wake();
    this.outlet?.close().catch(() => {});
  }

  /** What the API and the metrics show of it now; `lagMs` is by the store's clock, `nextAttemptAt` by this machine's. */
  snapshot(): DrainState {
    const { record } = this.cursor.state;
    const { lagLines } = this;
    const { waitingSinceMs } = this.delivery;
    return {
      state: this.state,
      delivered: record.delivered,
      lost: record.lost,
      withheld: record.withheld ?? 0,
      after: record.after,
      lagLines,
      lagMs:
        lagLines > 0 && waitingSinceMs > 0
          ? Math.max(0, Math.round(this.options.time.now() - waitingSinceMs))
          : 0,
      nextAttemptAt:
        this.state === 'retrying' ? new Date(Date.now() + this.health.retryInMs).toISOString() : undefined,
      ...this.health.snapshot(),
    };
  }

  private requestStop(): void {
    for (const wake of this.stopWaiters) wake();
  }

  private wake(): void {
    this.endWait();
    this.pacer.linesArrived();
  }

  /** Lines that the stream has and that aren't settled. */
  get lagLines(): number {
    return Math.max(0, this.options.reader.newest - this.cursor.state.record.after);
  }

  private async work(): Promise<void> {
    await this.unlessStopped(this.options.reader.ready);
    await this.untilStoreAnswers(() => this.cursor.load());
    await this.untilStoreAnswers(() => this.moveStreamBehindCursor());
    this.lossReporter.resume();
    while (!this.isStopping) {
      this.delivery.connect();
      const outlet = this.options.createOutlet(this.options.drain);
      this.outlet = outlet;
      try {
        await this.deliver(outlet);
      } catch (error) {
        if (failureStep(error) === 'stop') throw error;
        if (!this.isStopping) this.recordFailure(error);
      } finally {
        this.outlet = undefined;
        this.delivery.disconnect();
        this.loaded.replace([]);
        this.memory.release();
        this.flushing = undefined;
        await outlet.close();
      }
      if (!this.isStopping) await this.waitForRetry();
    }
    if (this.cursor.state.isDirty && this.options.lease.isHeld) await this.cursor.save();
  }

  /** Sends shipment after shipment until something fails or the worker is stopped. */
  private async deliver(outlet: Outlet): Promise<void> {
    let shipment: Shipment | undefined;
    while (!this.isStopping) {
      // While it waits, a drain holds nothing: what lives for a second becomes old.
      shipment = undefined;
      if (outlet.hasFrameIds) await this.pacer.waitForNext();
      shipment = await this.nextShipment(outlet);
      if (shipment) await this.processShipment(outlet, shipment);
      else await this.waitForLines(outlet);
    }
    if (!this.isAborted) this.acknowledge(await outlet.flush());
  }

  private async nextShipment(outlet: Outlet): Promise<Shipment | undefined> {
    const { delivery } = this;
    const { reader } = this.options;
    let step = delivery.nextStep();
    const { newest } = reader;
    if (step === 'load') {
      const batches = await this.readAfter(delivery.sentUpTo, outlet);
      this.loaded.replace(batches);
      step = delivery.onLoaded(batches);
    }
    if (step === 'wait') {
      if (newest > delivery.sentUpTo) await this.skipMissingEnd(outlet);
      return undefined;
    }
    if (step === 'count-loss') {
      this.acknowledge(await outlet.flush());
      const loss = delivery.countLoss();
      if (loss) this.lossReporter.record(loss);
    }
    return delivery.nextShipment(outlet, reader.newest, (after, bytes, count) =>
      reader.pieceEnds(after, bytes, count),
    );
  }

  private async readAfter(after: Sequence, { lineMemory }: Outlet): Promise<readonly StoredBatch[]> {
    const { reader } = this.options;
    // What was loaded before has been sent, or is loaded again.
    this.memory.release();
    return (
      reader.recentAfter(after) ??
      this.untilStoreAnswers(() => reader.readStored(after, this.memory.reserve(lineMemory), this.memory))
    );
  }

  /** The stream had more lines, and gives none of them: they are lost, unless the store has lost count of them too. */
  private async skipMissingEnd(outlet: Outlet): Promise<void> {
    const { sentUpTo } = this.delivery;
    const last = await this.untilStoreAnswers(() => this.options.reader.missingEndAfter(sentUpTo));
    if (last <= sentUpTo)
      // Or until there is something new.
      return this.waitUpTo(MISSING_END_MS, (wake) => {
        this.endWait = wake;
        return () => {};
      });
    this.acknowledge(await outlet.flush());
    const loss = this.delivery.countLossUpTo(last, Date.now());
    if (loss) this.lossReporter.record(loss);
  }

  /**
   * The stream ends before the cursor: it has lost its end, by a power cut or a failover. Lines to come must not get the numbers of lines
   * that were delivered: the drain would skip them, or its destination would take them for a repetition.
   */
  private async moveStreamBehindCursor(): Promise<void> {
    const { store, drain, reader } = this.options;
    const { after } = this.cursor.state.record;
    if (after <= reader.newest) return;
    const { last } = await store.bounds(drain.app);
    if (last >= after) return;
    await store
      .restore(drain.app, placeholderBatch(after, lostLinesMessage(last + 1, after)))
      .catch((error) => {
        // Lines that came meanwhile, or another drain's worker, were faster.
        if (!(error instanceof TailraceError) || error.code !== 'conflict') throw error;
      });
  }

  private async processShipment(outlet: Outlet, loaded: Shipment): Promise<void> {
    const { delivery, cursor } = this;
    this.state = this.health.isFailing ? 'retrying' : 'delivering';
    const { transform } = this.options;
    const shipment = transform ? await transform(loaded) : loaded;
    const notice = delivery.canSendNotice ? this.lossReporter.notice : undefined;
    const isWithheld = delivery.begin(shipment, notice, outlet) === 'withheld';
    if (isWithheld) this.acknowledge(shipment.last);
    else {
      // A request that failed has to be repeated with the same lines, also by another process.
      if (outlet.hasFrameIds && !cursor.state.isNextWritten) await this.save();
      if (!this.options.lease.isHeld && !(await this.waitForLease())) return;
      const isTooLarge = (await this.send(outlet, shipment, notice)) === 'too-large';
      this.state = 'delivering';
      if (isTooLarge) {
        this.pacer.requestFailed();
        return delivery.onTooLarge(loaded);
      }
    }
    delivery.onSent(shipment);
    this.loaded.releaseThrough(shipment.last);
    const isSaveDue = performance.now() - this.lastSavedAtMs > SAVE_INTERVAL_MS;
    if (cursor.state.isDirty && isSaveDue) await this.save();
  }

  /** The lease may have expired, since this process or the store stood still: resolves when it is held, or false when it is to stop. */
  private async waitForLease(): Promise<boolean> {
    const { lease } = this.options;
    while (!lease.isHeld) {
      if (lease.isLost) throw new FencedError();
      if (this.isStopping) return false;
      await this.unlessStopped(lease.changed());
    }
    return true;
  }

  /** @returns `too-large` when fewer lines have to be sent; `settled` when they were accepted, or refused for good. */
  private async send(
    outlet: Outlet,
    shipment: Shipment,
    notice: LossNotice | undefined,
  ): Promise<'settled' | 'too-large'> {
    const beganMs = performance.now();
    this.pacer.requestStarted();
    try {
      const accepted = await outlet.send(shipment, notice);
      this.lastRequestMs = performance.now() - beganMs;
      this.acknowledge(accepted, outlet.lastAnswer);
    } catch (error) {
      if (!(error instanceof OutletError) || failureStep(error) !== 'set-aside') throw error;
      if (error.isTooLarge && shipment.count > 1) return 'too-large';
      // Later it may fit, the destination says; some say so always.
      if (error.isTooLarge && error.retryAfterMs !== undefined && this.mayFitLater(shipment)) throw error;
      await this.setAside(shipment, error, performance.now() - beganMs);
    }
    return 'settled';
  }

  /** Counts how often a line was too large by itself. */
  private mayFitLater({ first }: Shipment): boolean {
    const count = this.tooLarge.first === first ? this.tooLarge.count + 1 : 1;
    this.tooLarge = { first, count };
    return count < TOO_LARGE_ATTEMPTS;
  }

  /** Nothing to send: waits for lines, and meanwhile for certainty about what was sent. */
  private async waitForLines(outlet: Outlet): Promise<void> {
    if (!this.health.isFailing) this.state = 'idle';
    const step = this.isStopping ? 'load' : this.delivery.idleStep(this.options.reader.newest);
    if (step === 'load') return;
    if (step === 'save') return this.saveWhenIdle();
    const linesArrived = new Promise<void>((resolve) => {
      this.endWait = resolve;
    });
    await (step === 'flush' ? Promise.race([linesArrived, this.flush(outlet)]) : linesArrived);
  }

  /** Writes the cursor, unless lines come before. */
  private async saveWhenIdle(): Promise<void> {
    let haveLinesCome = false;
    await this.waitUpTo(IDLE_SAVE_MS, (wake) => {
      this.endWait = () => {
        haveLinesCome = true;
        wake();
      };
      return () => {
        this.endWait = () => {};
      };
    });
    if (!haveLinesCome && !this.isStopping) await this.save();
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
    const acknowledged = this.delivery.acknowledge(upTo);
    if (!acknowledged) return;
    const { delivered, reportedLost } = acknowledged;
    if (delivered + reportedLost > 0)
      this.health.recordSuccess(delivered, answer, this.lastRequestMs, this.lagLines);
    if (reportedLost > 0) this.lossReporter.noticeDelivered(reportedLost);
  }

  private async save(): Promise<void> {
    this.lastSavedAtMs = performance.now();
    await this.untilStoreAnswers(() => this.cursor.save());
  }

  /**
   * Tries something again until the store does it. The destination has nothing to do with that: its connection stays, and what
   * is on its way there isn't sent again.
   */
  private async untilStoreAnswers<T>(operation: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++)
      try {
        return await operation();
      } catch (error) {
        if (failureStep(error) === 'stop' || this.isStopping) throw error;
        // Or until it is known to answer again.
        await this.waitUpTo(backoffMs(attempt, STORE_RETRY, this.options.random), (wake) =>
          this.options.reader.onOutage((unavailable) => unavailable || wake()),
        );
      }
  }

  /** Waits for it, or until the worker is to stop. (A race with one promise for the worker's whole life keeps something of every race.) */
  private unlessStopped(promise: Promise<unknown>): Promise<void> {
    if (this.isStopping) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.stopWaiters.add(resolve);
      promise.then(() => resolve(), reject).finally(() => this.stopWaiters.delete(resolve));
    });
  }

  /** Waits so long, until `wake` is called, or until the worker is to stop. `subscribe` returns how to end what may call it. */
  private async waitUpTo(ms: number, subscribe: (wake: () => void) => () => void): Promise<void> {
    if (this.isStopping) return;
    let timer: NodeJS.Timeout | undefined;
    let unsubscribe = (): void => {};
    let endPause = (): void => {};
    await new Promise<void>((resolve) => {
      endPause = resolve;
      this.stopWaiters.add(endPause);
      timer = setTimeout(resolve, ms);
      unsubscribe = subscribe(resolve);
    });
    this.stopWaiters.delete(endPause);
    clearTimeout(timer);
    unsubscribe();
  }

  /** The destination will never accept these lines: they are stored as a refused batch, and count as lost. */
  private async setAside(shipment: Shipment, error: OutletError, ms: number): Promise<void> {
    const { store, drain } = this.options;
    const { count } = error.refusedLines ?? shipment;
    this.health.recordRefusal(error.message, ms);
    // When nothing but reports about drains is refused, another report would be refused as well, and never end.
    if (count === 0 || hasOnlyDrainEvents(shipment)) return this.delivery.onRefused(shipment, count);
    await this.untilStoreAnswers(async () =>
      // With the cursor: of a drain that was removed meanwhile, or is another router's, nothing is left behind.
      this.cursor.save(await new RefusedBatches(store, drain).additionOf(shipment, error)),
    );
    this.delivery.onRefused(shipment, count);
    const { storedAtMs: untilMs } = shipment;
    const sinceMs = shipment.slices[0]?.batch.storedAtMs ?? untilMs;
    this.lossReporter.record({ count, sinceMs, untilMs, refusal: error.message });
  }

  private recordFailure(error: unknown): void {
    this.isUnreachable = isUnreachableError(error);
    this.pacer.requestFailed();
    this.health.recordFailure(error);
    this.state = 'retrying';
  }

  private async waitForRetry(): Promise<void> {
    if (this.cursor.state.isDirty) await this.save();
    const { onReachable } = this.options;
    // Or until somebody listens again.
    await this.waitUpTo(this.health.retryInMs, (wake) =>
      this.isUnreachable && onReachable ? onReachable(wake) : () => {},
    );
  }
}
