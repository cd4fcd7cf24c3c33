/** All drains: one worker for each, in the router that holds its lease. */
import { randomUUID } from 'node:crypto';
import type { AppId, Lease, Store } from '../store/contract.ts';
import type { Readers } from '../store/reader.ts';
import { type DrainRecord, isSameDrain } from './drain.ts';
import type { DrainState } from './drain-state.ts';
import type { Outlets } from './outlets.ts';
import { refineryOf } from './refinery.ts';
import type { Tiding } from './tidings.ts';
import { DrainWorker } from './worker.ts';

/** A lease is held this long without being renewed; it is renewed three times as often. */
const LEASE_MS = 9_000;

export interface DeliveriesOptions {
  readonly store: Store;
  readonly readers: Readers;
  readonly outlets: Outlets;
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
  private readonly owner = randomUUID();
  private readonly work = new Map<string, Work>();
  private readonly unwatch: () => void;
  private readonly timer: NodeJS.Timeout;
  private looking: Promise<void> | undefined;
  private again = false;
  private closed = false;

  constructor(options: DeliveriesOptions) {
    this.options = options;
    this.unwatch = options.store.watch((scope) => {
      if (scope === '') void this.look();
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

  /** Stops all workers: what is under way is finished for up to `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    this.unwatch();
    await this.looking;
    await Promise.all([...this.work.keys()].map((id) => this.stop(id, graceMs)));
  }

  private async lookAgain(): Promise<void> {
    while (this.again && !this.closed) {
      this.again = false;
      try {
        await this.match(await this.options.store.list<DrainRecord>('', 'drain/'));
      } catch (error) {
        this.options.warn({ err: error }, 'the drains could not be looked up; they go on as they were');
      }
    }
  }

  private async match(records: readonly { value: DrainRecord }[]): Promise<void> {
    const active = records.filter(({ value }) => !value.paused);
    const wanted = new Map(active.map(({ value }) => [value.id, value]));
    for (const [id, { drain }] of this.work)
      if (!isSameDrain(wanted.get(id), drain)) await this.stop(id, 1_000);
    for (const drain of wanted.values()) {
      const lease = await this.options.store.acquire(`drain/${drain.id}`, this.owner, LEASE_MS);
      const running = this.work.get(drain.id);
      if (!lease && running) await this.stop(drain.id, 0);
      else if (lease && running && running.lease.fence !== lease.fence) await this.stop(drain.id, 0);
      if (lease && !this.work.has(drain.id) && !this.closed) this.start(drain, lease);
    }
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
    await this.options.store.release(work.lease);
  }
}
