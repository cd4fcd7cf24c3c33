/** What of a viewer is backed up: everything that it knows, and all lines that it keeps. */
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VERSION } from '../../../src/common/package-info.ts';
import type { BackupManifest } from '../../../src/logs/backup/backup-layout.ts';
import { writeBackup } from '../../../src/logs/backup/write-backup.ts';
import type { AppId, Sequence, Store, StoredRecord } from '../../../src/logs/store/contract.ts';
import { ACCESS_SCOPE } from '../access/access-records.ts';
import { ALERTS_SCOPE } from '../alerts/records/alert-records.ts';
import { ARCHIVE_SCOPE } from '../archive/archiver.ts';
import { BACKUP_FOLDER, LINES_FOLDER } from '../config/data-folder.ts';
import { type LogStreamRecord, STREAM_PREFIX } from '../groups/group-records.ts';

export interface ViewerBackupParts {
  readonly records: Store;
  /** The data folder. */
  readonly data: string;
  /** See `PackedLineStore.linkFiles`. */
  readonly linkLines: (folder: string) => Promise<ReadonlyMap<AppId, Sequence>>;
}

/**
 * The bytes of a backup, while lines come, are packed and removed. Packed lines are in it as the files that they are in; others as they came.
 * @param since the manifest of a backup: what that one, or those before it, have already is left out
 */
export async function* backUpViewer(
  { records, data, linkLines }: ViewerBackupParts,
  since?: BackupManifest,
): AsyncGenerator<Buffer, void, void> {
  const folder = join(data, BACKUP_FOLDER, randomUUID());
  try {
    const linkedThrough = await linkLines(join(folder, LINES_FOLDER));
    yield* writeBackup(
      {
        program: 'viewer',
        version: VERSION,
        store: records,
        folder,
        scopesOf: (platform) => [
          ...streamsIn(platform).map(({ id }) => id),
          ACCESS_SCOPE,
          ALERTS_SCOPE,
          ARCHIVE_SCOPE,
        ],
        streamsOf: (platform) =>
          streamsIn(platform).map(({ id, name }) => ({ id, name, inFilesThrough: linkedThrough.get(id) })),
        filesOf: async (all) => streamsIn(all.get('') ?? []).flatMap(({ id }) => filesOf(folder, id)),
      },
      since,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes what a backup held on to that ended with its process. */
export async function removeUnfinishedBackups(data: string): Promise<void> {
  await rm(join(data, BACKUP_FOLDER), { recursive: true, force: true });
}

function streamsIn(platform: readonly StoredRecord[]): LogStreamRecord[] {
  return platform
    .filter(({ key }) => key.startsWith(STREAM_PREFIX))
    .map(({ value }) => value as LogStreamRecord);
}

function filesOf(folder: string, stream: AppId): string[] {
  const own = `${LINES_FOLDER}/${stream}`;
  if (!existsSync(join(folder, own))) return [];
  return readdirSync(join(folder, own)).map((name) => `${own}/${name}`);
}
