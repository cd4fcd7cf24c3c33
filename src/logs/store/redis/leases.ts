import type { Lease } from '../contract.ts';
import type { RedisConnection } from './connection/connection.ts';
import { leaseKey } from './keys.ts';
import { LUA_SCRIPTS } from './lua-scripts.ts';

/** Leases among all routers on one Redis, by Redis's clock. */
export class RedisLeases {
  private readonly connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.connection = connection;
  }

  async acquireLease(name: string, owner: string, ttlMs: number): Promise<Lease | undefined> {
    const fence = await this.connection.runScript(LUA_SCRIPTS.acquire, [leaseKey(name)], [owner, ttlMs]);
    return typeof fence === 'number' ? { name, owner, fence } : undefined;
  }

  async releaseLease(lease: Lease): Promise<void> {
    await this.connection.runScript(LUA_SCRIPTS.release, [leaseKey(lease.name)], [lease.fence]);
  }
}
