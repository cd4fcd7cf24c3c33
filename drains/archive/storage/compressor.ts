/**
 * Compresses rotated files in the background, one at a time, and deletes those beyond `keep`. Its one job brings a folder
 * from any state to the final one, so that it serves after a rotation as well as after a crash: a `.log.gz` gets its name
 * only when it is whole and on disk, and only then its `.log` is deleted.
 */

import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { replaceFileWith } from '../../../src/common/files/replace-file.ts';
import { FILE_MODE } from './durable-files.ts';
import { rotatedFiles } from './rotation.ts';

const TEMPORARY_SUFFIX = '.log.gz.tmp';

export interface Logger {
  /** @param sentence for people. */
  info(sentence: string): void;
  /** @param sentence for people, about what needs attention. */
  warn(sentence: string): void;
}

export class Compressor {
  private readonly keep: number;
  private readonly logger: Logger;
  private readonly queued = new Set<string>();
  private readonly aborter = new AbortController();
  private tail: Promise<void> = Promise.resolve();

  constructor(keep: number, logger: Logger) {
    this.keep = keep;
    this.logger = logger;
  }

  /** Schedules the job for a folder; returns at once. */
  schedule(folder: string): void {
    if (this.queued.has(folder)) return;
    this.queued.add(folder);
    this.tail = this.tail.then(async () => {
      this.queued.delete(folder);
      if (this.aborter.signal.aborted) return;
      await this.pruneAndCompress(folder).catch((error: unknown) => {
        // The uncompressed file is still there; the next rotation or start retries.
        if (!this.aborter.signal.aborted) this.logger.warn(`cannot pack files in ${folder}: ${error}`);
      });
    });
  }

  /** Aborts a compression; the next start begins it again. */
  async stop(): Promise<void> {
    this.aborter.abort();
    await this.tail;
  }

  private async pruneAndCompress(folder: string): Promise<void> {
    const names = new Set(await readdir(folder));
    for (const name of names)
      if (name.endsWith(TEMPORARY_SUFFIX)) await rm(join(folder, name), { force: true });
    const files = rotatedFiles(names);
    const surplus = this.keep === 0 ? 0 : Math.max(0, files.length - this.keep);
    // Deletes first: compressing needs space on the disk.
    for (const { stem } of files.slice(0, surplus)) {
      await rm(join(folder, `${stem}.log`), { force: true });
      await rm(join(folder, `${stem}.log.gz`), { force: true });
    }
    for (const { stem } of files.slice(surplus)) {
      if (!names.has(`${stem}.log`)) continue;
      if (!names.has(`${stem}.log.gz`)) await this.compress(folder, stem);
      await rm(join(folder, `${stem}.log`), { force: true });
    }
  }

  private async compress(folder: string, stem: string): Promise<void> {
    const temporary = join(folder, `${stem}${TEMPORARY_SUFFIX}`);
    const final = join(folder, `${stem}.log.gz`);
    const write = () =>
      pipeline(
        createReadStream(join(folder, `${stem}.log`)),
        createGzip(),
        createWriteStream(temporary, { mode: FILE_MODE }),
        { signal: this.aborter.signal },
      );
    await replaceFileWith(final, write, { temporary });
    const { size } = await stat(final);
    this.logger.info(`packed ${basename(folder)}/${basename(final)} (${size} bytes)`);
  }
}
