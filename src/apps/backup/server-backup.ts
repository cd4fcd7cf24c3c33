/** What of a server is backed up, and what becomes of it when it is restored. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { VERSION } from '../../common/package-info.ts';
import type { BackedUpStream } from '../../logs/backup/backup-layout.ts';
import type { BackupSource } from '../../logs/backup/write-backup.ts';
import { type DrainRecord, renumberedDrain } from '../../logs/drains/options/drain-record.ts';
import type { AppId, RecordChange, Store, StoredRecord } from '../../logs/store/contract.ts';
import { PEOPLE_SCOPE } from '../access/people.ts';
import type { AppRecord } from '../records/app-registry.ts';
import type { SlugRecord } from '../records/slug-record.ts';
import { slugRecordKey } from '../records/slug-record.ts';

/** Of the data folder: which server it is, slugs, and backups of databases that were made here. */
const SERVER_ID_FILE = 'host/addons-server';
const SLUGS_FOLDER = 'host/slugs';
const DATABASE_BACKUPS_FOLDER = 'host/backups';

/** Everything of a server: all records, the lines of all apps, slugs, backups of databases. */
export function serverBackup(store: Store, folder: string): BackupSource {
  return {
    program: 'tailrace',
    version: VERSION,
    store,
    folder,
    scopesOf: (platform) => [...appsIn(platform).map(({ id }) => id), PEOPLE_SCOPE],
    streamsOf: (platform) => appsIn(platform).map(({ id, name }) => ({ id, name })),
    filesOf: async (records) => {
      const slugs = [...records.values()]
        .flat()
        .filter(({ key }) => key.startsWith(slugRecordKey('')))
        .map(({ value }) => `${SLUGS_FOLDER}/${(value as SlugRecord).id}.tgz`);
      const id = existsSync(join(folder, SERVER_ID_FILE)) ? [SERVER_ID_FILE] : [];
      return [...id, ...slugs, ...(await filesIn(folder, DATABASE_BACKUPS_FOLDER))];
    },
  };
}

/** Which apps' records are among those of no app. */
function appsIn(platform: readonly StoredRecord[]): AppRecord[] {
  return platform.filter(({ key }) => key.startsWith('app/')).map(({ value }) => value as AppRecord);
}

/** Lines that come after a restore may have numbers that others had, and which drains have delivered. */
export function adaptServerRecords(): (
  scope: string,
  change: RecordChange,
  streams: readonly BackedUpStream[],
) => RecordChange {
  const restore = randomUUID();
  return (scope, change, streams) => {
    if (scope !== '' || !change.key.startsWith('drain/')) return change;
    const drain = change.value as DrainRecord;
    const stream = streams.find(({ id }) => id === drain.app);
    return stream ? { ...change, value: renumberedDrain(drain, stream.last, restore) } : change;
  };
}

/** Does a store hold what a restore would be put on top of? The names of apps, and who is known. */
export async function describeExistingData(store: Store): Promise<string | undefined> {
  const names = appsIn(await store.list('', 'app/')).map(({ name }) => name);
  if (names.length > 0) return `apps (${names.slice(0, 3).join(', ')}${names.length > 3 ? ' …' : ''})`;
  return (await store.list(PEOPLE_SCOPE, '')).length > 0 ? 'people' : undefined;
}

/** Removes everything of apps and people from a store. */
export async function emptyStore(store: Store): Promise<void> {
  const apps: AppId[] = appsIn(await store.list('', 'app/')).map(({ id }) => id);
  for (const scope of ['', PEOPLE_SCOPE, ...apps]) {
    const records = await store.list(scope, '');
    await store.transact(
      scope,
      records.map(({ key }) => ({ key, value: undefined })),
    );
  }
  for (const app of apps) await store.dropStream(app);
}

/** Paths of all files in a folder of the data folder that are whole. */
async function filesIn(folder: string, within: string): Promise<string[]> {
  const entries = await readdir(join(folder, within), { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  return entries
    .filter((entry) => entry.isFile() && /\.(?:json|dump)$/.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
