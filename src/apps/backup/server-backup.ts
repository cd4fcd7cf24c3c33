/** What of a server is backed up, and what becomes of it when it is restored. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { VERSION } from '../../common/package-info.ts';
import type { BackedUpStream } from '../../logs/backup/backup-layout.ts';
import type { AdaptRecord } from '../../logs/backup/restore-backup.ts';
import type { BackupSource } from '../../logs/backup/write-backup.ts';
import { type DrainRecord, renumberedDrain } from '../../logs/drains/options/drain-record.ts';
import type { AppId, RecordChange, Store, StoredRecord } from '../../logs/store/contract.ts';
import {
  isPositionsKey,
  type PositionOffset,
  positionsKey,
  renumberedOffsets,
} from '../../logs/store/stream-positions.ts';
import { PEOPLE_SCOPE } from '../access/people.ts';
import type { AppRecord } from '../records/app-registry.ts';
import type { SlugRecord } from '../records/slug-record.ts';
import { slugRecordKey } from '../records/slug-record.ts';

/** Of the data folder: which server it is, slugs, and backups of databases that were made here. */
const SERVER_ID_FILE = 'host/addons-server';
const SLUGS_FOLDER = 'host/slugs';
const DATABASE_BACKUPS_FOLDER = 'host/backups';
/** More than the power cuts that a server may have had since it was backed up. */
const STEPS_SINCE_BACKUP = 1_000;

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

/** Lines that come after a restore may have numbers that others had, which drains have delivered and tails have shown. */
export function adaptServerRecords(): AdaptRecord {
  const restore = randomUUID();
  return (scope, change, streams) => {
    if (scope !== '') return [change];
    const { key, value } = change;
    if (key.startsWith('drain/')) {
      const drain = value as DrainRecord;
      const stream = streams.find(({ id }) => id === drain.app);
      return [stream ? { key, value: renumberedDrain(drain, stream.last, restore) } : change];
    }
    const positionsOf = ({ id, last }: BackedUpStream, offsets: readonly PositionOffset[]): RecordChange => ({
      key: positionsKey(id),
      value: renumberedOffsets(offsets, last, STEPS_SINCE_BACKUP),
    });
    if (isPositionsKey(key)) {
      const stream = streams.find(({ id }) => positionsKey(id) === key);
      return stream ? [positionsOf(stream, value as readonly PositionOffset[])] : [];
    }
    const stream = key.startsWith('app/') ? streams.find(({ id }) => key === `app/${id}`) : undefined;
    // Where the app has some already, they come behind it.
    return stream ? [change, positionsOf(stream, [])] : [change];
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
