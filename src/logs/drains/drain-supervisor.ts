/**
 * Runs a worker for each drain that is assigned to this router (assignment.ts). A lease with a fencing token keeps two routers
 * from delivering the same drain while they see different members or drains.
 */

import { CoalescedRun } from '../../common/coalesced-run.ts';
import type { Log } from '../../common/log.ts';
import type { AppId, Lease, Store } from '../store/contract.ts';
import type { StreamReaders } from '../store/stream-reader.ts';
import { assignDrains } from './assignment.ts';
import type { DrainState } from './drain-state.ts';
import { DrainWorker } from './drain-worker.ts';
import { createShipmentTransform } from './filter/transform.ts';
import { Membership, ROUTERS_SCOPE, type RouterLoad, type RouterRecord } from './membership.ts';
import { type DrainRecord, isSameDrain } from './options/drain-record.ts';
import { storedFence } from './progress/drain-cursor.ts';
import type { DrainEventKind } from './progress/drain-events.ts';
import type { OutletFactory } from './sinks/outlet-factory.ts';

/** A lease that isn't renewed for this long expires; it is renewed three times as often. */
const LEASE_MS = 6_000;
/** Leases that are acquired at a time. */
const CONCURRENT_LEASES_MAX = 200;
/** Grace for shipments in flight when a drain is changed or moves to another router: syslog confirms them after a second. */
const HANDOVER_GRACE_MS = 1_500;

export interface DrainSupervisorOptions {
  readonly store: Store;
  readonly readers: StreamReaders;
  readonly outlets: OutletFactory;
  readonly version: string;
  /** Writes a platform line into an app's stream. */
  readonly logToApp: (app: AppId, kind: DrainEventKind, message: string) => void;
  readonly log: Log;
}

interface RunningDrain {
  readonly drain: DrainRecord;
  readonly worker: DrainWorker;
  readonly lease: Lease;
  readonly close: () => void;
}

export class DrainSupervisor {
  private readonly options: DrainSupervisorOptions;
  private readonly membership: Membership;
  private readonly running = new Map<string, RunningDrain>();
  private readonly unwatch: () => void;
  private readonly timer: NodeJS.Timeout;
  /** The active drains of all routers; undefined when they have to be loaded again. */
  private drains: ReadonlyMap<string, DrainRecord> | undefined;
  private assignment: { readonly inputs: string; readonly ids: ReadonlySet<string> } = {
    inputs: '',
    ids: new Set(),
  };
  private readonly reconciliation = new CoalescedRun(() => this.tryReconcile());
  private isFailing = false;
  private isClosed = false;

  constructor(options: DrainSupervisorOptions) {
    this.options = options;
    this.membership = new Membership(options.store, options.version, options.log);
    this.unwatch = options.store.watchRecords((scope) => {
      if (scope === '') this.drains = undefined;
      if (scope === '' || scope === ROUTERS_SCOPE) void this.reconcile();
    });
    this.timer = setInterval(() => void this.reconcile(), LEASE_MS / 3);
  }

  /** Starts and stops workers until they match the drains' records and the assignment. */
  reconcile(): Promise<void> {
    return this.reconciliation.request();
  }

  /** The state of a drain whose worker runs here; undefined for any other. */
  stateOf(drainId: string): DrainState | undefined {
    return this.running.get(drainId)?.worker.snapshot();
  }

  /** The drains whose workers run here, and their states. */
  list(): { drain: DrainRecord; state: DrainState }[] {
    return [...this.running.values()].map(({ drain, worker }) => ({ drain, state: worker.snapshot() }));
  }

  /** The routers that share the drains: all members. */
  routers(): Promise<RouterRecord[]> {
    return this.membership.routers();
  }

