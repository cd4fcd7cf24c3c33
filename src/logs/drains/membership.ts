/**
 * The routers that share one store. Each holds a lease in its own name, and has a record by which the others find it; one whose
 * lease has expired is dead. Time is the store's: the routers' clocks may differ.
 */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Log } from '../../common/log.ts';
import type { Lease, Store } from '../store/contract.ts';
import type { StoreTime } from './store-time.ts';

/** A router that hasn't renewed its lease for this long is dead. */
const ROUTER_LEASE_MS = 6_000;
/**
 * Two heartbeats are two seconds apart, and a little more when drains are handed over. They are further apart than this when one between
 * them failed, or when this process or the store stood still.
 */
const HEARTBEAT_GAP_MS = 3_000;
/** How long the lease of a router that may be dead is acquired for, to find out. */
const LIVENESS_CHECK_MS = 1_000;
/** The routers' records have a scope of their own: watchers of other scopes aren't woken by them. */
export const ROUTERS_SCOPE = 'routers';

/** A router's record, under `router/<id>`. */
export interface RouterRecord {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  /** By the store's clock. */
  readonly startedAt: string;
  /** Drains whose workers it runs, and how many lines these lag behind, together. */
  readonly drains: number;
  readonly lagLines: number;
}

export type RouterLoad = Pick<RouterRecord, 'drains' | 'lagLines'>;

export class Membership {
  readonly id = randomUUID();
  private readonly store: Store;
  private readonly log: Log;
  private readonly version: string;
  private readonly time: StoreTime;
  private startedAt: string | undefined;
  private lease: Lease | undefined;
  private lastPublished: RouterLoad | undefined;
  /** When the last heartbeat succeeded, and until when expired leases say nothing; on the clock of `performance.now()`. */
  private lastHeartbeatMs: number | undefined;
  private trustsLeasesFromMs = 0;

  constructor(store: Store, time: StoreTime, version: string, log: Log) {
    this.time = time;
    this.store = store;
    this.version = version;
    this.log = log;
  }

  /** Renews this router's lease; returns the ids of all that are alive. */
  async heartbeat(load: RouterLoad): Promise<string[]> {
    const { store, id } = this;
    await this.time.update();
    if (!store.shared) {
      this.lastPublished = load;
      return [id];
    }
    this.lease = await store.acquireLease(routerKey(id), id, ROUTER_LEASE_MS);
    const renewedMs = performance.now();
    // The others may have been kept from renewing their leases as this one was: each is given the time to do so.
    if (renewedMs - (this.lastHeartbeatMs ?? renewedMs) > HEARTBEAT_GAP_MS)
      this.trustsLeasesFromMs = renewedMs + ROUTER_LEASE_MS;
    const records = await store.list<RouterRecord>(ROUTERS_SCOPE, 'router/');
    await this.publish(
      load,
      records.some(({ value }) => value.id === id),
    );
    let others = records.map(({ value }) => value).filter((router) => router.id !== id);
    if (renewedMs >= this.trustsLeasesFromMs) {
      const dead = await Promise.all(others.map((router) => this.removeIfDead(router, renewedMs)));
      others = others.filter((_, i) => !dead[i]);
    }
    this.lastHeartbeatMs = renewedMs;
    return [id, ...others.map((router) => router.id)];
  }

  /** All routers, as they last published themselves. */
  async routers(): Promise<RouterRecord[]> {
    if (!this.store.shared) return [this.toRecord(this.lastPublished ?? { drains: 0, lagLines: 0 })];
    const records = await this.store.list<RouterRecord>(ROUTERS_SCOPE, 'router/');
    return records.map(({ value }) => value).sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
  }

  /** Removes this router's record; the others' watchers are woken. */
  async leave(): Promise<void> {
    if (!this.store.shared) return;
    await this.store.transact(ROUTERS_SCOPE, [{ key: routerKey(this.id), value: undefined }]);
    if (this.lease) await this.store.releaseLease(this.lease);
  }

  private async publish(load: RouterLoad, isRegistered: boolean): Promise<void> {
    const isUnchanged =
      load.drains === this.lastPublished?.drains && load.lagLines === this.lastPublished?.lagLines;
    if (isRegistered && isUnchanged) return;
    // A new router changes the assignment: the others are woken. Its load doesn't.
    const change = { key: routerKey(this.id), value: this.toRecord(load) };
    await this.store.transact(ROUTERS_SCOPE, [change], { quiet: isRegistered });
    this.lastPublished = load;
  }

  private toRecord(load: RouterLoad): RouterRecord {
    const { id, version } = this;
    this.startedAt ??= new Date(this.time.now() - process.uptime() * 1_000).toISOString();
    const { startedAt } = this;
    return { id, host: hostname(), pid: process.pid, version, startedAt, ...load };
  }

  private async removeIfDead(router: RouterRecord, renewedMs: number): Promise<boolean> {
    const key = routerKey(router.id);
    const lease = await this.store.acquireLease(key, `${this.id} asks`, LIVENESS_CHECK_MS);
    if (!lease) return false;
    const isTrusted = performance.now() - renewedMs < HEARTBEAT_GAP_MS;
    if (isTrusted) await this.store.transact(ROUTERS_SCOPE, [{ key, value: undefined }]);
    await this.store.releaseLease(lease);
    if (!isTrusted) return false;
    const { id, host, pid } = router;
    this.log.warn({ router: id, host, pid }, 'a router is gone; the others take over its drains');
    return true;
  }
}

function routerKey(id: string): string {
  return `router/${id}`;
}
