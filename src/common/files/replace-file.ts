import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder, syncFolderNow } from './sync-folder.ts';

export interface ReplacementOptions {
  /** Where the new file is until it is whole, on the same file system; left out: beside the old one, with `.new` behind its name. */
  readonly temporary?: string;
  /** False: for what can be made again, or is of no use after the machine has stopped. `file`: whoever calls this syncs the folder. */
  readonly sync?: boolean | 'file';
}

export interface ReplaceFileOptions extends ReplacementOptions {
  /** Of the new file; left out: for its owner alone. */
  readonly mode?: number;
}

/**
 * Replaces a file in one step, or makes it: whoever reads it finds the old one or the new one, whole, also when this process is killed. It is
 * written under another name, synced and renamed, and its folder is synced: once this has resolved, the new one survives a power cut, and before
 * that one leaves the old one or the new one. With `sync: false` a power cut may leave the old one, a part of the new one, or an empty file.
 *
 * When it can't be written (a full disk is `ENOSPC`, see `fileError`), the old one stays, and nothing else; only when the folder can't be synced,
 * the new one is there, and may be gone after a power cut. The folder is there already. Two at a time need temporary files of their own.
 * @throws the system's error
 */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  { mode = 0o600, ...options }: ReplaceFileOptions = {},
): Promise<void> {
  await replaceFileWith(file, (temporary) => writeFile(temporary, content, { mode }), options);
}

/**
 * The same as {@link replaceFile}, of a file that something else writes.
 * @param write writes the file whole, to the path that it is given; what it gives back is what this resolves with
 * @throws what that throws, or the system's error
 */
export async function replaceFileWith<T>(
  file: string,
  write: (temporary: string) => Promise<T>,
  { temporary = `${file}.new`, sync = true }: ReplacementOptions = {},
): Promise<T> {
  try {
    const written = await write(temporary);
    if (sync) await syncFile(temporary);
    await rename(temporary, file);
    if (sync === true) await syncFolder(dirname(file));
    return written;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** The same as {@link replaceFile}, before it returns. */
export function replaceFileNow(
  file: string,
  content: string | Uint8Array,
  options: ReplaceFileOptions = {},
): void {
  const { mode = 0o600, temporary = `${file}.new`, sync = true } = options;
  try {
    writeFileSync(temporary, content, { mode });
    if (sync) syncFileNow(temporary);
    renameSync(temporary, file);
    if (sync === true) syncFolderNow(dirname(file));
  } catch (error) {
    removeNow(temporary);
    throw error;
  }
}

/**
 * Gives a file that is written whole its name, in the place of another that has it: both the file and its name survive a power cut once this has
 * resolved, and never the name without the file. @throws the system's error; the file may have either name then
 */
export async function renameSynced(from: string, to: string): Promise<void> {
  await syncFile(from);
  await rename(from, to);
  await syncFolder(dirname(to));
}

/** The same as {@link renameSynced}, before it returns. */
export function renameSyncedNow(from: string, to: string): void {
  syncFileNow(from);
  renameSync(from, to);
  syncFolderNow(dirname(to));
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.sync().finally(() => file.close());
}

function syncFileNow(path: string): void {
  const fd = openSync(path, 'r+');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function removeNow(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // What couldn't be written is said, not this.
  }
}
