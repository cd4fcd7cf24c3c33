/** Where a backup is written to: a file that is there only when it is whole, or standard output. */

import { once } from 'node:events';
import { open, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { systemCode, TailraceError } from '../../common/errors.ts';
import { replaceFileWith } from '../../common/files/replace-file.ts';
import { requireReplaceable } from '../../common/files/require-replaceable.ts';
import { type CheckedBackup, checkBackup } from './read-backup.ts';

/** Progress is shown this often. */
const PROGRESS_MS = 250;

/**
 * Writes a backup to a file, reads it again to see that it is whole, and gives it its name then. What was there before under this name is
 * replaced.
 * @throws TailraceError when it can't be written, or isn't what was sent
 */
export async function writeBackupFile(
  file: string,
  bytes: AsyncIterable<Buffer>,
  onProgress: (byteCount: number) => void,
): Promise<CheckedBackup> {
  await requireReplaceable(file, 'name one, or write - and lead standard output there');
  const temporary = join(dirname(file), `.${basename(file)}.${process.pid}.part`);
  const write = async (): Promise<CheckedBackup> => {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      const pieces = counted(bytes, onProgress);
      await writeFile(handle, /\.t?gz$/.test(file) ? gzipped(pieces) : pieces);
    } finally {
      await handle.close();
    }
    return checkBackup(temporary);
  };
  try {
    const { manifest } = await replaceFileWith(file, write, { temporary });
    return { file, manifest };
  } catch (error) {
    if (error instanceof TailraceError) throw error;
    throw new TailraceError(
      'unavailable',
      `${file} can't be written (${systemCode(error) || String(error)}): nothing is there under this name that wasn't before.`,
      { cause: error },
    );
  }
}

/** Writes a backup to a stream that somebody reads. */
export async function writeBackupTo(out: Writable, bytes: AsyncIterable<Buffer>): Promise<void> {
  for await (const piece of bytes) if (!out.write(piece)) await once(out, 'drain');
}

async function* counted(
  bytes: AsyncIterable<Buffer>,
  onProgress: (byteCount: number) => void,
): AsyncGenerator<Buffer, void, void> {
  let byteCount = 0;
  let shownMs = 0;
  for await (const piece of bytes) {
    byteCount += piece.length;
    yield piece;
    if (performance.now() - shownMs < PROGRESS_MS) continue;
    shownMs = performance.now();
    onProgress(byteCount);
  }
}

function gzipped(pieces: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const gzip = createGzip({ level: 1 });
  const source = Readable.from(pieces, { highWaterMark: 1 });
  return source.on('error', (error) => gzip.destroy(error)).pipe(gzip);
}
