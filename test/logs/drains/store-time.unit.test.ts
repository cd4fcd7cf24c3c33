import { expect, it } from 'vitest';
import { StoreTime } from '../../../src/logs/drains/store-time.ts';

it('the store’s time is this machine’s until it was asked, and then goes on whatever becomes of this machine’s', async () => {
  let monotonicMs = 100;
  let wallClockMs = 5_000_000;
  const store = {
    time: async () => {
      monotonicMs += 20; // the way there and back
      return 1_000_000;
    },
  };
  const time = new StoreTime(
    store,
    () => monotonicMs,
    () => wallClockMs,
  );
  expect(time.now()).toBe(5_000_000);
  await time.update();
  expect(time.now()).toBe(1_000_010);
  monotonicMs += 500;
  wallClockMs += 3_600_000;
  expect(time.now()).toBe(1_000_510);
});
