/**
 * One drain that this router works on, from the moment its lease was acquired until everything has ended that works under it:
 * then the lease is released, and the drain may be worked on anew, here or elsewhere.
 */
import type { Log } from '../../common/log.ts';
import { waitWithTimeout } from '../../common/wait-with-timeout.ts';
import type { AppId, Lease, Store } from '../store/contract.ts';
import type { StreamReaders } from '../store/stream-reader.ts';
import type { DrainState } from './drain-state.ts';
import { DrainWorker } from './drain-worker.ts';
import { createShipmentTransform } from './filter/transform.ts';
import { LeaseHold } from './lease-hold.ts';
import type { DrainRecord } from './options/drain-record.ts';
import { FencedError } from './progress/cursor-state.ts';
import { storedFence } from './progress/drain-cursor.ts';
import type { DrainEventKind } from './progress/drain-events.ts';
import type { OutletFactory } from './sinks/outlet-factory.ts';
import type { StoreTime } from './store-time.ts';

/** A lease that isn't renewed for this long expires; it is renewed three times as often. */
export const DRAIN_LEASE_MS = 6_000;
/** A worker whose connection was closed ends within this time, unless the store hangs. */
const ABORT_MS = 1_000;

export interface RunningDrainOptions {
  readonly store: Store;
  readonly time: StoreTime;
  readonly readers: StreamReaders;
  readonly outlets: OutletFactory;
  /** Writes a platform line into an app's stream. */
  readonly logToApp: (app: AppId, kind: DrainEventKind, message: string) => void;
  readonly log: Log;
}

export class RunningDrain {
  readonly drain: DrainRecord;
  /** Resolves when nothing works on the drain here any more, and its lease is released. */
  readonly ended: Promise<void>;
  private readonly options: RunningDrainOptions;
  private readonly hold: LeaseHold;
  /** The one to release. */
  private lease: Lease;
  private readonly worker: DrainWorker;
  private readonly closeReader: () => void;
  private isEnding = false;

  /**
   * Acquires a drain's lease and starts to work on it; undefined while another router holds the lease.
   * @param owner this router's id
   */
  static async acquire(
    drain: DrainRecord,
    owner: string,
    options: RunningDrainOptions,
  ): Promise<RunningDrain | undefined> {
    const above = await storedFence(options.store, drain);
    const requestedAtMs = performance.now();
    const lease = await options.store.acquireLease(leaseName(drain), owner, DRAIN_LEASE_MS, above);
    return lease && new RunningDrain(drain, lease, requestedAtMs + DRAIN_LEASE_MS, options);
  }

  private constructor(drain: DrainRecord, lease: Lease, heldUntilMs: number, options: RunningDrainOptions) {
    const { store, time, readers, outlets, logToApp, log } = options;
    const ids = { app: drain.app, drain: drain.id };
    const { reader, close } = readers.open(drain.app);
    this.drain = drain;
    this.options = options;
    this.lease = lease;
    this.hold = new LeaseHold(lease, heldUntilMs);
    this.closeReader = close;
    this.worker = new DrainWorker({
      drain,
      store,
      time,
      reader,
      lease: this.hold,
      createOutlet: (record) => outlets.create(record),
      onReachable: (open) => outlets.onReachable(drain, open),
      transform: createShipmentTransform(drain.options),
      logToApp: (kind, message) => {
        log.info({ ...ids, kind }, message);
        logToApp(drain.app, kind, message);
      },
      random: Math.random,
    });
    log.debug({ ...ids, fence: lease.fence }, 'drain worker started');
    this.ended = this.worker.run().then(
      () => this.end(),
      (error: unknown) => this.end(error),
    );
  }

  /** See {@link DrainWorker.lagLines}. */
  get lagLines(): number {
    return this.worker.lagLines;
  }

  /** See {@link DrainWorker.snapshot}. */
  snapshot(): DrainState {
    return this.worker.snapshot();
  }

  /**
   * Renews the lease. When another router has it, or had it meanwhile, the work ends at once: what is on its way isn't waited for.
   * @throws TailraceError when the store can't be reached; then the work pauses until it can, or the lease has expired.
   */
  async renew(): Promise<void> {
    if (this.isEnding) return;
    const { store } = this.options;
    const { name, owner, fence } = this.hold.lease;
    const requestedAtMs = performance.now();
    // One that the store has lost keeps its fence.
    const lease = await store.acquireLease(name, owner, DRAIN_LEASE_MS, fence - 1);
    if (lease?.fence === fence) this.hold.renewed(requestedAtMs + DRAIN_LEASE_MS);
    else {
      // It was lost, and is ours again, since nobody else wants it: what works under the old one has to end nevertheless.
      this.lease = lease ?? this.lease;
      this.isEnding = true;
      this.hold.lose();
      this.worker.abort();
    }
  }

  /** Ends the work; what is on its way has up to `graceMs`. Resolves when it has ended, or as good as. */
  async stop(graceMs: number): Promise<void> {
    this.isEnding = true;
    await this.worker.stop(graceMs);
    await waitWithTimeout(ABORT_MS, this.ended);
  }

  private async end(error?: unknown): Promise<void> {
    const { store, log } = this.options;
    const { app, id } = this.drain;
    const ids = { app, drain: id };
    if (error instanceof FencedError)
      log.info(ids, 'drain worker stopped: another router has the drain now, or it is gone');
    else if (error !== undefined && !this.isEnding) log.warn({ ...ids, err: error }, 'drain worker failed');
    else log.debug(ids, 'drain worker stopped');
    this.isEnding = true;
    this.closeReader();
    await store.releaseLease(this.lease).catch(() => {}); // it expires
  }
}

function leaseName({ id }: DrainRecord): string {
  return `drain/${id}`;
}
