import { execFileSync } from 'node:child_process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FolderIdentity } from '../../../../src/logs/store/embedded/folder-identity.ts';
import { dataFolderForTest } from '../../../support/server.ts';

describe('a disk that becomes read-only', () => {
  it('is noticed, and that it can be written again', (context) => {
    const folder = dataFolderForTest();
    const mount = (...args: string[]) => execFileSync('mount', [...args, folder], { stdio: 'ignore' });
    try {
      mount('-t', 'tmpfs', 'tailrace-test');
    } catch {
      return context.skip('no disk can be mounted here');
    }
    onTestFinished(() => void execFileSync('umount', ['-l', folder]));
    const changes: (string | undefined)[] = [];
    const identity = new FolderIdentity(folder, [], (trouble) => changes.push(trouble));
    onTestFinished(() => identity.close());
    mount('-o', 'remount,ro');
    expect(identity.check()).toMatch(/can't be written \(EROFS\), and nothing is stored until it can be/);
    expect(() => identity.require()).toThrow(/EROFS/);
    mount('-o', 'remount,rw');
    expect(identity.check()).toBeUndefined();
    expect(changes).toEqual([expect.stringMatching(/EROFS/), undefined]);
  });
});
