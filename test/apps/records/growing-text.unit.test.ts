import { expect, it } from 'vitest';
import { GrowingText } from '../../../src/apps/records/growing-text.ts';

async function readAll(text: GrowingText): Promise<string> {
  let all = '';
  for await (const line of text.read()) all += line;
  return all;
}

it('of more than is kept the beginning and the end are there, and how much is missing', async () => {
  const text = new GrowingText(20);
  for (let i = 0; i < 1_000; i++) text.append(`line ${i}`);
  text.append(' !     It failed');
  const before = text.toString();
  text.end();
  const all = await readAll(text);
  expect(all).toBe(before);
  expect(text.toString()).toBe(before);
  expect(all.startsWith('line 0\nline 1\n[499 lines are left out here')).toBe(true);
  expect(all.endsWith('line 999\n !     It failed\n')).toBe(true);
});

it('one line that is too long doesn’t take what comes after it', async () => {
  const text = new GrowingText(100);
  text.append('x'.repeat(1_000_000));
  text.append('after');
  text.end();
  expect((await readAll(text)).split('\n').map((line) => line.length)).toEqual([10_000, 5, 0]);
});
