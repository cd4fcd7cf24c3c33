/** Archives in a folder: on this machine, or wherever it is mounted from. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { reasonOf, systemCode, TailraceError } from '../../../../src/common/errors.ts';
import { makeDirectory } from '../../../../src/common/files/make-directory.ts';
import { replaceFileWith } from '../../../../src/common/files/replace-file.ts';
import { syncFolder } from '../../../../src/common/files/sync-folder.ts';
import { acquireProcessLock } from '../../../../src/common/processes/process-lock.ts';
import type { ArchiveStorage, LocalFile, StoredFile } from './archive-storage.ts';

/** Logs may hold secrets: the owner writes, the group reads, nobody else. */
const FILE_MODE = 0o640;
const FOLDER_MODE = 0o750;
/** Behind the names of files that aren't whole yet. */
const PARTIAL = '.partial';
/** Names the process that writes into the folder. */
const LOCK = '.lock';
const COPY_BYTES = 1 << 20;

export class FolderStorage implements ArchiveStorage {
  readonly description: string;
  private readonly root: string;
  private isLocked = false;

  constructor(root: string) {
    this.root = root;
    this.description = root;
  }

  async list(prefix: string): Promise<readonly StoredFile[]> {
    const found = await readdir(this.root, { recursive: true, withFileTypes: true }).catch((error) => {
      if (systemCode(error) === 'ENOENT') return [];
      throw this.unavailable(error);
    });
    const keys = found
      .filter((entry) => entry.isFile() && !entry.name.endsWith(PARTIAL) && entry.name !== LOCK)
      .map((entry) => join(entry.parentPath, entry.name).slice(this.root.length).replaceAll('\\', '/'))
      .map((key) => key.replace(/^\/+/, ''))
      .filter((key) => key.startsWith(prefix));
    const files = await Promise.all(keys.map((key) => this.find(key)));
    return files.filter((file) => file !== undefined);
  }

  async find(key: string): Promise<StoredFile | undefined> {
    try {
      const found = await stat(join(this.root, key));
      return found.isFile()
        ? { key, bytes: found.size, version: `${found.size} ${found.mtimeMs} ${found.ino}` }
        : undefined;
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(systemCode(error))) return undefined;
      throw this.unavailable(error);
    }
  }

  async put(key: string, file: LocalFile, signal?: AbortSignal): Promise<void> {
    await this.replace(key, async (partial) => {
      const from = await open(file.path, 'r');
      const to = await open(partial, 'w+', FILE_MODE);
      try {
        const buffer = Buffer.allocUnsafe(COPY_BYTES);
        for (let position = 0; ; ) {
          signal?.throwIfAborted();
          const { bytesRead } = await from.read(buffer, 0, COPY_BYTES, position);
          if (bytesRead === 0) break;
          for (let done = 0; done < bytesRead; )
            done += (await to.write(buffer, done, bytesRead - done, position + done)).bytesWritten;
          position += bytesRead;
        }
        const hash = createHash('sha256');
        for await (const chunk of to.createReadStream({ start: 0, autoClose: false })) hash.update(chunk);
        if (hash.digest('hex') !== file.sha256) throw new Error('what was written reads differently');
      } finally {
        await Promise.all([from.close(), to.close()]);
      }
    });
  }

  async putText(key: string, text: string | Uint8Array): Promise<void> {
    await this.replace(key, (partial) => writeFile(partial, text, { mode: FILE_MODE }));
  }

  async read(key: string): Promise<Readable> {
    if (!(await this.find(key)))
      throw new TailraceError('not_found', `There is no file ${key} in the archive ${this.root}.`);
    return createReadStream(join(this.root, key));
  }

  /** A partial file has its name again when the file is written again. */
  async removeUnfinished(): Promise<void> {}

  private async replace(key: string, write: (partial: string) => Promise<void>): Promise<void> {
    const path = join(this.root, key);
    const folder = dirname(path);
    const partial = `${path}${PARTIAL}`;
    try {
      makeDirectory(folder, FOLDER_MODE);
      this.lock();
      await replaceFileWith(path, write, { temporary: partial, sync: 'file' });
      // A renamed file survives a power failure when its folder was synced, a new folder when the one above was.
      for (let above = folder; above.length >= this.root.length; above = dirname(above)) {
        await syncFolder(above);
        if (above === dirname(above)) break;
      }
    } catch (error) {
      throw systemCode(error) === 'ABORT_ERR' || error instanceof TailraceError
        ? error
        : this.unavailable(error);
    }
  }

  /**
   * From the first file on the folder is this process's, until it ends: two would give their files the same names, and take each other's out of the lists of
   * days. Of processes on other machines, or in other containers, nothing is known here.
   */
  private lock(): void {
    if (this.isLocked) return;
    const lock = acquireProcessLock(join(this.root, LOCK));
    if (typeof lock !== 'function' && lock.holderPid !== process.pid)
      throw new TailraceError(
        'unavailable',
        `The archive folder ${this.root} is written to by another viewer (process ${lock.holderPid}): give each a folder of its own with VIEWER_ARCHIVE.`,
      );
    this.isLocked = true;
  }

  private unavailable(error: unknown): TailraceError {
    return new TailraceError(
      'unavailable',
      `The archive folder ${this.root} can't be used (${reasonOf(error)}): it has to be there, writable, and not full.`,
      { cause: error },
    );
  }
}
