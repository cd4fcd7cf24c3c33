import type { Lease } from '../contract.ts';

/** Leases for the one process that owns the data folder. */
export class EmbeddedLeases {
  private readonly held = new Map<string, { lease: Lease; untilMs: number }>();
  /** Grows across restarts too: the clock is its start. */
  private lastFence = Date.now();

  acquireLease(name: string, owner: string, ttlMs: number): Lease | undefined {
    const now = Date.now();
    const current = this.held.get(name);
    if (current?.lease.owner === owner) {
      current.untilMs = now + ttlMs;
      return current.lease;
    }
    if (current && current.untilMs > now) return undefined;
    const lease = { name, owner, fence: ++this.lastFence };
    this.held.set(name, { lease, untilMs: now + ttlMs });
    return lease;
  }

  releaseLease(lease: Lease): void {
    if (this.held.get(lease.name)?.lease.fence === lease.fence) this.held.delete(lease.name);
  }
}
