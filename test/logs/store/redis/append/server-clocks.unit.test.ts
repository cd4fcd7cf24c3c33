import { beforeEach, expect, it } from 'vitest';
import { ServerClocks } from '../../../../../src/logs/store/redis/append/server-clocks.ts';

let now = 0;
let clocks: ServerClocks;
beforeEach(() => {
  now = 1_000;
  clocks = new ServerClocks(() => now);
});

it('is unknown until a server has shown it, and goes on from there', () => {
  expect(clocks.in(5_000, 'a')).toBeUndefined();
  clocks.learn('a', 70_000);
  now += 200;
  expect(clocks.in(5_000, 'a')).toBe(75_200);
  expect(clocks.in(5_000, 'b')).toBeUndefined();
});

it('follows a clock that was set, forward and back', () => {
  for (const shown of [70_000, 900_000, 10_000]) {
    clocks.learn('a', shown);
    expect(clocks.in(0, 'a')).toBe(shown);
  }
});

it('is asked again when it was seen long ago, or another server may answer', () => {
  clocks.learn('a', 70_000);
  now += 11 * 60_000;
  expect(clocks.in(5_000, 'a')).toBeUndefined();
  clocks.learn('a', 70_000);
  clocks.forget();
  expect(clocks.in(5_000, 'a')).toBeUndefined();
});
