import { expect, it } from 'vitest';
import { ReplayProgress } from '../../../src/cli/logs/replay-progress.ts';
import { until } from '../../support/until.ts';

const CLEAR = '\r\x1b[K';

it('shows the progress of a long replay, and is removed at its end', async () => {
  const written: string[] = [];
  const progress = new ReplayProgress({ isTTY: true, write: (text) => written.push(text) });
  await until('patience', () => written.length > 0);
  expect(written[0]).toBe(`${CLEAR}looking through the history …`);
  progress.update({ position: '1000', newest: '41000', lines: [] });
  progress.update({ position: '11000', lines: ['a'] });
  await until('a figure', () => written.includes(`${CLEAR}10,000 of 40,000 lines (25 %)`));
  progress.clear();
  expect(written.at(-1)).toBe(CLEAR);
  progress.update({ position: '41000', lines: [] });
  const { length } = written;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(written).toHaveLength(length);
});

it('shows nothing without a terminal, nor for a short replay', async () => {
  const written: string[] = [];
  const piped = new ReplayProgress({ isTTY: false, write: (text) => written.push(text) });
  const short = new ReplayProgress({ isTTY: true, write: (text) => written.push(text) });
  short.update({ position: '5', newest: '5', live: true, lines: [] });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  piped.finish();
  expect(written).toEqual([]);
});
