import { expect, it } from 'vitest';
import { FairQueue } from '../../../src/common/limits/fair-queue.ts';

it('everybody has their turn, whoever has put in how much', () => {
  const queue = new FairQueue<string>();
  for (let i = 0; i < 4; i++) queue.add('loud', `loud ${i}`);
  queue.add('quiet', 'quiet 0');
  expect(queue.take()).toBe('loud 0');
  expect(queue.take()).toBe('quiet 0');
  expect(queue.take()).toBe('loud 1');
  queue.add('quiet', 'quiet 1');
  queue.add('other', 'other 0');
  expect([queue.take(), queue.take(), queue.take(), queue.take(), queue.take()]).toEqual([
    'loud 2',
    'quiet 1',
    'other 0',
    'loud 3',
    undefined,
  ]);
});
