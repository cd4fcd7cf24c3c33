/**
 * Runs a worker for each drain that is assigned to this router (assignment.ts). A lease with a fencing token keeps two routers
 * from delivering the same drain while they see different members or drains.
 */

import { CoalescedRun } from '../../common/coalesced-run.ts';
import { waitWithTimeout } from '../../common/wait-with-timeout.ts';
import { mayHaveChanged } from '../store/contract.ts';
import { assignDrains } from './assignment.ts';
import type { DrainState } from './drain-state.ts';
import { Membership, ROUTERS_SCOPE, type RouterLoad, type RouterRecord } from './membership.ts';
import { DRAIN_PREFIX, type DrainRecord, drainKey, isSameDrain } from './options/drain-record.ts';
import { DRAIN_LEASE_MS, RunningDrain, type RunningDrainOptions } from './running-drain.ts';
import { StoreTime } from './store-time.ts';

/** Leases that are acquired or renewed at a time. */
const CONCURRENT_LEASES_MAX = 200;
/** Records of drains that are loaded one by one; of more, all are. */
const CHANGES_LOADED_MAX = 20;
/** While the store is unavailable it is asked again this often: leases run out meanwhile. */
const RETRY_MS = 250;
/** Grace for shipments in flight when a drain is changed or moves to another router: syslog confirms them after a second. */
const HANDOVER_GRACE_MS = 1_500;
/** For telling the other routers that this one leaves. */
const LEAVE_MS = 1_000;

export interface DrainSupervisorOptions extends Omit<RunningDrainOptions, 'time'> {
  readonly version: string;
  /** Of this server: drains of other servers' add-ons are left to them. Undefined: it has no add-ons. */
  readonly serverId: () => string | undefined;
}

export class DrainSupervisor {
  private readonly options: DrainSupervisorOptions;
  private readonly time: StoreTime;
  private readonly membership: Membership;
  /** By the drains' ids, each until all of it has ended: so a drain has one worker here, and no worker is forgotten. */
  private readonly running = new Map<string, RunningDrain>();
  private readonly unwatch: () => void;
  private readonly timer: NodeJS.Timeout;
  /** The active drains of all routers; undefined when they have to be loaded again. */
  private drains: Map<string, DrainRecord> | undefined;
  /** Ids of those whose records may have changed since. */
  private changed = new Set<string>();
  /** Not with every change of a drain: that one alone concerns the others' leases nothing. */
  private isRenewalDue = false;
  private assignment: { readonly inputs: string; readonly ids: ReadonlySet<string> } = {
    inputs: '',
    ids: new Set(),
  };
  private readonly reconciliation = new CoalescedRun(() => this.tryReconcile());
  private isFailing = false;
  private retryTimer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(options: DrainSupervisorOptions) {
    this.options = options;
    this.time = new StoreTime(options.store);
    this.membership = new Membership(options.store, this.time, options.version, options.log);
    this.unwatch = options.store.watchRecords((scope, keys) => {
      const isOfDrains = scope === '' && mayHaveChanged(keys, DRAIN_PREFIX);
      if (isOfDrains) this.noteChanged(keys);
      if (isOfDrains || scope === ROUTERS_SCOPE) void this.reconcile();
    });
    this.timer = setInterval(() => {
      this.isRenewalDue = true;
      void this.reconcile();
    }, DRAIN_LEASE_MS / 3);
  }

  /** Starts and stops workers until they match the drains' records and the assignment. */
  reconcile(): Promise<void> {
    return this.reconciliation.request();
  }

  /** The state of a drain whose worker runs here; undefined for any other. */
  stateOf(drainId: string): DrainState | undefined {
    return this.running.get(drainId)?.snapshot();
  }

  /** The drains whose workers run here, and their states. */
  list(): { drain: DrainRecord; state: DrainState }[] {
    return [...this.running.values()].map((running) => ({ drain: running.drain, state: running.snapshot() }));
  }

  /** The routers that share the drains: all members. */
  routers(): Promise<RouterRecord[]> {
    return this.membership.routers();
  }

