/**
 * All drains: one worker for each, in one of the routers. Which one is agreed upon without talking (assignment.ts); a
 * lease with a fence keeps two from working on the same drain while they don't agree yet.
 */
import type { AppId, Lease, Store } from '../store/contract.ts';
import type { Readers } from '../store/reader.ts';
import { assign } from './assignment.ts';
import type { DrainState } from './drain-state.ts';
import { refineryOf } from './filter/refinery.ts';
import { type DrainRecord, isSameDrain } from './options/drain.ts';
import type { Tiding } from './progress/tidings.ts';
import { ROUTERS_SCOPE, Roster, type RouterRecord, type Share } from './roster.ts';
import type { Outlets } from './sinks/outlets.ts';
import { DrainWorker } from './worker.ts';

/** A lease is held this long without being renewed; it is renewed three times as often. */
const LEASE_MS = 6_000;
/** Leases that are asked for at a time. */
const LEASES_AT_ONCE = 200;
/** How long what is under way may take when a drain is changed or moves to another router: syslog needs a second to be certain. */
const HAND_OVER_MS = 1_500;

export interface DeliveriesOptions {
  readonly store: Store;
  readonly readers: Readers;
  readonly outlets: Outlets;
  readonly version: string;
  /** Writes a line of the platform into an app's stream. */
  readonly tellApp: (app: AppId, kind: Tiding, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
}

interface Work {
  readonly drain: DrainRecord;
  readonly worker: DrainWorker;
  readonly lease: Lease;
  readonly close: () => void;
}

export class Deliveries {
  private readonly options: DeliveriesOptions;
  private readonly roster: Roster;
  private readonly work = new Map<string, Work>();
  private readonly unwatch: () => void;
  private readonly timer: NodeJS.Timeout;
  /** All drains, of all routers; undefined when they have to be read again. */
  private drains: ReadonlyMap<string, DrainRecord> | undefined;
  private mine: { readonly of: string; readonly ids: ReadonlySet<string> } = { of: '', ids: new Set() };
  private looking: Promise<void> | undefined;
  private again = false;
  private failing = false;
  private closed = false;

  constructor(options: DeliveriesOptions) {
    this.options = options;
    this.roster = new Roster(options.store, options.version, options.warn);
    this.unwatch = options.store.watch((scope) => {
      if (scope === '') this.drains = undefined;
      if (scope === '' || scope === ROUTERS_SCOPE) void this.look();
    });
    this.timer = setInterval(() => void this.look(), LEASE_MS / 3);
  }

  /** Starts and stops workers as the drains' records say. */
  look(): Promise<void> {
    this.again = true;
    this.looking ??= this.lookAgain().finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  /** What a drain is doing, when it is worked on here. */
  describe(drainId: string): DrainState | undefined {
    return this.work.get(drainId)?.worker.describe();
  }

  /** The drains that are worked on here, and what they are doing. */
  list(): { drain: DrainRecord; state: DrainState }[] {
    return [...this.work.values()].map(({ drain, worker }) => ({ drain, state: worker.describe() }));
  }

  /** The routers that share the drains. */
  routers(): Promise<RouterRecord[]> {
    return this.roster.routers();
  }

  /** Stops all workers: what is under way is finished for up to `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    this.unwatch();
    await this.looking;
    await Promise.all([...this.work.keys()].map((id) => this.stop(id, graceMs)));
    await this.roster.leave().catch(() => {}); // its lease runs out
  }

  private async lookAgain(): Promise<void> {
    while (this.again && !this.closed) {
      this.again = false;
      try {
        await this.match();
        this.failing = false;
      } catch (error) {
        const message = 'the drains could not be looked up; they go on as they were';
        if (!this.failing) this.options.warn({ err: error }, message);
        this.failing = true;
      }
    }
  }

  private async match(): Promise<void> {
    const routers = await this.roster.beat(this.share());
    const drains = await this.load();
    const mine = this.choose(drains, routers);
    const moved = [...this.work.values()].filter(
      ({ drain }) => !mine.has(drain.id) || !isSameDrain(drains.get(drain.id), drain),
    );
    await Promise.all(moved.map(({ drain }) => this.stop(drain.id, HAND_OVER_MS)));
    const wanted = [...mine];
    for (let i = 0; i < wanted.length && !this.closed; i += LEASES_AT_ONCE)
      await Promise.all(wanted.slice(i, i + LEASES_AT_ONCE).map((id) => this.hold(id, drains)));
  }

  /** Renews a drain's lease, or takes it; works on the drain as long as that is possible. */
  private async hold(id: string, drains: ReadonlyMap<string, DrainRecord>): Promise<void> {
    const lease = await this.options.store.acquire(`drain/${id}`, this.roster.id, LEASE_MS);
    const running = this.work.get(id);
    if (running && running.lease.fence !== lease?.fence) await this.stop(id, 0);
    const drain = drains.get(id);
    if (lease && drain && !this.work.has(id) && !this.closed) this.start(drain, lease);
  }

  private share(): Share {
    let lagLines = 0;
    for (const { worker } of this.work.values()) lagLines += worker.describe().lagLines;
    return { drains: this.work.size, lagLines };
  }

  private async load(): Promise<ReadonlyMap<string, DrainRecord>> {
    if (this.drains) return this.drains;
    const empty = new Map<string, DrainRecord>();
    this.drains = empty;
    try {
      const records = await this.options.store.list<DrainRecord>('', 'drain/');
      const active = records.map(({ value }) => value).filter(({ paused }) => !paused);
      const drains = new Map(active.map((drain) => [drain.id, drain]));
      // Whoever said meanwhile that they changed is listened to next time.
      if (this.drains === empty) this.drains = drains;
      return drains;
    } catch (error) {
      this.drains = undefined;
      throw error;
    }
  }

  /** The drains that are this router's. */
  private choose(drains: ReadonlyMap<string, DrainRecord>, routers: readonly string[]): ReadonlySet<string> {
    const ids = [...drains.keys()];
    const of = [...[...routers].sort(), ...ids.sort()].join(' ');
    if (of !== this.mine.of) {
      const assigned = assign(ids, routers);
      this.mine = { of, ids: new Set(ids.filter((id) => assigned.get(id) === this.roster.id)) };
    }
    return this.mine.ids;
  }

  private start(drain: DrainRecord, lease: Lease): void {
    const { store, readers, outlets, tellApp } = this.options;
    const { reader, close } = readers.open(drain.app);
    const worker = new DrainWorker({
      drain,
      store,
      reader,
      lease,
      outlet: (record) => outlets.make(record),
      whenOpen: (open) => outlets.whenOpen(drain, open),
      refine: refineryOf(drain.options),
      tellApp: (kind, message) => tellApp(drain.app, kind, message),
      random: Math.random,
    });
    this.work.set(drain.id, { drain, worker, lease, close });
    worker.start(() => {
      this.work.delete(drain.id);
      close();
    });
  }

  private async stop(id: string, graceMs: number): Promise<void> {
    const work = this.work.get(id);
    if (!work) return;
    this.work.delete(id);
    await work.worker.stop(graceMs);
    work.close();
    await this.options.store.release(work.lease).catch(() => {}); // it runs out
  }
}
