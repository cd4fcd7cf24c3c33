import { expect, it } from 'vitest';
import { LoadedMemory } from '../../../src/logs/drains/loaded-memory.ts';
import { codecMemory } from '../../../src/logs/syslog/wasm/wasm-codec.ts';

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

it('drains read into the memory of what encodes their lines, as long as there is some', () => {
  const { lines } = codecMemory;
  const own = lines.acquire(0)!;
  lines.release(own);
  const [one, two, three] = [new LoadedMemory(), new LoadedMemory(), new LoadedMemory()];
  const large = one.reserve(lines);
  const first = one.acquire(large);
  expect([first.buffer === own.buffer, first.length >= large]).toEqual([true, true]);
  expect(one.acquire(1_000).buffer).not.toBe(own.buffer);
  two.reserve(lines);
  const second = two.acquire(large);
  expect([second.buffer === own.buffer, second.byteOffset === first.byteOffset]).toEqual([true, false]);
  expect(two.acquire(large).buffer).not.toBe(own.buffer);
  // Small reads come and go.
  expect(three.acquire(three.reserve(lines)).buffer).not.toBe(own.buffer);
  for (const memory of [one, two, three]) memory.release();
  three.reserve(lines);
  expect(three.acquire(large).byteOffset).toBe(second.byteOffset);
  three.release();
});
