import { describe, expect, it } from 'vitest';
import { leaseEvidence, watchLease } from '../../../../src/logs/store/redis/leases.ts';

const TTL_MS = 6_000;
const seen = (stamp: string, leftMs: number) => ({ stamp, leftMs, heldForMs: TTL_MS });

describe('what a router knows of another’s lease', () => {
  it('is nothing before it has seen it, and when nobody looked for long', () => {
    expect(leaseEvidence(undefined, 100)).toEqual(['', 0]);
    const watched = watchLease(undefined, seen('1:1', 4_000), 100);
    expect(leaseEvidence(watched, 100 + 2 * TTL_MS + 1)).toEqual(['', 0]);
  });

  it('is that it runs out after the time that it had left, if it isn’t renewed', () => {
    let watched = watchLease(undefined, seen('1:1', 4_000), 100);
    expect(leaseEvidence(watched, 4_099)).toEqual(['1:1', 0]);
    // Redis' clock was set forward, then back: that changes nothing.
    watched = watchLease(watched, seen('1:1', -80_000_000), 2_100);
    watched = watchLease(watched, seen('1:1', 3_600_000), 3_000);
    expect(leaseEvidence(watched, 4_099)).toEqual(['1:1', 0]);
    expect(leaseEvidence(watched, 4_100)).toEqual(['1:1', 1]);
  });

  it('is that it lives after each renewal', () => {
    const watched = watchLease(undefined, seen('1:1', 4_000), 100);
    const renewed = watchLease(watched, seen('1:2', TTL_MS), 4_000);
    expect(leaseEvidence(renewed, 9_999)).toEqual(['1:2', 0]);
    expect(leaseEvidence(renewed, 10_000)).toEqual(['1:2', 1]);
  });

  it('is that it has no more than its full time left, when Redis’ clock was set back since its renewal', () => {
    const watched = watchLease(undefined, seen('1:1', 3_600_000), 100);
    expect(leaseEvidence(watched, 100 + TTL_MS)).toEqual(['1:1', 1]);
  });
});
