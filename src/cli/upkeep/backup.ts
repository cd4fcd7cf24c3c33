import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { serverBackup } from '../../apps/backup/server-backup.ts';
import { defaultDataFolder, readSettings, type Settings } from '../../common/config/settings.ts';
import { TailraceError } from '../../common/errors.ts';
import { formatBytes, formatCount, formatNumber } from '../../common/text/format-numbers.ts';
import type { BackupManifest } from '../../logs/backup/backup-layout.ts';
import { type CheckedBackup, checkBackup } from '../../logs/backup/read-backup.ts';
import { receiveBackup } from '../../logs/backup/receive-backup.ts';
import { writeBackup } from '../../logs/backup/write-backup.ts';
import { writeBackupFile, writeBackupTo } from '../../logs/backup/write-backup-file.ts';
import {
  ApiClient,
  dataFolders,
  errorFromResponse,
  findServer,
  readLocalServer,
  type ServerAddress,
} from '../api-client.ts';
import { printResult, printText } from '../format.ts';

const STDOUT = '-';

interface BackupOptions {
  readonly since?: string;
  readonly dir?: string;
  readonly json?: boolean;
}

/** `tailrace backup`: everything in one file, while the server runs or when none does. */
export function backupCommand(program: Command): void {
  program
    .command('backup <file>')
    .description('back up everything into a file, - for standard output; the server may go on')
    .option('--since <backup>', 'leave out what this backup has, or those that it goes on from')
    .option('-d, --dir <folder>', 'the data folder (default: that of the server that runs here)')
    .option('-j, --json', 'print JSON')
    .action(async (file: string, { since, dir, json }: BackupOptions) => {
      if (file === STDOUT && process.stdout.isTTY)
        throw new TailraceError('invalid_params', 'A backup is no text: lead it into a file or a program.');
      if (since !== undefined && resolve(since) === resolve(file))
        throw new TailraceError('invalid_params', 'A backup goes on from another one: give it another name.');
      const before = since === undefined ? undefined : (await checkBackup(since)).manifest;
      const begunMs = Date.now();
      const { bytes, close } = await openBackup(dir, before);
      try {
        if (file === STDOUT) return await writeBackupTo(process.stdout, bytes);
        const made = await writeBackupFile(file, bytes, showProgress);
        clearProgress();
        printResult(json, summaryOf(made), () => describe(made, Date.now() - begunMs));
      } finally {
        clearProgress();
        await close();
      }
    });
}

/** From the server that runs, else from its store, which nobody has open. */
async function openBackup(
  dir: string | undefined,
  since: BackupManifest | undefined,
): Promise<{ bytes: AsyncIterable<Buffer>; close: () => Promise<void> }> {
  const server = findRunning(dir);
  if (server) return { bytes: await requestBackup(server, since), close: async () => {} };
  const settings = offlineSettings(dir);
  const where = settings.redisUrl || settings.data;
  if (settings.redisUrl === '' && !existsSync(settings.data))
    throw new TailraceError(
      'data_folder',
      `No server runs here, and there is no data folder ${settings.data}: name one with --dir.`,
    );
  const { openStoreAt } = await import('../../migration.ts');
  const store = await openStoreAt(settings, where, (message) => printText(` !   ${message}`, process.stderr));
  return { bytes: writeBackup(serverBackup(store, settings.data), since), close: () => store.close() };
}

function findRunning(dir: string | undefined): ServerAddress | undefined {
  if (dir !== undefined) return readLocalServer(dir);
  try {
    return findServer();
  } catch (error) {
    if (error instanceof TailraceError && error.code === 'unavailable') return undefined;
    throw error;
  }
}

/** Settings for what is done with a store while no server has it. */
export function offlineSettings(dir: string | undefined): Settings {
  const data = dir ?? dataFolders().find((folder) => existsSync(folder)) ?? defaultDataFolder(process.env);
  const settings = readSettings(process.env, { data, allowPrivateDrains: 'no', dynoMemory: 'none' });
  return { ...settings, data: dir ?? settings.data };
}

async function requestBackup(
  server: ServerAddress,
  since: BackupManifest | undefined,
): Promise<AsyncIterable<Buffer>> {
  const response = await new ApiClient(server).stream('POST', '/backups', { since: since ?? null });
  if (response.statusCode >= 400) throw errorFromResponse(response.statusCode, await response.body.text());
  return receiveBackup(response.body, 'server');
}

function showProgress(byteCount: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[KBacking up… ${formatBytes(byteCount)}`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
}

function summaryOf({ file, manifest }: CheckedBackup): object {
  const { id, since, created_at, version, streams, records, files, missing_files } = manifest;
  return {
    file,
    id,
    since,
    created_at,
    version,
    apps: streams.map(({ name, first, last, lines }) => ({ name, first, last, lines })),
    records,
    files: files.length,
    missing_files,
  };
}

function describe({ file, manifest }: CheckedBackup, ms: number): string {
  const { streams, records, files, missing_files: missing, id, since } = manifest;
  const lines = streams.reduce((sum, stream) => sum + stream.lines, 0);
  const fresh = streams
    .flatMap(({ chunks }) => chunks)
    .reduce((sum, chunk) => sum + (chunk.backup === id ? chunk.last - chunk.first + 1 : 0), 0);
  return [
    `Backed up ${formatCount(streams.length, 'app')} with ${formatCount(lines, 'line')}, ${formatCount(records, 'record')} and ${formatCount(files.length, 'file')} into ${file} in ${(ms / 1_000).toFixed(1)} s.`,
    ...(since === null
      ? []
      : [`${formatCount(fresh, 'new line')} since the backup before: keep that one, too.`]),
    ...(missing === 0
      ? []
      : [`${formatNumber(missing)} slugs aren't on this machine: back up their servers, too.`]),
  ].join('\n');
}
