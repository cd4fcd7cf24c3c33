import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FolderIdentity } from '../../../../src/logs/store/embedded/folder-identity.ts';

function folderWithParts(): {
  folder: string;
  away: string;
  changes: (string | undefined)[];
  identity: FolderIdentity;
} {
  const parent = mkdtempSync(join(tmpdir(), 'tailrace-identity-'));
  const folder = join(parent, 'data');
  mkdirSync(join(folder, 'streams'), { recursive: true });
  writeFileSync(join(folder, 'store.mdb'), 'records');
  const changes: (string | undefined)[] = [];
  const identity = new FolderIdentity(folder, ['streams', 'store.mdb'], (trouble) => changes.push(trouble));
  onTestFinished(() => {
    identity.close();
    rmSync(parent, { recursive: true });
  });
  return { folder, away: join(parent, 'away'), changes, identity };
}

describe('the identity of the data folder', () => {
  it('is there while all is in its place, whatever is written', () => {
    const { folder, changes, identity } = folderWithParts();
    writeFileSync(join(folder, 'store.mdb'), 'more records');
    mkdirSync(join(folder, 'streams', 'app'));
    expect(identity.check()).toBeUndefined();
    identity.requireNow();
    expect(changes).toEqual([]);
  });

  it('is lost when the folder is moved, and there again when it is put back: each is told once', () => {
    const { folder, away, changes, identity } = folderWithParts();
    renameSync(folder, away);
    // Nobody has looked yet.
    identity.require();
    for (let i = 0; i < 3; i++)
      expect(() => identity.requireNow()).toThrow(/is gone \(removed, moved or unmounted\)/);
    expect(() => identity.require()).toThrow(/is gone/);
    renameSync(away, folder);
    identity.requireNow();
    identity.require();
    expect(changes).toEqual([expect.stringMatching(/is gone/), undefined]);
  });

  it.each([
    ['a copy of it', (folder: string, away: string) => cpSync(away, folder, { recursive: true })],
    ['an empty one', (folder: string) => mkdirSync(folder)],
    ['a file', (folder: string) => writeFileSync(folder, '')],
  ])('is lost when %s is put in its place', (_, replace) => {
    const { folder, away, changes, identity } = folderWithParts();
    renameSync(folder, away);
    replace(folder, away);
    expect(identity.check()).toMatch(/was replaced by another one/);
    rmSync(folder, { recursive: true });
    expect(identity.check()).toMatch(/is gone/);
    renameSync(away, folder);
    expect(identity.check()).toBeUndefined();
    expect(changes).toEqual([expect.stringMatching(/was replaced/), undefined]);
  });

  it.each(['streams', 'store.mdb'])('is lost when %s in it is removed or replaced', (name) => {
    const { folder, away, identity } = folderWithParts();
    renameSync(join(folder, name), away);
    expect(identity.check()).toMatch(
      new RegExp(`^${name.replace('.', '\\.')} in the data folder .* is gone`),
    );
    cpSync(away, join(folder, name), { recursive: true });
    expect(identity.check()).toMatch(
      new RegExp(`^${name.replace('.', '\\.')} in the data folder .* was replaced`),
    );
    rmSync(join(folder, name), { recursive: true });
    renameSync(away, join(folder, name));
    expect(identity.check()).toBeUndefined();
  });

  it('is lost when a part of its path is no folder any more', () => {
    const { folder, away, identity } = folderWithParts();
    const parent = join(folder, '..');
    const moved = `${parent}-moved`;
    renameSync(parent, moved);
    writeFileSync(parent, '');
    expect(identity.check()).toMatch(/is gone|can't be reached/);
    rmSync(parent);
    renameSync(moved, parent);
    expect(identity.check()).toBeUndefined();
    expect(away).toContain(parent);
  });

  it('is looked at once for all who ask before they are told, behind the last of them', async () => {
    const { folder, away, changes, identity } = folderWithParts();
    const early = identity.requireOnce();
    expect(identity.requireOnce()).toBe(early);
    renameSync(folder, away);
    await expect(early).rejects.toThrow(/is gone/);
    renameSync(away, folder);
    await identity.requireOnce();
    expect(changes).toEqual([expect.stringMatching(/is gone/), undefined]);
  });
});
