import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { processorWaitMs } from '../../../src/common/processes/processor-wait.ts';

it.runIf(process.platform === 'linux')('reads for how long this thread has waited for a processor', () => {
  const readFully = (): number =>
    Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1]) / 1e6;
  const before = readFully();
  const read = processorWaitMs();
  expect(read).toBeGreaterThanOrEqual(before);
  expect(read).toBeGreaterThan(0);
  expect(read).toBeLessThanOrEqual(readFully());
  expect(processorWaitMs()).toBeGreaterThanOrEqual(read);
});

it.runIf(process.platform !== 'linux')('is 0 where the system does not say', () => {
  expect(processorWaitMs()).toBe(0);
});
