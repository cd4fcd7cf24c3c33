import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { processorWaitMs } from '../../../src/common/processes/processor-wait.ts';

it('says for how long this thread has waited for a processor, and 0 where the system does not say', () => {
  const readFully = (): number =>
    process.platform === 'linux'
      ? Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1]) / 1e6
      : 0;
  const before = readFully();
  const read = processorWaitMs();
  const again = processorWaitMs();
  const after = readFully();
  expect(read).toBeGreaterThanOrEqual(before);
  expect(again).toBeGreaterThanOrEqual(read);
  expect(again).toBeLessThanOrEqual(after);
  expect(read > 0).toBe(process.platform === 'linux');
});
