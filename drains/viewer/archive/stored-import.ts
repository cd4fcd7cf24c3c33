/** Imports files of the archive again: each stream's lines into the stream that they are of, or all of them into one. */

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TailraceError } from '../../../src/common/errors.ts';
import { makeDirectory } from '../../../src/common/files/make-directory.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import type { LineStore } from '../store/contract.ts';
import type { ArchiveCatalog, ArchivedFile } from './catalog.ts';
import { type ImportResult, importFile } from './import-file.ts';

export interface StoredImportOptions {
  readonly store: LineStore;
  readonly catalog: ArchiveCatalog;
  /** For the file, while it is read. */
  readonly folder: string;
  readonly signal?: AbortSignal;
}

/**
 * @param stream where the lines go
 * @param onlyStream of a file with several streams: only lines of this one
 * @throws TailraceError `bad_request` when the file isn't what was written
 */
export async function importStoredFile(
  file: ArchivedFile,
  targets: readonly { readonly stream: AppId; readonly onlyStream: string | undefined }[],
  { store, catalog, folder, signal }: StoredImportOptions,
): Promise<readonly ImportResult[]> {
  makeDirectory(folder, 0o750);
  const own = await mkdtemp(join(folder, 'import-'));
  try {
    const path = join(own, 'file');
    const hash = createHash('sha256');
    const hashed = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        done(undefined, chunk);
      },
    });
    await pipeline(await catalog.storage.read(file.key), hashed, createWriteStream(path), { signal });
    const sha256 = hash.digest('hex');
    if (file.listed && file.listed.sha256 !== sha256)
      throw new TailraceError(
        'bad_request',
        `${file.key} isn't what was written: its SHA-256 is ${sha256}, and was ${file.listed.sha256}. Nothing of it was imported.`,
      );
    const format = file.format === 'text' ? undefined : file.format;
    const results: ImportResult[] = [];
    for (const target of targets)
      results.push(await importFile(store, { ...target, path, name: file.key, format, signal }));
    return results;
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}
