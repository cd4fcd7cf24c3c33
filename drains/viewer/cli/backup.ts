/** `viewer backup` and `viewer restore`: everything of a viewer in one file, while it runs; and from there into an empty data folder. */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { reasonOf, TailraceError } from '../../../src/common/errors.ts';
import { createDataFolder } from '../../../src/common/files/data-folder.ts';
import { syncFolderNow } from '../../../src/common/files/sync-folder.ts';
import { SILENT_LOG } from '../../../src/common/log.ts';
import type { BackupManifest } from '../../../src/logs/backup/backup-layout.ts';
import { checkBackup, checkBackupChain } from '../../../src/logs/backup/read-backup.ts';
import { receiveBackup } from '../../../src/logs/backup/receive-backup.ts';
import { restoreBackup } from '../../../src/logs/backup/restore-backup.ts';
import { writeBackupFile, writeBackupTo } from '../../../src/logs/backup/write-backup-file.ts';
import { lockFolder } from '../../../src/logs/store/embedded/folder-lock.ts';
import { openStore } from '../../../src/logs/store/open.ts';
import { RESTORING_FILE } from '../config/data-folder.ts';
import { logRouterSettings, readViewerSettings } from '../config/settings.ts';
import { type ClientOptions, collect, ViewerClient } from './viewer-client.ts';
import { writeNotice } from './viewer-notice.ts';

const STDOUT = '-';
/** Of a data folder that a viewer has used. */
const USED = ['store.mdb', 'lines', 'streams'];
/** What a restore makes in one, besides its lock. */
const RESTORED = /^(?:store\.mdb(?:-lock)?|journal-\d+|commits|streams|lines)$/;

interface BackupOptions extends ClientOptions {
  readonly since?: string;
}

interface RestoreOptions {
  readonly data?: string;
  readonly base: readonly string[];
  readonly dryRun?: boolean;
}

export function addBackupCommands(program: Command): void {
  program
    .command('backup <file>')
    .description('back up everything of a running viewer into a file, - for standard output')
    .option('--url <url>', 'the viewer (VIEWER_URL; http://127.0.0.1:8620)')
    .option('--key <key>', "an API key; better in VIEWER_KEY, which others on this machine can't see")
    .option('--since <backup>', 'leave out what this backup has, or those that it goes on from')
    .action(backUp);
  program
    .command('restore <file>')
    .description('restore a backup into an empty data folder')
    .option('--data <folder>', 'the data folder (VIEWER_DATA)')
    .option(
      '--base <backup>',
      'a backup that it goes on from (otherwise looked for beside it); may be repeated',
      collect,
      [],
    )
    .option('--dry-run', 'only check it, and say what would be restored')
    .action(restore);
}

async function backUp(file: string, { since, ...options }: BackupOptions): Promise<void> {
  if (file === STDOUT && process.stdout.isTTY)
    throw new TailraceError('invalid_params', 'A backup is no text: lead it into a file or a program.');
  if (since !== undefined && resolve(since) === resolve(file))
    throw new TailraceError('invalid_params', 'A backup goes on from another one: give it another name.');
  const before = since === undefined ? undefined : (await checkBackup(since)).manifest;
  const bytes = await new BackupClient(options).backup(before);
  if (file === STDOUT) return writeBackupTo(process.stdout, bytes);
  const { manifest } = await writeBackupFile(file, bytes, () => undefined);
  process.stdout.write(`${file} has ${contentsOf(manifest)}.\n`);
  if (before) process.stdout.write('It goes on from the backup before: keep that one, too.\n');
}

class BackupClient extends ViewerClient {
  async backup(since: BackupManifest | undefined): Promise<AsyncIterable<Buffer>> {
    const response = await this.request(
      'api/backups',
      { 'content-type': 'application/json' },
      { method: 'POST', body: JSON.stringify({ since: since ?? null }) },
    );
    return receiveBackup(
      Readable.fromWeb(response.body as import('node:stream/web').ReadableStream),
      'viewer',
    );
  }
}

async function restore(file: string, { data, base, dryRun }: RestoreOptions): Promise<void> {
  const chain = await checkBackupChain(file, base);
  const { manifest } = chain[chain.length - 1];
  if (manifest.program !== 'viewer')
    throw new TailraceError(
      'invalid_params',
      `${file} is a backup of ${manifest.program}: restore it with \`${manifest.program} restore\`.`,
    );
  const settings = readViewerSettings(process.env, { VIEWER_DATA: data });
  const marker = join(settings.data, RESTORING_FILE);
  const isUnfinished = existsSync(marker);
  if (!isUnfinished && USED.some((name) => existsSync(join(settings.data, name))))
    throw new TailraceError(
      'conflict',
      `${settings.data} already holds what a viewer keeps: name an empty folder with --data, or move that away.`,
    );
  if (dryRun) {
    process.stdout.write(
      `${file} is whole. Into ${settings.data} it would restore ${contentsOf(manifest)}.\n`,
    );
    return;
  }
  createDataFolder(settings.data);
  if (isUnfinished) removeUnfinished(settings.data);
  // Whoever starts a viewer on half of a backup would take it for all.
  try {
    writeFileSync(marker, '');
    syncFolderNow(settings.data);
  } catch (error) {
    throw new TailraceError(
      'data_folder',
      `${settings.data} can't be written (${reasonOf(error)}): name another folder with --data, or make it possible.`,
    );
  }
  const store = await openStore(
    logRouterSettings(settings),
    { ...SILENT_LOG, warn: (_fields, message) => writeNotice(message) },
    undefined,
    // It is packed when the viewer starts.
    { mayTrim: () => false },
  );
  try {
    await restoreBackup(chain, { store, folder: settings.data, adapt: (_scope, change) => [change] });
  } finally {
    await store.close();
  }
  rmSync(marker);
  process.stdout.write(
    `${settings.data} has ${contentsOf(manifest)}, as they were on ${manifest.created_at}.\n`,
  );
}

/** A restore that was interrupted begins anew: what it has left is of a backup that may be another one. */
function removeUnfinished(data: string): void {
  const unlock = lockFolder(data);
  try {
    for (const name of readdirSync(data))
      if (RESTORED.test(name)) rmSync(join(data, name), { recursive: true, force: true });
  } finally {
    unlock();
  }
}

function contentsOf({ streams, files, records }: BackupManifest): string {
  const packed = files.filter(({ path }) => path.endsWith('.part')).length;
  const lines = streams.reduce((sum, stream) => sum + stream.lines, 0);
  return `${counted(streams.length, 'stream')} (${counted(packed, 'packed file')}, and ${counted(lines, 'line')} besides), ${counted(records, 'record')}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
