/**
 * Works on one drain: reads the stream after the drain's cursor, sends, waits for the acceptance, moves the
 * cursor. Every line at least once and in order; what fell out of the stream before it could be sent is counted
 * and told.
 */

import { within } from '../../common/within.ts';
import type { Lease, Sequence, Store, StoredBatch } from '../store/contract.ts';
import type { Reader } from '../store/reader.ts';
import type { DrainState } from './drain-state.ts';
import type { DrainRecord } from './options/drain.ts';
import { type Outlet, OutletError } from './outlet.ts';
import { Health } from './progress/health.ts';
import { Losses } from './progress/losses.ts';
import { Pace } from './progress/pace.ts';
import { Progress, Superseded } from './progress/progress.ts';
import { RefusedBatches } from './progress/refused.ts';
import { isOwnTidings, type TellApp } from './progress/tidings.ts';
import { UnderWay } from './progress/under-way.ts';
import { loadShipment, type Shipment } from './shipment.ts';
import { nobodyListens } from './sinks/knocking.ts';

/** A cursor that moves all the time is written this often. */
const SAVE_MS = 250;

export interface WorkerOptions {
  readonly drain: DrainRecord;
  readonly store: Store;
  readonly reader: Reader;
  readonly lease: Lease;
  readonly outlet: (drain: DrainRecord) => Outlet;
  /** Calls `open` when somebody listens at the destination again, until the returned function is called. */
  readonly whenOpen?: (open: () => void) => () => void;
  /** What the drain's filters and rules leave of a shipment; left out: everything. */
  readonly refine?: (shipment: Shipment) => Shipment;
  readonly tellApp: TellApp;
  readonly random: () => number;
}

export class DrainWorker {
  private readonly options: WorkerOptions;
  private readonly progress: Progress;
  private readonly losses: Losses;
  private readonly health: Health;
  private readonly underWay = new UnderWay();
  private readonly pace = new Pace(() => (this.stopping ? Infinity : this.options.reader.newest - this.sent));
  private sent: Sequence = 0;
  /** Read, and not yet sent. */
  private ahead: readonly StoredBatch[] = [];
  private settling: Promise<void> | undefined;
  private state: DrainState['state'] = 'starting';
  private waitingSinceMs = 0;
  private savedAtMs = 0;
  /** How long the last shipment took. */
  private answerMs = 0;
  private stopping = false;
  /** Nobody listened at the destination the last time. */
  private isAway = false;
  private nudge = () => {};
  private finished: Promise<void> = Promise.resolve();

  constructor(options: WorkerOptions) {
    const { store, drain, lease, tellApp } = options;
    this.options = options;
    this.progress = new Progress(store, drain, lease.fence);
    this.losses = new Losses(drain.token, this.progress, tellApp);
    this.health = new Health(options);
  }

  /** Starts to work; `gone` is called when it stops by itself, because another process took over. */
  start(gone: () => void): void {
    const ungrow = this.options.reader.onGrow(() => this.wake());
    this.finished = this.run()
      .catch(() => gone())
      .finally(() => {
        ungrow();
        this.losses.stop();
        this.state = 'stopped';
      });
  }

  /** Stops: what is under way is finished for up to `graceMs`, the cursor is written. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    this.wake();
    await within(graceMs, this.finished);
  }

  describe(): DrainState {
    const { cursor } = this.progress;
    const { lagLines } = this;
    return {
      state: this.state,
      delivered: cursor.delivered,
      lost: cursor.lost,
      withheld: cursor.withheld ?? 0,
      after: cursor.after,
      lagLines,
      lagMs: lagLines > 0 && this.waitingSinceMs > 0 ? Math.max(0, Date.now() - this.waitingSinceMs) : 0,
      nextAttemptAt:
        this.state === 'retrying' ? new Date(this.health.nextAttemptMs).toISOString() : undefined,
      ...this.health.describe(),
    };
  }

  private wake(): void {
    this.nudge();
    this.pace.look();
  }

  private get lagLines(): number {
    return Math.max(0, this.options.reader.newest - this.progress.cursor.after);
  }

  private async run(): Promise<void> {
    await this.options.reader.ready;
    await this.progress.load();
    this.losses.resume();
    while (!this.stopping) {
      this.sent = this.progress.cursor.after;
      const outlet = this.options.outlet(this.options.drain);
      try {
        await this.deliver(outlet);
      } catch (error) {
        if (error instanceof Superseded) throw error;
        this.failed(error);
      } finally {
        this.ahead = []; // a drain that waits costs no memory
        this.underWay.clear();
        this.settling = undefined;
        await outlet.close();
      }
      if (!this.stopping) await this.pause();
    }
    if (this.progress.dirty) await this.progress.save();
  }

  /** Sends shipment after shipment until something fails or the worker is stopped. */
  private async deliver(outlet: Outlet): Promise<void> {
    while (!this.stopping) {
      if (outlet.named) await this.pace.next();
      const shipment = await this.nextShipment(outlet);
      if (shipment) await this.ship(outlet, shipment);
      else await this.rest(outlet);
    }
    this.accept(await outlet.settle());
  }

  private async nextShipment(outlet: Outlet): Promise<Shipment | undefined> {
    const unsent = this.ahead.findIndex((batch) => batch.last > this.sent);
    const batches = unsent === -1 ? await this.options.reader.readAfter(this.sent) : this.ahead.slice(unsent);
    this.ahead = batches;
    if (batches.length === 0) return undefined;
    const { first, storedAtMs } = batches[0];
    if (first > this.sent + 1) {
      // What was sent before the gap is accepted or not, but the cursor can't wait for it behind lines that are gone.
      this.accept(await outlet.settle());
      this.underWay.clear();
      this.lose(first - 1, storedAtMs);
    }
    if (this.progress.cursor.after === this.sent) this.waitingSinceMs = storedAtMs;
    const { upTo } = this.progress.cursor;
    return loadShipment(batches, this.sent, outlet.shipmentBytes, outlet.named ? upTo : undefined);
  }

