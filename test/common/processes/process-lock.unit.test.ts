import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ownStartTicks } from '../../../src/common/processes/process-identity.ts';
import { acquireProcessLock, lockHolder } from '../../../src/common/processes/process-lock.ts';

const ticks = ownStartTicks();

function lockFileForTest(content?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-lock-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'lock');
  if (content !== undefined) writeFileSync(file, content, 'latin1');
  return file;
}

describe('the lock of a folder', () => {
  it('is held by one process, until it lets go', () => {
    const file = lockFileForTest();
    const unlock = acquireProcessLock(file);
    expect(lockHolder(file)).toBe(process.pid);
    expect(acquireProcessLock(file)).toEqual({ holderPid: process.pid });
    expect(readdirSync(join(file, '..'))).toEqual(['lock']);
    if (typeof unlock === 'function') unlock();
    expect(existsSync(file)).toBe(false);
  });

  it('is not removed by one that has lost it', () => {
    const file = lockFileForTest();
    const unlock = acquireProcessLock(file);
    writeFileSync(file, '4194304 1 another\n');
    if (typeof unlock === 'function') unlock();
    expect(existsSync(file)).toBe(true);
  });

  it.each([`${process.pid} ${ticks}\n`, `${process.pid} ${ticks}`])(
    'is held as earlier versions wrote it: %j',
    (content) => {
      expect(acquireProcessLock(lockFileForTest(content))).toEqual({ holderPid: process.pid });
    },
  );

  it('is free when the process has ended, started at another time, or in another boot', () => {
    for (const content of [
      '4194304 1\n', // above the highest process id
      `${process.pid} ${ticks}9\n`,
      `${process.pid} ${ticks} 00000000-0000-0000-0000-000000000000\n`,
    ])
      expect(lockHolder(lockFileForTest(content)), content).toBeUndefined();
  });

  it.skipIf(ticks === '')('is free when a power cut has torn it, wherever', () => {
    const file = lockFileForTest();
    acquireProcessLock(file);
    const whole = readFileSync(file, 'latin1');
    for (let length = 0; length < whole.length - 1; length++)
      for (const rest of ['', '\0'.repeat(whole.length - length)]) {
        const content = whole.slice(0, length) + rest;
        // That is how earlier versions wrote it as a whole.
        if (content === `${process.pid} ${ticks}`) continue;
        const torn = lockFileForTest(content);
        expect(lockHolder(torn), JSON.stringify(content)).toBeUndefined();
        expect(acquireProcessLock(torn)).toBeTypeOf('function');
      }
    for (const other of ['1', '1 ', '1\n', '1 \n', '1 \0\0\0'])
      expect(lockHolder(lockFileForTest(other)), JSON.stringify(other)).toBeUndefined();
  });
});
