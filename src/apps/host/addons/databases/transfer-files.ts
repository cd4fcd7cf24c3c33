/** Backups on this server's disk: a folder for each app, in it a record and a dump for each transfer. */

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../../../common/errors.ts';
import { namesInFolder } from '../../../../common/files/read-if-exists.ts';
import { renameSynced, replaceFile } from '../../../../common/files/replace-file.ts';
import type { AppId } from '../../../../logs/store/contract.ts';
import type { TransferRecord } from './transfer-record.ts';

export class TransferFiles {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Apps that have transfers here, those included that were destroyed and not removed yet. */
  async apps(): Promise<AppId[]> {
    return (await namesInFolder(this.folder)) as AppId[];
  }

  /** Also those that were deleted, oldest first. */
  async list(app: AppId): Promise<TransferRecord[]> {
    const names = (await namesInFolder(join(this.folder, app))).filter((name) => /^\d+\.json$/.test(name));
    const records = await Promise.all(
      names.map(async (name): Promise<TransferRecord | undefined> => {
        const text = await readFile(join(this.folder, app, name), 'utf8').catch(() => '');
        try {
          return JSON.parse(text) as TransferRecord;
        } catch {
          return undefined; // removed meanwhile, or not written by this
        }
      }),
    );
    return records.filter((one) => one !== undefined).sort((a, b) => a.num - b.num);
  }

  /** Stores a new one under the next number. @throws the system's error */
  async create(app: AppId, make: (num: number) => TransferRecord): Promise<TransferRecord> {
    await mkdir(join(this.folder, app), { recursive: true, mode: 0o700 });
    const numbers = (await namesInFolder(join(this.folder, app))).map(
      (name) => Number.parseInt(name, 10) || 0,
    );
    for (let num = Math.max(0, ...numbers) + 1; ; num++) {
      const record = make(num);
      try {
        await writeFile(this.path(app, num, 'json'), JSON.stringify(record), { mode: 0o600, flag: 'wx' });
        return record;
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error;
      }
    }
  }

  /** In one step: a crash leaves the old one or the new one, and a power cut the new one. */
  async update(app: AppId, record: TransferRecord): Promise<void> {
    await replaceFile(this.path(app, record.num, 'json'), JSON.stringify(record));
  }

  /** Where a whole backup is, in pg_dump's custom format. */
  dump(app: AppId, num: number): string {
    return this.path(app, num, 'dump');
  }

  /** What isn't a whole backup yet, or is only needed for a restore. */
  unfinished(app: AppId, num: number): string {
    return this.path(app, num, 'part');
  }

  /** What was written is on the disk, and a backup from now on. */
  async finish(app: AppId, num: number): Promise<void> {
    await renameSynced(this.unfinished(app, num), this.dump(app, num));
  }

  /** The record stays; it is no error when there is no file. */
  async removeDump(app: AppId, num: number): Promise<void> {
    await rm(this.dump(app, num), { force: true });
    await rm(this.unfinished(app, num), { force: true });
  }

  /** Removes records and dumps of an app. */
  async removeApp(app: AppId): Promise<void> {
    await rm(join(this.folder, app), { recursive: true, force: true, maxRetries: 3 });
  }

  private path(app: AppId, num: number, extension: string): string {
    return join(this.folder, app, `${num}.${extension}`);
  }
}
