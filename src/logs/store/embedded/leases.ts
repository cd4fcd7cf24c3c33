import type { Lease } from '../contract.ts';
import { type EmbeddedRecords, STORE_SCOPE } from './records/records.ts';

const FENCE_KEY = 'fence';
/** So many fences are reserved with one write. */
const FENCES_RESERVED = 1_000;

/** The fences' record: those up to here may be in use. */
interface FenceRecord {
  readonly reservedUpTo: number;
}

/** Leases for the one process that owns the data folder: they are held in memory, and their fences count on in the records. */
export class EmbeddedLeases {
  private readonly records: EmbeddedRecords;
  /** `untilMs` is on the clock of `performance.now()`. */
  private readonly held = new Map<string, { lease: Lease; untilMs: number }>();
  private lastFence: number;
  private reservedUpTo: number;
  private reservation: Promise<unknown> = Promise.resolve();

  constructor(records: EmbeddedRecords) {
    this.records = records;
    this.lastFence = records.get<FenceRecord>(STORE_SCOPE, FENCE_KEY)?.value.reservedUpTo ?? 0;
    this.reservedUpTo = this.lastFence;
  }

  /** As {@link Store.acquireLease}. Leases are in memory: only the fences outlive the process, reserved on disk some at a time. */
  async acquireLease(name: string, owner: string, ttlMs: number, above = 0): Promise<Lease | undefined> {
    const now = performance.now();
    const current = this.held.get(name);
    if (current && current.lease.owner !== owner && current.untilMs > now) return undefined;
    if (current && current.lease.owner === owner && current.lease.fence > above) {
      current.untilMs = now + ttlMs;
      return current.lease;
    }
    const lease = { name, owner, fence: this.nextFence(above) };
    this.held.set(name, { lease, untilMs: now + ttlMs });
    try {
      await this.reservation;
    } catch (error) {
      this.releaseLease(lease);
      throw error;
    }
    return lease;
  }

  /** As {@link Store.releaseLease}. */
  releaseLease(lease: Lease): void {
    if (this.held.get(lease.name)?.lease.fence === lease.fence) this.held.delete(lease.name);
  }

  /** It may be used once {@link reservation} is durable. */
  private nextFence(above: number): number {
    this.lastFence = Math.max(this.lastFence, above) + 1;
    if (this.lastFence > this.reservedUpTo) {
      const before = this.reservedUpTo;
      this.reservedUpTo = this.lastFence + FENCES_RESERVED;
      const value: FenceRecord = { reservedUpTo: this.reservedUpTo };
      this.reservation = this.records.transact(STORE_SCOPE, [{ key: FENCE_KEY, value }]);
      this.reservation.catch(() => {
        this.reservedUpTo = before;
      });
    }
    return this.lastFence;
  }
}