  /** Stops all workers; shipments in flight have up to `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    clearTimeout(this.retryTimer);
    this.unwatch();
    await Promise.all([
      // The store may hang: nothing is started by a reconciliation that goes on.
      waitWithTimeout(graceMs, this.reconciliation.idle()),
      ...[...this.running.values()].map((running) => running.stop(graceMs)),
    ]);
    // The store may hang; its lease expires.
    await waitWithTimeout(
      LEAVE_MS,
      this.membership.leave().catch(() => {}),
    );
  }

  private async tryReconcile(): Promise<void> {
    if (this.isClosed) return;
    try {
      await this.reconcileOnce();
      this.isFailing = false;
    } catch (error) {
      this.isRenewalDue = true;
      const message =
        'the drains could not be looked up: they go on under the leases that they have, and pause when these have run out';
      if (!this.isFailing) this.options.log.warn({ err: error }, message);
      this.isFailing = true;
      clearTimeout(this.retryTimer);
      this.retryTimer = setTimeout(() => void this.reconcile(), RETRY_MS).unref();
    }
  }

  private async reconcileOnce(): Promise<void> {
    // First, and whatever becomes of the rest: work under a lease that may have expired pauses.
    if (this.isRenewalDue) {
      this.isRenewalDue = false;
      await inChunks([...this.running.values()], (running) => this.renew(running));
    }
    const routers = await this.membership.heartbeat(this.currentLoad());
    const drains = await this.loadDrains();
    const mine = this.ownDrainIds(drains, routers);
    const stale = [...this.running.values()].filter(
      ({ drain }) => !mine.has(drain.id) || !isSameDrain(drains.get(drain.id), drain),
    );
    await Promise.all(stale.map((running) => running.stop(HANDOVER_GRACE_MS)));
    await inChunks(
      [...mine].filter((id) => !this.running.has(id)),
      (id) => this.acquireAndRun(drains.get(id)),
    );
  }

  private async renew(running: RunningDrain): Promise<void> {
    try {
      await running.renew();
    } catch (error) {
      const { app, id } = running.drain;
      this.isRenewalDue = true;
      this.options.log.debug({ app, drain: id, err: error }, "the drain's lease could not be renewed");
    }
  }

  private async acquireAndRun(drain: DrainRecord | undefined): Promise<void> {
    if (!drain || this.isClosed) return;
    const running = await RunningDrain.acquire(drain, this.membership.id, {
      ...this.options,
      time: this.time,
    });
    if (!running) return;
    this.running.set(drain.id, running);
    void running.ended.then(() => this.running.delete(drain.id));
    if (this.isClosed) await running.stop(0);
  }

  private currentLoad(): RouterLoad {
    let lagLines = 0;
    for (const running of this.running.values()) lagLines += running.lagLines;
    return { drains: this.running.size, lagLines };
  }

  /** @param keys of records that may have changed; undefined: any may */
  private noteChanged(keys: readonly string[] | undefined): void {
    if (keys === undefined) this.drains = undefined;
    else
      for (const key of keys)
        if (key.startsWith(DRAIN_PREFIX)) this.changed.add(key.slice(DRAIN_PREFIX.length));
  }

  private async loadDrains(): Promise<ReadonlyMap<string, DrainRecord>> {
    if (this.drains && this.changed.size <= CHANGES_LOADED_MAX) return this.loadChanged(this.drains);
    this.changed.clear();
    const empty = new Map<string, DrainRecord>();
    this.drains = empty;
    try {
      const records = await this.options.store.list<DrainRecord>('', DRAIN_PREFIX);
      const drains = new Map<string, DrainRecord>();
      for (const { value } of records) if (this.isActive(value)) drains.set(value.id, value);
      // A change that was reported meanwhile has reset them: they are loaded again next time.
      if (this.drains === empty) this.drains = drains;
      return drains;
    } catch (error) {
      this.drains = undefined;
      throw error;
    }
  }

  /** Brings what may have changed up to date; what changes meanwhile is loaded the next time. */
  private async loadChanged(drains: Map<string, DrainRecord>): Promise<ReadonlyMap<string, DrainRecord>> {
    const ids = [...this.changed];
    this.changed.clear();
    try {
      for (const id of ids) {
        const drain = (await this.options.store.get<DrainRecord>('', drainKey(id)))?.value;
        if (drain && this.isActive(drain)) drains.set(id, drain);
        else drains.delete(id);
      }
    } catch (error) {
      for (const id of ids) this.changed.add(id);
      throw error;
    }
    return drains;
  }

  /** Of any server, or of this one's add-ons. */
  private isActive({ paused, server }: DrainRecord): boolean {
    return !paused && (server === undefined || server === this.options.serverId());
  }

  /** The drains that are assigned to this router: of those that any may deliver its share, and its own. */
  private ownDrainIds(
    drains: ReadonlyMap<string, DrainRecord>,
    routers: readonly string[],
  ): ReadonlySet<string> {
    const all = [...drains.values()];
    const own = all.filter(({ server }) => server !== undefined).map(({ id }) => id);
    const shared = all.filter(({ server }) => server === undefined).map(({ id }) => id);
    const inputs = [...[...routers].sort(), ...shared.sort(), '', ...own.sort()].join(' ');
    if (inputs !== this.assignment.inputs) {
      const assigned = assignDrains(shared, routers);
      const share = shared.filter((id) => assigned.get(id) === this.membership.id);
      this.assignment = { inputs, ids: new Set([...share, ...own]) };
    }
    return this.assignment.ids;
  }
}

/** Does something for each of many, a limited number at a time. */
async function inChunks<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += CONCURRENT_LEASES_MAX)
    await Promise.all(items.slice(i, i + CONCURRENT_LEASES_MAX).map(run));
}
