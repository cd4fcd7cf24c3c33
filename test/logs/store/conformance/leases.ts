import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { until } from '../../../support/until.ts';
import type { StoreOpener } from './store-suite.ts';

const LONG_LEASE_MS = 60_000;

export function leaseSuite(opener: StoreOpener): void {
  describe('a lease', () => {
    it('has one owner at a time', async () => {
      const store = await opener.open();
      const other = opener.shared ? await opener.open() : store;
      const name = randomUUID();
      const lease = await store.acquireLease(name, 'me', LONG_LEASE_MS);
      expect(lease).toMatchObject({ name, owner: 'me' });
      expect(await other.acquireLease(name, 'you', LONG_LEASE_MS)).toBeUndefined();
      expect(await other.acquireLease(randomUUID(), 'you', LONG_LEASE_MS)).toBeDefined();
    });

    it('is renewed by its owner, with the same fence', async () => {
      const store = await opener.open();
      const name = randomUUID();
      const lease = await store.acquireLease(name, 'me', 400);
      const startMs = Date.now();
      await until('it would have run out without being renewed', async () => {
        expect(await store.acquireLease(name, 'me', 400)).toEqual(lease);
        expect(await store.acquireLease(name, 'you', LONG_LEASE_MS)).toBeUndefined();
        return Date.now() - startMs > 600;
      });
    });

    it('expires, and has a higher fence with the next owner', async () => {
      const store = await opener.open();
      const name = randomUUID();
      const first = await store.acquireLease(name, 'me', 20);
      const second = await until('the lease is free', () => store.acquireLease(name, 'you', LONG_LEASE_MS));
      expect(second.fence).toBeGreaterThan(first?.fence ?? Number.POSITIVE_INFINITY);
      expect(await store.acquireLease(name, 'me', LONG_LEASE_MS)).toBeUndefined();
    });

    it('is renewed too late by its owner with the same fence, unless another one had it meanwhile', async () => {
      const store = await opener.open();
      const [name, probe] = [randomUUID(), randomUUID()];
      const lease = await store.acquireLease(name, 'me', 20);
      await store.acquireLease(probe, 'me', 20);
      await until('both have expired', () => store.acquireLease(probe, 'you', LONG_LEASE_MS));
      expect(await store.acquireLease(name, 'me', 20)).toEqual(lease);
      const next = await until('the lease is free', () => store.acquireLease(name, 'you', 20));
      expect(next.fence).toBeGreaterThan(lease?.fence ?? Number.POSITIVE_INFINITY);
      const again = await until('the lease is free again', () =>
        store.acquireLease(name, 'me', LONG_LEASE_MS),
      );
      expect(again.fence).toBeGreaterThan(next.fence);
    });

    it('has a fence above the one that is asked for, and fences go on from there', async () => {
      const store = await opener.open();
      const name = randomUUID();
      const above = Date.now() + 1_000_000;
      const lease = await store.acquireLease(name, 'me', LONG_LEASE_MS, above);
      if (!lease) throw new Error('nobody holds it');
      expect(lease.fence).toBeGreaterThan(above);
      expect(await store.acquireLease(name, 'me', LONG_LEASE_MS)).toEqual(lease);
      expect(await store.acquireLease(name, 'me', LONG_LEASE_MS, above)).toEqual(lease);
      const raised = await store.acquireLease(name, 'me', LONG_LEASE_MS, lease.fence);
      expect(raised?.fence).toBeGreaterThan(lease.fence);
      expect(await store.acquireLease(name, 'you', LONG_LEASE_MS, above * 2)).toBeUndefined();
      await store.releaseLease(raised!);
      const next = await store.acquireLease(name, 'you', LONG_LEASE_MS);
      expect(next?.fence).toBeGreaterThan(raised!.fence);
    });

    it('is free once it is released, and has a higher fence then', async () => {
      const store = await opener.open();
      const name = randomUUID();
      let before = 0;
      for (const owner of ['me', 'you', 'me', 'me']) {
        const lease = await store.acquireLease(name, owner, LONG_LEASE_MS);
        if (!lease) throw new Error('the lease was given back, and is not free');
        expect(lease.fence).toBeGreaterThan(before);
        before = lease.fence;
        await store.releaseLease(lease);
      }
    });

    it('is not released by an owner who lost it', async () => {
      const store = await opener.open();
      const name = randomUUID();
      const lost = await store.acquireLease(name, 'me', 20);
      if (!lost) throw new Error('nobody holds it');
      const held = await until('the lease is free', () => store.acquireLease(name, 'you', LONG_LEASE_MS));
      await store.releaseLease(lost);
      expect(await store.acquireLease(name, 'me', LONG_LEASE_MS)).toBeUndefined();
      expect(await store.acquireLease(name, 'you', LONG_LEASE_MS)).toEqual(held);
    });

    it('has a higher fence after the store was opened again', async () => {
      const name = randomUUID();
      const before = await opener.open();
      const lease = await before.acquireLease(name, 'me', 20);
      await before.close();
      const store = await opener.open();
      const next = await until('the lease is free', () => store.acquireLease(name, 'you', LONG_LEASE_MS));
      expect(next.fence).toBeGreaterThan(lease?.fence ?? Number.POSITIVE_INFINITY);
    });

    it('goes to one of many who acquire it at once', async () => {
      const store = await opener.open();
      const others = opener.shared ? [store, await opener.open()] : [store];
      const name = randomUUID();
      const got = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          others[i % others.length].acquireLease(name, `owner ${i}`, LONG_LEASE_MS),
        ),
      );
      expect(got.filter((lease) => lease !== undefined)).toHaveLength(1);
    });
  });
}
