/**
 * Works on one drain: reads the stream after the drain's cursor, sends, waits for the acceptance, moves the
 * cursor. Every line at least once and in order; what fell out of the stream before it could be sent is counted
 * and told.
 */

import type { Lease, Sequence, Store, StoredBatch } from '../store/contract.ts';
import type { Reader } from '../store/reader.ts';
import { backoffMs } from './backoff.ts';
import type { DrainRecord } from './drain.ts';
import { Losses } from './losses.ts';
import { type Outlet, OutletError } from './outlet.ts';
import { Progress, Superseded } from './progress.ts';
import { loadShipment, type Shipment } from './shipment.ts';

/** A cursor that moves all the time is written this often. */
const SAVE_MS = 250;

export interface WorkerOptions {
  readonly drain: DrainRecord;
  readonly store: Store;
  readonly reader: Reader;
  readonly lease: Lease;
  readonly outlet: (drain: DrainRecord) => Outlet;
  /** Writes a line of the platform (`heroku[logplex]`) into the app's stream. */
  readonly tellApp: (message: string) => void;
  readonly random: () => number;
}

/** What a drain is doing, for people. */
export interface DrainState {
  readonly state: 'starting' | 'delivering' | 'idle' | 'retrying' | 'stopped';
  readonly delivered: number;
  readonly lost: number;
  readonly after: Sequence;
  readonly lagLines: number;
  /** How long the oldest line that isn't accepted has waited. */
  readonly lagMs: number;
  readonly lastError?: string;
  readonly lastErrorAt?: string;
  readonly nextAttemptAt?: string;
}

export class DrainWorker {
  private readonly options: WorkerOptions;
  private readonly progress: Progress;
  private readonly losses: Losses;
  private sent: Sequence = 0;
  /** Read, and not yet sent. */
  private ahead: readonly StoredBatch[] = [];
  private settling: Promise<void> | undefined;
  private attempt = 0;
  private state: DrainState['state'] = 'starting';
  private lastError: { message: string; at: string } | undefined;
  private nextAttemptMs = 0;
  private waitingSinceMs = 0;
  private savedAtMs = 0;
  private stopping = false;
  private nudge = () => {};
  private finished: Promise<void> = Promise.resolve();

  constructor(options: WorkerOptions) {
    this.options = options;
    this.progress = new Progress(options.store, options.drain, options.lease.fence);
    this.losses = new Losses(options.drain.token, options.tellApp);
  }

  /** Starts to work; `gone` is called when it stops by itself, because another process took over. */
  start(gone: () => void): void {
    const ungrow = this.options.reader.onGrow(() => this.nudge());
    this.finished = this.run()
      .catch(() => gone())
      .finally(() => {
        ungrow();
        this.losses.close();
        this.state = 'stopped';
      });
  }

  /** Stops: what is under way is finished for up to `graceMs`, the cursor is written. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    this.nudge();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.finished, late]);
    clearTimeout(timer);
  }

  describe(): DrainState {
    const { cursor } = this.progress;
    const lagLines = Math.max(0, this.options.reader.newest - cursor.after);
    return {
      state: this.state,
      delivered: cursor.delivered,
      lost: cursor.lost,
      after: cursor.after,
      lagLines,
      lagMs: lagLines > 0 && this.waitingSinceMs > 0 ? Math.max(0, Date.now() - this.waitingSinceMs) : 0,
      lastError: this.lastError?.message,
      lastErrorAt: this.lastError?.at,
      nextAttemptAt: this.state === 'retrying' ? new Date(this.nextAttemptMs).toISOString() : undefined,
    };
  }

  private async run(): Promise<void> {
    await this.options.reader.ready;
    await this.progress.load();
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
      const count = this.progress.lost(first - 1);
      if (count > 0) this.losses.trimmed(count, this.waitingSinceMs || storedAtMs);
      this.sent = first - 1;
    }
    if (this.progress.cursor.after === this.sent) this.waitingSinceMs = storedAtMs;
    const { upTo } = this.progress.cursor;
    return loadShipment(batches, this.sent, outlet.shipmentBytes, outlet.named ? upTo : undefined);
  }

  private async ship(outlet: Outlet, shipment: Shipment): Promise<void> {
    this.state = this.attempt > 0 ? 'retrying' : 'delivering';
    const { notice } = this.losses;
    if (outlet.named) {
      if (this.progress.cursor.upTo !== shipment.last) this.progress.intend(shipment.last);
      if (this.progress.dirty) await this.progress.save();
    }
    try {
      this.accept(await outlet.send(shipment, notice));
      this.losses.accepted(notice);
    } catch (error) {
      if (!(error instanceof OutletError) || !error.refused) throw error;
      this.refused(shipment, error);
    }
    this.sent = shipment.last;
    this.attempt = 0;
    this.state = 'delivering';
    if (this.progress.dirty && Date.now() - this.savedAtMs > SAVE_MS && !outlet.named) await this.save();
  }

  /** Nothing to send: waits for lines, and meanwhile for certainty about what was sent. */
  private async rest(outlet: Outlet): Promise<void> {
    this.state = 'idle';
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

  private accept(upTo: Sequence): void {
    this.progress.accepted(upTo);
  }

  private async save(): Promise<void> {
    this.savedAtMs = Date.now();
    await this.progress.save();
  }

  /** The destination said that it will never take these lines. */
  private refused(shipment: Shipment, error: OutletError): void {
    const count = this.progress.lost(shipment.last);
    this.note(error.message);
    this.losses.refused(count, error.message);
  }

  private failed(error: unknown): void {
    this.attempt++;
    this.note(error instanceof Error ? error.message : String(error));
    const asked = error instanceof OutletError ? error.retryAfterMs : undefined;
    this.nextAttemptMs = Date.now() + Math.max(backoffMs(this.attempt, this.options.random()), asked ?? 0);
    this.state = 'retrying';
  }

  private note(message: string): void {
    this.lastError = { message, at: new Date().toISOString() };
  }

  private async pause(): Promise<void> {
    if (this.progress.dirty)
      await this.save().catch((error: unknown) => {
        if (error instanceof Superseded) throw error;
        this.failed(error); // the store is away as well
      });
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, this.nextAttemptMs - Date.now()));
      this.nudge = () => {
        if (this.stopping) resolve();
      };
      if (this.stopping) resolve();
    });
    clearTimeout(timer);
  }
}