  /** Stops all workers; shipments in flight have up to `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    this.unwatch();
    await this.reconciliation.idle();
    await Promise.all([...this.running.keys()].map((id) => this.stopWorker(id, graceMs)));
    await this.membership.leave().catch(() => {}); // its lease expires
  }

  private async tryReconcile(): Promise<void> {
    if (this.isClosed) return;
    try {
      await this.reconcileOnce();
      this.isFailing = false;
    } catch (error) {
      const message = 'the drains could not be looked up; they go on as they were';
      if (!this.isFailing) this.options.log.warn({ err: error }, message);
      this.isFailing = true;
    }
  }

  private async reconcileOnce(): Promise<void> {
    const routers = await this.membership.heartbeat(this.currentLoad());
    const drains = await this.loadDrains();
    const mine = this.ownDrainIds(drains, routers);
    const stale = [...this.running.values()].filter(
      ({ drain }) => !mine.has(drain.id) || !isSameDrain(drains.get(drain.id), drain),
    );
    await Promise.all(stale.map(({ drain }) => this.stopWorker(drain.id, HANDOVER_GRACE_MS)));
    const wanted = [...mine];
    for (let i = 0; i < wanted.length && !this.isClosed; i += CONCURRENT_LEASES_MAX)
      await Promise.all(
        wanted.slice(i, i + CONCURRENT_LEASES_MAX).map((id) => this.acquireAndRun(id, drains)),
      );
  }

  /** Renews or acquires a drain's lease, and runs its worker while this router holds it. */
  private async acquireAndRun(id: string, drains: ReadonlyMap<string, DrainRecord>): Promise<void> {
    const { store } = this.options;
    const drain = drains.get(id);
    const held = this.running.get(id)?.lease;
    // Renewed in a store that has lost it, a lease keeps its fence.
    const above = held ? held.fence - 1 : drain ? await storedFence(store, drain) : 0;
    const lease = await store.acquireLease(`drain/${id}`, this.membership.id, LEASE_MS, above);
    const current = this.running.get(id);
    if (current && current.lease.fence !== lease?.fence) await this.stopWorker(id, 0);
    if (lease && drain && !this.running.has(id) && !this.isClosed) this.startWorker(drain, lease);
  }

  private currentLoad(): RouterLoad {
    let lagLines = 0;
    for (const { worker } of this.running.values()) lagLines += worker.snapshot().lagLines;
    return { drains: this.running.size, lagLines };
  }

  private async loadDrains(): Promise<ReadonlyMap<string, DrainRecord>> {
    if (this.drains) return this.drains;
    const empty = new Map<string, DrainRecord>();
    this.drains = empty;
    try {
      const records = await this.options.store.list<DrainRecord>('', 'drain/');
      const active = records.map(({ value }) => value).filter(({ paused }) => !paused);
      const drains = new Map(active.map((drain) => [drain.id, drain]));
      // A change that was reported meanwhile has reset them: they are loaded again next time.
      if (this.drains === empty) this.drains = drains;
      return drains;
    } catch (error) {
      this.drains = undefined;
      throw error;
    }
  }

  /** The drains that are assigned to this router. */
  private ownDrainIds(
    drains: ReadonlyMap<string, DrainRecord>,
    routers: readonly string[],
  ): ReadonlySet<string> {
    const ids = [...drains.keys()];
    const inputs = [...[...routers].sort(), ...ids.sort()].join(' ');
    if (inputs !== this.assignment.inputs) {
      const assigned = assignDrains(ids, routers);
      this.assignment = { inputs, ids: new Set(ids.filter((id) => assigned.get(id) === this.membership.id)) };
    }
    return this.assignment.ids;
  }

  private startWorker(drain: DrainRecord, lease: Lease): void {
    const { store, readers, outlets, logToApp, log } = this.options;
    const ids = { app: drain.app, drain: drain.id };
    log.debug({ ...ids, fence: lease.fence }, 'drain worker started');
    const { reader, close } = readers.open(drain.app);
    const worker = new DrainWorker({
      drain,
      store,
      reader,
      lease,
      createOutlet: (record) => outlets.create(record),
      onReachable: (open) => outlets.onReachable(drain, open),
      transform: createShipmentTransform(drain.options),
      logToApp: (kind, message) => {
        log.info({ ...ids, kind }, message);
        logToApp(drain.app, kind, message);
      },
      random: Math.random,
    });
    this.running.set(drain.id, { drain, worker, lease, close });
    worker.start(() => {
      log.info(ids, 'drain worker stopped: another router has the drain now');
      this.running.delete(drain.id);
      close();
    });
  }

  private async stopWorker(id: string, graceMs: number): Promise<void> {
    const stopped = this.running.get(id);
    if (!stopped) return;
    this.running.delete(id);
    await stopped.worker.stop(graceMs);
    stopped.close();
    const { app } = stopped.drain;
    this.options.log.debug({ app, drain: id }, 'drain worker stopped');
    await this.options.store.releaseLease(stopped.lease).catch(() => {}); // it expires
  }
}
