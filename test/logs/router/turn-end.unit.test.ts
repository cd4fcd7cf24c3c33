import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { atTurnEnd } from '../../../src/logs/router/turn-end.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** Adds so many callbacks in one turn: were they called at its end? If not, they are with the next timer. */
async function arePrompt(count: number, mayWait: boolean): Promise<boolean> {
  let called = 0;
  for (let i = 0; i < count; i++) atTurnEnd(() => void called++, mayWait);
  await new Promise((resolve) => setImmediate(resolve));
  if (called === count) return true;
  expect(called).toBe(0);
  vi.runAllTimers();
  expect(called).toBe(count);
  return false;
}

it('calls back together at the end of the turn, and later only where many may wait', async () => {
  expect(await arePrompt(1, true)).toBe(true);
  expect(await arePrompt(200, true)).toBe(true);
  // They gather now, until they are few.
  expect(await arePrompt(1, false)).toBe(true);
  expect(await arePrompt(200, true)).toBe(false);
  expect(await arePrompt(1, true)).toBe(false);
  expect(await arePrompt(1, true)).toBe(true);
  expect(await arePrompt(200, false)).toBe(true);
  expect(await arePrompt(200, false)).toBe(true);
});