  /** The stream doesn't hold the lines up to `upTo` any more; what it holds was stored from `untilMs` on. */
  private lose(upTo: Sequence, untilMs: number): void {
    const { after, storedAtMs } = this.progress.cursor;
    const count = upTo - after;
    if (count > 0) {
      const sinceMs = storedAtMs || this.waitingSinceMs || untilMs;
      this.progress.settled(upTo, { lost: count }, sinceMs);
      this.losses.add({ count, sinceMs, untilMs });
    }
    this.sent = upTo;
  }

  private async ship(outlet: Outlet, loaded: Shipment): Promise<void> {
    this.state = this.health.isFailing ? 'retrying' : 'delivering';
    const shipment = this.options.refine?.(loaded) ?? loaded;
    const notice = this.underWay.isTelling ? undefined : this.losses.notice;
    const nothing = shipment.count === 0 && !notice && (outlet.named || this.underWay.isEmpty);
    this.underWay.add(shipment, notice?.count ?? 0);
    if (nothing) this.accept(shipment.last);
    else {
      if (outlet.named) {
        if (this.progress.cursor.upTo !== shipment.last) this.progress.intend(shipment.last);
        if (this.progress.dirty) await this.progress.save();
      }
      await this.send(outlet, shipment, notice);
      this.state = 'delivering';
    }
    this.sent = shipment.last;
    const late = Date.now() - this.savedAtMs > SAVE_MS;
    if (this.progress.dirty && late && (nothing || !outlet.named)) await this.save();
  }

  private async send(outlet: Outlet, shipment: Shipment, notice: Losses['notice']): Promise<void> {
    const beganMs = performance.now();
    this.pace.begins();
    try {
      const accepted = await outlet.send(shipment, notice);
      this.answerMs = performance.now() - beganMs;
      this.accept(accepted, outlet.lastAnswer);
    } catch (error) {
      if (!(error instanceof OutletError) || !error.refused) throw error;
      this.underWay.clear();
      await this.refused(shipment, error, performance.now() - beganMs);
    }
  }

  /** Nothing to send: waits for lines, and meanwhile for certainty about what was sent. */
  private async rest(outlet: Outlet): Promise<void> {
    if (!this.health.isFailing) this.state = 'idle';
    const grown = new Promise<void>((resolve) => {
      this.nudge = resolve;
    });
    if (this.options.reader.newest > this.sent || this.stopping) return;
    if (this.progress.cursor.after < this.sent) {
      await Promise.race([grown, this.settle(outlet)]);
    } else if (this.progress.dirty) await this.save();
    else await grown;
  }

  /** Waits for certainty about what was sent; one wait at a time, however often lines come between. */
  private settle(outlet: Outlet): Promise<void> {
    this.settling ??= outlet
      .settle()
      .then((accepted) => this.accept(accepted))
      .finally(() => {
        this.settling = undefined;
      });
    this.settling.catch(() => {});
    return this.settling;
  }

  private accept(upTo: Sequence, answer = ''): void {
    const arrived = this.underWay.takeUpTo(upTo);
    if (!arrived) return;
    this.progress.settled(upTo, arrived, arrived.storedAtMs);
    const { delivered, told } = arrived;
    if (delivered + told > 0) this.health.accepted(delivered, answer, this.answerMs, this.lagLines);
    if (arrived.told > 0) this.losses.delivered(arrived.told);
  }

  private async save(): Promise<void> {
    this.savedAtMs = Date.now();
    await this.progress.save();
  }

  /** The destination said that it will never take these lines: they are kept aside. */
  private async refused(shipment: Shipment, error: OutletError, ms: number): Promise<void> {
    const { store, drain } = this.options;
    const { first, last, storedAtMs } = shipment;
    const { count } = error.refusedLines ?? shipment;
    this.health.refused(error.message, ms);
    const counts = {
      lost: count,
      delivered: shipment.count - count,
      withheld: last - first + 1 - shipment.count,
    };
    const settle = (): void => this.progress.settled(last, counts, storedAtMs);
    // What was said of the refusal before is refused as well: saying that again would never end.
    if (isOwnTidings(shipment)) return settle();
    await new RefusedBatches(store, drain).keep(shipment, error);
    settle();
    const sinceMs = shipment.parts[0]?.batch.storedAtMs ?? storedAtMs;
    this.losses.add({ count, sinceMs, untilMs: storedAtMs, refusal: error.message });
  }

  private failed(error: unknown): void {
    this.isAway = nobodyListens(error);
    this.health.failed(error);
    this.state = 'retrying';
  }

  private async pause(): Promise<void> {
    if (this.progress.dirty)
      await this.save().catch((error: unknown) => {
        if (error instanceof Superseded) throw error;
        this.failed(error); // the store is away as well
      });
    const { reader, whenOpen } = this.options;
    let timer: NodeJS.Timeout | undefined;
    let ends: (() => void)[] = [];
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, this.health.nextAttemptMs - Date.now()));
      // What was waited for may be back before that: the store, or whoever listens at the destination.
      ends = [reader.onAbsence((away) => away || resolve())];
      if (this.isAway && whenOpen) ends.push(whenOpen(resolve));
      this.nudge = () => {
        if (this.stopping) resolve();
      };
      if (this.stopping) resolve();
    });
    clearTimeout(timer);
    for (const end of ends) end();
  }
}
