import { describe, expect, it } from 'vitest';
import { isProcessRunning, ownStartTicks } from '../../../src/common/processes/process-identity.ts';

describe('a process named in a file', () => {
  it('runs when it is this one, with the time it started or without', () => {
    expect(isProcessRunning(process.pid)).toBe(true);
    expect(isProcessRunning(process.pid, ownStartTicks())).toBe(true);
  });

  it.skipIf(ownStartTicks() === '')('is another one when it started at another time', () => {
    expect(isProcessRunning(process.pid, '1')).toBe(false);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 30])('%d is none', (pid) => {
    expect(isProcessRunning(pid)).toBe(false);
  });
});
