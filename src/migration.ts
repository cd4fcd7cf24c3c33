/**
 * Moves everything from one store to another: apps, tokens, drains with their cursors, config, people, and the streams with
 * their numbers, so that drains and tails go on where they were. What was moved before is not moved again: an
 * interrupted migration is simply started again.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PEOPLE_SCOPE } from './apps/access/people.ts';
import type { AppRecord } from './apps/records/app-registry.ts';
import type { Settings } from './common/config/settings.ts';
import { TailraceError } from './common/errors.ts';
import { SILENT_LOG } from './common/log.ts';
import { ROUTERS_SCOPE } from './logs/drains/membership.ts';
import { renumberStreams } from './logs/drains/progress/renumber-streams.ts';
import { LIMITS_PREFIX } from './logs/store/app-limits.ts';
import type { AppId, RecordChange, Sequence, Store } from './logs/store/contract.ts';
import { isRedisUrl, openStore } from './logs/store/open.ts';
import { placeholderBatch } from './logs/store/placeholder-batch.ts';

const READ_BYTES = 1_048_576;
/** How long a Redis may take to answer first: somebody waits. */
const OPEN_TIMEOUT_MS = 3_000;
/** Records that are written with one transaction. */
const RECORDS_PER_TRANSACTION = 500;

/** Told of every app that was moved. */
type OnAppMigrated = (app: MigratedApp) => void;

export interface MigratedApp {
  readonly name: string;
  readonly lines: number;
  readonly bytes: number;
}

/**
 * Opens two stores, data folders or Redis URLs, and moves all from one to the other.
 * @throws TailraceError when one of them can't be used, and as {@link migrate} does.
 */
export async function migrateStores(
  settings: Settings,
  [source, target]: readonly [string, string],
  warn: (message: string) => void,
  onAppMigrated: OnAppMigrated,
): Promise<void> {
  if (!isRedisUrl(source) && !existsSync(join(source, 'store.mdb')))
    throw new TailraceError(
      'data_folder',
      `There is no store in ${source}: name the data folder of a server with --from, or the URL of its Redis.`,
    );
  const from = await openStoreAt(settings, source, warn);
  try {
    const to = await openStoreAt(settings, target, warn);
    await migrate(from, to, onAppMigrated).finally(() => to.close());
  } finally {
    await from.close();
  }
}

/**
 * Opens a store for a command, which no server waits for.
 * @param where a data folder or the URL of a Redis
 * @throws TailraceError when it can't be used
 */
export async function openStoreAt(
  settings: Settings,
  where: string,
  warn: (message: string) => void,
): Promise<Store> {
  const messages: string[] = [];
  let report = (message: string): void => void messages.push(message);
  const store = await openStore(
    { ...settings, redisUrl: isRedisUrl(where) ? where : '', data: where },
    { ...SILENT_LOG, warn: (_fields, message) => report(message) },
    OPEN_TIMEOUT_MS,
  );
  // What was said before is in the error when there is one.
  for (const message of messages) warn(message);
  report = warn;
  return store;
}

/**
 * Moves all; `moved` is told of every app.
 * @throws TailraceError `conflict` when routers still run on one of the stores, or the target has other apps.
 */
export async function migrate(from: Store, to: Store, onAppMigrated: OnAppMigrated): Promise<void> {
  await assertNoRoutersRunning(from, 'the source');
  await assertNoRoutersRunning(to, 'the target');
  // The target doesn't know that numbers may be given anew.
  await renumberStreams(from);
  const apps = await listApps(from);
  const ids = new Set(apps.map(({ id }) => id));
  const others = (await listApps(to)).filter(({ id }) => !ids.has(id));
  if (others.length > 0)
    throw new TailraceError(
      'conflict',
      `The target has apps of its own (${others
        .slice(0, 3)
        .map(({ name }) => name)
        .join(', ')}…): migrate into an empty one.`,
    );
  // Before the lines that they let streams hold.
  await copyRecords(from, to, '', LIMITS_PREFIX);
  for (const { id, name } of apps) {
    const { lines, bytes } = await copyStream(from, to, id);
    await copyRecords(from, to, id);
    onAppMigrated({ name, lines, bytes });
  }
  await copyRecords(from, to, PEOPLE_SCOPE);
  // The apps themselves come last: before, nobody there knows of them.
  await copyRecords(from, to, '');
}

async function listApps(store: Store): Promise<AppRecord[]> {
  return (await store.list<AppRecord>('', 'app/')).map(({ value }) => value);
}

/**
 * A router that goes on meanwhile would move cursors and append lines behind our back.
 * @throws TailraceError `conflict`
 */
export async function assertNoRoutersRunning(store: Store, which: string): Promise<void> {
  if (!store.shared) return; // it is locked by this process
  for (const { key } of await store.list(ROUTERS_SCOPE, 'router/')) {
    const lease = await store.acquireLease(key, 'migration', 1);
    if (!lease)
      throw new TailraceError(
        'conflict',
        `Routers run on ${which}: stop them all first (one that was killed counts for six seconds).`,
      );
    await store.releaseLease(lease);
  }
}

async function copyStream(from: Store, to: Store, app: AppId): Promise<{ lines: number; bytes: number }> {
  let after: Sequence = (await to.bounds(app)).last;
  let lines = 0;
  let bytes = 0;
  for (;;) {
    const batches = await from.read(app, after, READ_BYTES);
    for (const batch of batches) {
      if (batch.first <= after) continue;
      await to.restore(app, batch);
      lines += batch.count;
      bytes += batch.bytes.length;
    }
    const last = batches.at(-1)?.last;
    if (last === undefined) break;
    after = last;
  }
  const { first, last } = await from.bounds(app);
  // Everything has grown too old, but the numbers were used: cursors stand there.
  if (last > after && first > last)
    await to.restore(app, placeholderBatch(last, 'Moved to another store; the lines before are gone'));
  return { lines, bytes };
}

/** @param prefix of the keys; left out: all */
async function copyRecords(from: Store, to: Store, scope: string, prefix = ''): Promise<void> {
  const records = await from.list(scope, prefix);
  for (let i = 0; i < records.length; i += RECORDS_PER_TRANSACTION) {
    const changes: RecordChange[] = records
      .slice(i, i + RECORDS_PER_TRANSACTION)
      .map(({ key, value }) => ({ key, value }));
    await to.transact(scope, changes);
  }
}
