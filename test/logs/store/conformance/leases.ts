import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { until } from '../../../support/until.ts';
import type { Opener } from './store-suite.ts';

const LONG_MS = 60_000;

export function leaseSuite(place: Opener): void {
  describe('a lease', () => {
    it('has one owner at a time', async () => {
      const store = await place.open();
      const other = place.shared ? await place.open() : store;
      const name = randomUUID();
      const lease = await store.acquire(name, 'me', LONG_MS);
      expect(lease).toMatchObject({ name, owner: 'me' });
      expect(await other.acquire(name, 'you', LONG_MS)).toBeUndefined();
      expect(await other.acquire(randomUUID(), 'you', LONG_MS)).toBeDefined();
    });

    it('is renewed by its owner, under the same fence', async () => {
      const store = await place.open();
      const name = randomUUID();
      const lease = await store.acquire(name, 'me', 400);
      const startMs = Date.now();
      await until('it would have run out without being renewed', async () => {
        expect(await store.acquire(name, 'me', 400)).toEqual(lease);
        expect(await store.acquire(name, 'you', LONG_MS)).toBeUndefined();
        return Date.now() - startMs > 600;
      });
    });

    it('runs out, and has a higher fence with the next owner', async () => {
      const store = await place.open();
      const name = randomUUID();
      const first = await store.acquire(name, 'me', 20);
      const second = await until('the lease is free', () => store.acquire(name, 'you', LONG_MS));
      expect(second.fence).toBeGreaterThan(first?.fence ?? Number.POSITIVE_INFINITY);
      expect(await store.acquire(name, 'me', LONG_MS)).toBeUndefined();
    });

    it('is free once it is given back, and has a higher fence then', async () => {
      const store = await place.open();
      const name = randomUUID();
      let before = 0;
      for (const owner of ['me', 'you', 'me', 'me']) {
        const lease = await store.acquire(name, owner, LONG_MS);
        if (!lease) throw new Error('the lease was given back, and is not free');
        expect(lease.fence).toBeGreaterThan(before);
        before = lease.fence;
        await store.release(lease);
      }
    });

    it('is not given back by somebody who lost it', async () => {
      const store = await place.open();
      const name = randomUUID();
      const lost = await store.acquire(name, 'me', 20);
      if (!lost) throw new Error('nobody holds it');
      const held = await until('the lease is free', () => store.acquire(name, 'you', LONG_MS));
      await store.release(lost);
      expect(await store.acquire(name, 'me', LONG_MS)).toBeUndefined();
      expect(await store.acquire(name, 'you', LONG_MS)).toEqual(held);
    });

    it('has a higher fence after the store was opened again', async () => {
      const name = randomUUID();
      const before = await place.open();
      const lease = await before.acquire(name, 'me', 20);
      await before.close();
      const store = await place.open();
      const next = await until('the lease is free', () => store.acquire(name, 'you', LONG_MS));
      expect(next.fence).toBeGreaterThan(lease?.fence ?? Number.POSITIVE_INFINITY);
    });

    it('goes to one of many who want it at once', async () => {
      const store = await place.open();
      const others = place.shared ? [store, await place.open()] : [store];
      const name = randomUUID();
      const got = await Promise.all(
        Array.from({ length: 20 }, (_, i) => others[i % others.length].acquire(name, `owner ${i}`, LONG_MS)),
      );
      expect(got.filter((lease) => lease !== undefined)).toHaveLength(1);
    });
  });
}
