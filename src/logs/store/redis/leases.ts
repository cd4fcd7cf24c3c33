import type { Lease } from '../contract.ts';
import type { Connection } from './connection/connection.ts';
import { leaseKey } from './keys.ts';
import { SCRIPTS } from './scripts.ts';

/** Leases among all routers on one Redis. Time is Redis's own. */
export class RedisLeases {
  private readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  async acquire(name: string, owner: string, ttlMs: number): Promise<Lease | undefined> {
    const fence = await this.connection.run(SCRIPTS.acquire, [leaseKey(name)], [owner, ttlMs]);
    return typeof fence === 'number' ? { name, owner, fence } : undefined;
  }

  async release(lease: Lease): Promise<void> {
    await this.connection.run(SCRIPTS.release, [leaseKey(lease.name)], [lease.fence]);
  }
}
