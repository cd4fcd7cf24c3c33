import { expect, it } from 'vitest';
import { encoderMemory, slotRegionBytes, WasmSlots } from '../../../src/common/wasm/wasm-slots.ts';

it('lends pieces of a memory, each to one at a time, and gives the last one back first', () => {
  const memory = new Uint8Array(64 + slotRegionBytes(1_000, 2) + 64);
  const slots = new WasmSlots(memory, 64, 1_000, 2);
  expect(slots.acquire(1_001)).toBe(undefined);
  const [one, two] = [slots.acquire(1)!, slots.acquire(1_000)!];
  expect(slots.acquire(1)).toBe(undefined);
  expect([one.length, two.length]).toEqual([1_000, 1_000]);
  one.fill(1);
  two.fill(2);
  expect(memory.filter((byte) => byte === 1)).toHaveLength(1_000);
  // The module may write over the end of each.
  expect(two.byteOffset - one.byteOffset).toBeGreaterThan(1_031);
  expect(two.byteOffset + two.length + 31).toBeLessThan(memory.length - 64);
  // A part of it stands for it.
  expect(slots.release(two.subarray(999))).toBe(true);
  expect(slots.release(two)).toBe(false);
  expect(slots.release(new Uint8Array(10))).toBe(false);
  expect(slots.release(memory)).toBe(false);
  expect(slots.release(memory.subarray(memory.length - 64))).toBe(false);
  expect(slots.acquire(1)!.byteOffset).toBe(two.byteOffset);
  expect(slots.acquire(1)).toBe(undefined);
});

it('a slot of bodies isn’t one of lines', () => {
  const lines = 64;
  const bodies = 64 + 20 * 1_048_576;
  const { lines: read, bodies: sent } = encoderMemory(new Uint8Array(64 * 1_048_576), { lines, bodies });
  const [one, other] = [read.acquire(1)!, sent.acquire(1)!];
  expect([read.release(other), sent.release(one)]).toEqual([false, false]);
  expect([read.release(one), sent.release(other)]).toEqual([true, true]);
});
