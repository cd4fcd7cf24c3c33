import { expect, it } from 'vitest';
import { LogProgress } from '../../../src/cli/logs/log-progress.ts';
import { until } from '../../support/until.ts';

const CLEAR = '\r\x1b[K';

it('shows how far a long replay is, and goes away', async () => {
  const written: string[] = [];
  const progress = new LogProgress({ isTTY: true, write: (text) => written.push(text) });
  await until('patience', () => written.length > 0);
  expect(written[0]).toBe(`${CLEAR}looking through the history …`);
  progress.see({ position: '1000', newest: '41000', lines: [] });
  progress.see({ position: '11000', lines: ['a'] });
  await until('a figure', () => written.includes(`${CLEAR}10,000 of 40,000 lines (25 %)`));
  progress.clear();
  expect(written.at(-1)).toBe(CLEAR);
  progress.see({ position: '41000', lines: [] });
  const { length } = written;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(written).toHaveLength(length);
});

it('says nothing where there is no terminal, nor about a short one', async () => {
  const written: string[] = [];
  const piped = new LogProgress({ isTTY: false, write: (text) => written.push(text) });
  const short = new LogProgress({ isTTY: true, write: (text) => written.push(text) });
  short.see({ position: '5', newest: '5', live: true, lines: [] });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  piped.end();
  expect(written).toEqual([]);
});
