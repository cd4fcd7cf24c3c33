import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ReplayProgress } from '../../../src/cli/logs/replay-progress.ts';

const CLEAR = '\r\x1b[K';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
afterEach(() => void vi.useRealTimers());

it('shows the progress of a long replay, and is removed at its end', () => {
  const written: string[] = [];
  const progress = new ReplayProgress({ isTTY: true, write: (text) => written.push(text) });
  vi.advanceTimersByTime(500);
  expect(written).toEqual([]);
  vi.advanceTimersByTime(300);
  expect(written).toEqual([`${CLEAR}looking through the history …`]);
  progress.update({ position: '1000', newest: '41000', lines: [] });
  progress.update({ position: '11000', lines: ['a'] });
  vi.advanceTimersByTime(400);
  expect(written.at(-1)).toBe(`${CLEAR}10,000 of 40,000 lines (25 %)`);
  progress.clear();
  expect(written.at(-1)).toBe(CLEAR);
  progress.update({ position: '41000', lines: [] });
  const { length } = written;
  vi.advanceTimersByTime(10_000);
  expect(written).toHaveLength(length);
});

it('says no number while a power cut may be in between, behind which positions are far above', () => {
  const written: string[] = [];
  const progress = new ReplayProgress({ isTTY: true, write: (text) => written.push(text) });
  progress.update({ position: '10', newest: '10000000110', lines: [] });
  vi.advanceTimersByTime(900);
  expect(written.at(-1)).toBe(`${CLEAR}looking through the history …`);
  progress.finish();
});

it('shows nothing without a terminal, nor for a short replay', () => {
  const written: string[] = [];
  const piped = new ReplayProgress({ isTTY: false, write: (text) => written.push(text) });
  const short = new ReplayProgress({ isTTY: true, write: (text) => written.push(text) });
  short.update({ position: '5', newest: '5', live: true, lines: [] });
  vi.advanceTimersByTime(10_000);
  piped.finish();
  expect(written).toEqual([]);
});
