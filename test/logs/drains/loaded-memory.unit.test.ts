import { expect, it } from 'vitest';
import { LoadedMemory } from '../../../src/logs/drains/loaded-memory.ts';

it('drains read a lot at a time as long as few do, into memory that is used again', () => {
  const [one, two, three] = [new LoadedMemory(), new LoadedMemory(), new LoadedMemory()];
  const large = one.reserve();
  expect(one.reserve()).toBe(large);
  expect(two.reserve()).toBe(large);
  const small = three.reserve();
  expect(small).toBeLessThan(large);
  const first = one.acquire(large);
  const second = one.acquire(large);
  expect(first.length).toBeGreaterThanOrEqual(large);
  expect(second.buffer).not.toBe(first.buffer);
  one.release();
  one.release();
  expect(three.reserve()).toBe(large);
  expect([first.buffer, second.buffer]).toContain(three.acquire(large).buffer);
  expect(one.reserve()).toBe(small);
  for (const memory of [one, two, three]) memory.release();
  expect(two.reserve()).toBe(large);
  two.release();
});
