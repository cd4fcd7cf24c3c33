import { expect, test } from 'vitest';
import { Closers } from '../../src/common/closers.ts';

test('all are closed once, the last one first, also when one of them fails', async () => {
  const closers = new Closers();
  const closed: string[] = [];
  closers.add(() => void closed.push('first'));
  closers.add(async () => {
    throw new Error('the second one');
  });
  closers.add(async () => void closed.push('third'));
  closers.add(() => {
    throw new Error('the fourth one');
  });
  await expect(closers.close()).rejects.toThrow('the fourth one');
  expect(closed).toEqual(['third', 'first']);
  await closers.close();
  expect(closed).toEqual(['third', 'first']);
});
