import { LruCache } from '../../../common/lru-cache.ts';
import type { Lease } from '../contract.ts';
import type { RedisConnection } from './connection/connection.ts';
import { leaseKey } from './keys.ts';
import { LUA_SCRIPTS } from './lua-scripts.ts';

/** Leases of others that are watched at the most. */
const WATCHED_MAX = 10_000;

/** A lease that another owner holds, as it was seen. */
export interface WatchedLease {
  /** Differs with every renewal. */
  readonly stamp: string;
  /** Unless it is renewed, it runs out then; on the clock of `performance.now()`, as all times here. */
  readonly untilMs: number;
  /** What was seen says nothing any more when nobody has looked since then: it may have been renewed in between. */
  readonly validUntilMs: number;
}

/** What the script is told: the stamp, '' when nothing is known, and whether the lease that has it still has run out. */
export type LeaseEvidence = readonly [stamp: string, hasExpired: 0 | 1];

/**
 * Leases among all routers on one Redis. Redis has no clock that is never set, so a router believes its own, which is: a lease that it has seen
 * runs out when it wasn't renewed for as long as it had left then, and not before. Redis' clock decides for a lease that a router sees for
 * the first time.
 */
export class RedisLeases {
  private readonly connection: RedisConnection;
  private readonly watched = new LruCache<string, WatchedLease>(WATCHED_MAX);

  constructor(connection: RedisConnection) {
    this.connection = connection;
  }

  /** As {@link Store.acquireLease}. Who watches a lease also measures its time by its own clock: that of Redis may be set. */
  async acquireLease(name: string, owner: string, ttlMs: number, above = 0): Promise<Lease | undefined> {
    const watched = this.watched.get(name);
    const evidence = leaseEvidence(watched, performance.now());
    const args = [owner, ttlMs, above, ...evidence];
    const reply = (await this.connection.runScript(LUA_SCRIPTS.acquire, [leaseKey(name)], args)) as
      | [fence: number]
      | [none: 0, stamp: string, leftMs: number, heldForMs: number];
    if (reply.length === 1) {
      if (watched) this.watched.delete(name);
      return { name, owner, fence: reply[0] };
    }
    const [, stamp, leftMs, heldForMs] = reply;
    this.watched.set(name, watchLease(watched, { stamp, leftMs, heldForMs }, performance.now()));
    return undefined;
  }

  /** As {@link Store.releaseLease}: one with a newer fence stays. */
  async releaseLease(lease: Lease): Promise<void> {
    await this.connection.runScript(LUA_SCRIPTS.release, [leaseKey(lease.name)], [lease.fence]);
  }
}

/** What a router has seen of another's lease, for `acquire.lua`: the stamp that it last had, and whether its time has passed since. */
export function leaseEvidence(watched: WatchedLease | undefined, nowMs: number): LeaseEvidence {
  if (!watched || nowMs > watched.validUntilMs) return ['', 0];
  return [watched.stamp, nowMs >= watched.untilMs ? 1 : 0];
}

/**
 * @param before what was seen the time before
 * @param seen what is seen now: the time that it has left by Redis' clock, and for how long it is held after each renewal
 */
export function watchLease(
  before: WatchedLease | undefined,
  {
    stamp,
    leftMs,
    heldForMs,
  }: { readonly stamp: string; readonly leftMs: number; readonly heldForMs: number },
  nowMs: number,
): WatchedLease {
  // The time left is more than it can be when Redis' clock was set back since the renewal, and less when it was set forward.
  const isSame = before?.stamp === stamp;
  const untilMs = isSame ? before.untilMs : nowMs + Math.min(Math.max(leftMs, 0), heldForMs);
  return { stamp, untilMs, validUntilMs: nowMs + 2 * heldForMs };
}
