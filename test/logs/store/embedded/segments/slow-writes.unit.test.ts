import { expect, it } from 'vitest';
import { SlowWrites } from '../../../../../src/logs/store/embedded/segments/slow-writes.ts';

let nowMs = 1_000;
let waitMs = 0;
let asked = 0;
const writes = (): SlowWrites =>
  new SlowWrites(
    () => nowMs,
    () => {
      asked++;
      return waitMs;
    },
  );

/** A write that takes so long, of which the thread waits so long for a processor; may the next one block? */
function write(slowWrites: SlowWrites, tookMs: number, waitedMs = 0): boolean {
  slowWrites.begin();
  nowMs += tookMs;
  waitMs += waitedMs;
  slowWrites.end();
  return slowWrites.mayBlock;
}

it('lets another thread write for a second after a write that took long', () => {
  const slowWrites = writes();
  expect(slowWrites.mayBlock).toBe(true);
  expect(write(slowWrites, 8)).toBe(true);
  expect(write(slowWrites, 9)).toBe(false);
  nowMs += 999;
  expect(slowWrites.mayBlock).toBe(false);
  nowMs += 1;
  expect(slowWrites.mayBlock).toBe(true);
  expect(write(slowWrites, 200, 191.5)).toBe(false);
});

it('goes on blocking while the thread waits for a processor rather than for the disk', () => {
  const slowWrites = writes();
  write(slowWrites, 9, 9);
  for (let i = 0; i < 100; i++) {
    nowMs += 1_000;
    expect(write(slowWrites, 30, 25)).toBe(true);
  }
  expect(write(slowWrites, 30, 21)).toBe(false);
});

it('asks what the thread waits for only within a minute of a slow write', () => {
  const slowWrites = writes();
  asked = 0;
  write(slowWrites, 1);
  expect(asked).toBe(0);
  write(slowWrites, 9);
  expect(asked).toBe(0);
  nowMs += 59_000;
  write(slowWrites, 1);
  expect(asked).toBe(1);
  nowMs += 1_000;
  write(slowWrites, 1);
  expect(asked).toBe(1);
});
