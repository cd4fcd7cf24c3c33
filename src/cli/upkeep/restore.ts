import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { adaptServerRecords, describeExistingData, emptyStore } from '../../apps/backup/server-backup.ts';
import type { Settings } from '../../common/config/settings.ts';
import { reasonOf, TailraceError } from '../../common/errors.ts';
import { createDataFolder } from '../../common/files/data-folder.ts';
import { formatCount, formatNumber } from '../../common/text/format-numbers.ts';
import type { BackupManifest } from '../../logs/backup/backup-layout.ts';
import { checkBackupChain } from '../../logs/backup/read-backup.ts';
import { type RestoreReport, restoreBackup } from '../../logs/backup/restore-backup.ts';
import type { Store } from '../../logs/store/contract.ts';
import { isRedisUrl } from '../../logs/store/open.ts';
import { printResult, printText } from '../format.ts';
import { collectValues } from '../repeated-option.ts';
import { offlineSettings } from './backup.ts';

/** Git takes no commit for new that a repository has already, and what was pushed after the backup isn't released any more: they begin empty. */
const REPOSITORIES = 'repositories';
/**
 * Of a data folder, what a restore takes the place of. The records come last: as long as they are there, a restore that was interrupted is refused
 * without `--replace`.
 */
const REPLACED = [
  'streams',
  'commits',
  'journal-0',
  'host/journal',
  'host/slugs',
  'host/backups',
  'store.mdb-lock',
  'store.mdb',
];

interface RestoreOptions {
  readonly base?: string[];
  readonly to?: string;
  readonly dir?: string;
  readonly replace?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `tailrace restore`: puts a backup into a store that no server has open. */
export function restoreCommand(program: Command): void {
  program
    .command('restore <file>')
    .description('restore a backup into an empty data folder or Redis; stop the server first')
    .option('--base <backup>', 'a backup that it goes on from (default: looked for beside it)', collectValues)
    .option('-d, --dir <folder>', 'the data folder')
    .option('--to <store>', 'the URL of a Redis for records and lines (default: what REDIS_URL says)')
    .option(
      '--replace',
      "in place of what is there: a data folder's is kept in replaced/, a Redis's is removed",
    )
    .option('--dry-run', 'only check it, and say what would be restored')
    .option('-j, --json', 'print JSON')
    .action(async (file: string, options: RestoreOptions) => {
      const chain = await checkBackupChain(file, options.base ?? []);
      const { manifest } = chain[chain.length - 1];
      if (manifest.program !== 'tailrace')
        throw new TailraceError(
          'invalid_params',
          `${file} is a backup of the ${manifest.program}, which restores it itself.`,
        );
      const settings = offlineSettings(options.dir);
      const where = options.to ?? (settings.redisUrl || settings.data);
      if (options.to !== undefined && !isRedisUrl(options.to))
        throw new TailraceError(
          'invalid_params',
          'Name a data folder with --dir, and with --to the URL of a Redis.',
        );
      if (options.dryRun) {
        printResult(options.json, plan(file, where, manifest), () =>
          [`${file} is whole. It would be restored into ${where}:`, ...contentsOf(manifest)].join('\n'),
        );
        return;
      }
      createDataFolder(settings.data);
      const { aside, putAside, movedTo } = placeAside(settings.data);
      const store = await openEmpty(settings, where, options.replace === true, () => putAside(REPLACED));
      let report: RestoreReport;
      try {
        putAside([REPOSITORIES]);
        report = await restoreBackup(chain, { store, folder: settings.data, adapt: adaptServerRecords() });
      } catch (error) {
        throw movedTo() === undefined ? error : interrupted(error, aside);
      } finally {
        await store.close();
      }
      printResult(
        options.json,
        { ...plan(file, where, manifest), ...report, moved_to: movedTo() ?? null },
        () => describe(where, manifest, report, movedTo()),
      );
    });
}

/** @throws TailraceError `conflict` when the store holds something that isn't to be replaced */
async function openEmpty(
  settings: Settings,
  where: string,
  replace: boolean,
  putAside: () => void,
): Promise<Store> {
  const { assertNoRoutersRunning, openStoreAt } = await import('../../migration.ts');
  const warn = (message: string): void => printText(` !   ${message}`, process.stderr);
  const store = await openStoreAt(settings, where, warn);
  let isOpen = true;
  try {
    await assertNoRoutersRunning(store, 'the target');
    const there = await describeExistingData(store);
    if (there === undefined) return store;
    if (!replace)
      throw new TailraceError(
        'conflict',
        `${isRedisUrl(where) ? 'That Redis' : where} already holds ${there}: restore into another one, or in place of that with --replace.`,
      );
    if (isRedisUrl(where)) {
      await emptyStore(store);
      return store;
    }
    await store.close();
    isOpen = false;
    putAside();
    return await openStoreAt(settings, where, warn);
  } catch (error) {
    if (isOpen) await store.close();
    throw error;
  }
}

interface Aside {
  /** A folder within the data folder. */
  readonly aside: string;
  /** Moves there what there is of these. */
  putAside(names: readonly string[]): void;
  /** Where something was moved to. */
  movedTo(): string | undefined;
}

function placeAside(folder: string): Aside {
  const aside = join(folder, 'replaced', new Date().toISOString().replace(/[:.]/g, '-'));
  const putAside = (names: readonly string[]): void => {
    for (const name of names) {
      if (!existsSync(join(folder, name))) continue;
      mkdirSync(dirname(join(aside, name)), { recursive: true, mode: 0o700 });
      renameSync(join(folder, name), join(aside, name));
    }
  };
  return { aside, putAside, movedTo: () => (existsSync(aside) ? aside : undefined) };
}

/** What was there isn't lost. */
function interrupted(error: unknown, aside: string): TailraceError {
  const { code, message } =
    error instanceof TailraceError ? error : new TailraceError('unavailable', reasonOf(error));
  return new TailraceError(code, `${message} What was there before is in ${aside}.`, { cause: error });
}

function plan(
  file: string,
  where: string,
  { id, created_at, version, records, files, streams }: BackupManifest,
) {
  return {
    file,
    target: isRedisUrl(where) ? 'redis' : where,
    id,
    created_at,
    version,
    records,
    files: files.length,
    streams: streams.map(({ name, first, last, lines }) => ({ name, first, last, lines })),
  };
}

function contentsOf({ created_at, version, records, files, streams }: BackupManifest): string[] {
  return [
    `- of ${created_at}, made by tailrace ${version}`,
    `- ${formatCount(records, 'record')}, ${formatCount(files.length, 'file')}`,
    ...streams.map(({ name, lines }) => `- ${name}: ${formatCount(lines, 'line')}`),
  ];
}

function describe(
  where: string,
  { created_at: createdAt }: BackupManifest,
  { streams, records, files }: RestoreReport,
  movedTo: string | undefined,
): string {
  return [
    `Restored the backup of ${createdAt} into ${isRedisUrl(where) ? 'Redis' : where}:`,
    ...streams.map(
      ({ name, lines, tooOld }) =>
        `- ${name}: ${formatCount(lines, 'line')}${tooOld > 0 ? `; of these, ${formatNumber(tooOld)} are older, or more, than TAILRACE_STREAM_AGE, _LINES and _BYTES let it hold` : ''}`,
    ),
    `- ${formatCount(records, 'record')}, ${formatCount(files, 'file')}`,
    ...(movedTo === undefined ? [] : [`What was there is in ${movedTo}.`]),
  ].join('\n');
}
