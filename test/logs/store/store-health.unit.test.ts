/** How a store is, for load balancers and metrics. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Store, StoreStatus } from '../../../src/logs/store/contract.ts';
import { StoreHealth } from '../../../src/logs/store/store-health.ts';

const WELL: StoreStatus = { kind: 'redis', concerns: [], facts: {} };
const FULL: StoreStatus = { ...WELL, trouble: 'Redis is out of memory.' };

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => vi.useRealTimers());

function healthOf(status: () => Promise<StoreStatus>): StoreHealth {
  return new StoreHealth({ shared: true, trouble: undefined, status } as unknown as Store);
}

it('a shared store that was well just now may fail over; for longer, or asked for the first time, it is told', async () => {
  let status = FULL;
  const health = healthOf(async () => status);
  expect(await health.trouble(0, 5_000)).toMatch(/out of memory/);
  status = WELL;
  expect(await health.trouble(0, 5_000)).toBeUndefined();
  status = FULL;
  vi.advanceTimersByTime(4_999);
  expect(await health.trouble(0, 5_000)).toBeUndefined();
  expect(await health.trouble(0)).toMatch(/out of memory/);
  vi.advanceTimersByTime(1);
  expect(await health.trouble(0, 5_000)).toMatch(/out of memory/);
  status = WELL;
  expect(await health.trouble(0, 5_000)).toBeUndefined();
});

it('a shared store is asked no more often than is said, and one that doesn’t answer isn’t well', async () => {
  let asked = 0;
  const health = healthOf(async () => {
    asked++;
    return WELL;
  });
  await Promise.all([health.trouble(1_000), health.trouble(1_000)]);
  vi.advanceTimersByTime(999);
  await health.trouble(1_000);
  expect(asked).toBe(1);
  vi.advanceTimersByTime(1);
  await health.trouble(1_000);
  expect(asked).toBe(2);

  const silent = healthOf(() => new Promise(() => {})).trouble(1_000);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await silent).toBe("The store hasn't said within 2 seconds how it is.");
});
