/**
 * Backups of PostgreSQL databases, and what is restored from them. Each is a record with a file beside it, on this server's disk; they are
 * their app's, and stay when the database is destroyed. A backup is one when it is whole: until then its file has another name.
 */
import { randomUUID } from 'node:crypto';
import { copyFile, rename, stat } from 'node:fs/promises';
import { reasonOf, TailraceError } from '../../../../common/errors.ts';
import { fileError } from '../../../../common/files/file-error.ts';
import type { Log } from '../../../../common/log.ts';
import type { TargetPolicy } from '../../../../logs/drains/options/target-policy.ts';
import type { AppId } from '../../../../logs/store/contract.ts';
import type { AddonRecord } from '../model/addon-record.ts';
import { dataVersionOf } from '../services/postgres/programs.ts';
import { assertDumpUrl, fetchDump } from './fetch-dump.ts';
import { type DatabaseAddress, dumpDatabase, runPostgresTool, runSql } from './postgres-tools.ts';
import { endClients, parseExtensions, replaceDatabase } from './replace-database.ts';
import { readRestoreErrors } from './restore-errors.ts';
import { TransferFiles } from './transfer-files.ts';
import { findTransfer, isUsableBackup, type TransferRecord, transferName } from './transfer-record.ts';

const SERVICE = 'heroku-postgresql';
/** What is kept of what a program has said. */
const WARNINGS_MAX = 20;
/** How another backup is named as the source of a restore: what the records of backups have as their address. */
const BACKUP_URL = /^tailrace-backup:([\w-]{36})$/;

export interface DatabaseTransfersOptions {
  /** For backups. */
  readonly folder: string;
  /** Of local add-ons' data. */
  readonly addonFolder: (id: string) => string;
  /** This server: `AddonRecord.server`. */
  readonly server: () => string;
  readonly backupPolicy: TargetPolicy;
  /** Tells an app's owner in its stream. */
  readonly logToApp: (app: AppId, message: string) => void;
  readonly log: Log;
}

/** A transfer that is being made. */
interface ActiveTransfer {
  record: TransferRecord;
  readonly app: AppId;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

type NewTransfer = Pick<TransferRecord, 'kind' | 'source' | 'isScheduled'>;

export class DatabaseTransfers {
  private readonly options: DatabaseTransfersOptions;
  private readonly files: TransferFiles;
  private readonly active = new Map<string, ActiveTransfer>();
  /** Add-ons whose database is being replaced. */
  private readonly replaced = new Set<string>();

  constructor(options: DatabaseTransfersOptions) {
    this.options = options;
    this.files = new TransferFiles(options.folder);
  }

  /** Says of what a server that died was at that it has failed. */
  async open(): Promise<void> {
    for (const app of await this.files.apps())
      for (const record of await this.files.list(app)) {
        if (record.finishedAt !== undefined) continue;
        await this.files.removeDump(app, record.num);
        await this.files.update(app, failed(record, 'The server ended meanwhile.'));
      }
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    const active = [...this.active.values()];
    for (const { abort } of active) abort.abort(new Error('The server is being stopped.'));
    await Promise.all(active.map(({ ended }) => ended));
  }

  /** Those of an app, oldest first, as they are now. */
  async list(app: AppId): Promise<TransferRecord[]> {
    // One may end while the files are read, which are as they were before then.
    const active = new Map(this.active);
    const records = await this.files.list(app);
    return records
      .filter(({ deletedAt }) => deletedAt === undefined)
      .map((record) => (active.get(record.uuid) ?? this.active.get(record.uuid))?.record ?? record);
  }

  /** @throws TailraceError `not_found` */
  async get(app: AppId, which: string): Promise<TransferRecord> {
    const found = findTransfer(await this.list(app), which);
    if (found) return found;
    throw new TailraceError('not_found', `There is no backup ${which}: see pg:backups.`);
  }

  /** Begins a backup. @throws TailraceError */
  capture(addon: AddonRecord, isScheduled = false): Promise<TransferRecord> {
    const address = this.addressOf(addon);
    return this.begin(addon, { kind: 'backup', source: '', isScheduled }, async (transfer) => {
      const { num } = transfer.record;
      const bytes = await runSql(address, undefined, ['SELECT pg_database_size(current_database())']);
      change(transfer, { sourceBytes: Number(bytes) });
      await dumpDatabase(
        address,
        this.files.unfinished(addon.app, num),
        (count) => change(transfer, { processedBytes: transfer.record.processedBytes + count }),
        transfer.abort.signal,
      );
      await this.files.finish(addon.app, num);
    });
  }

  /**
   * Begins a restore: everything in the database is replaced, in one step at its end.
   * @param source `tailrace-backup:<id>`, or an address
   * @param mayRead may backups of this other app be used? Those of others aren't there
   * @throws TailraceError `invalid_params`, `not_found`, `conflict`
   */
  async restore(
    addon: AddonRecord,
    source: string,
    extensions: readonly string[] | null | undefined,
    mayRead: (app: AppId) => boolean,
  ): Promise<TransferRecord> {
    const parsed = parseExtensions(extensions);
    const id = BACKUP_URL.exec(source)?.[1];
    if (id !== undefined) {
      const backup = await this.findBackup(id, (app) => app === addon.app || mayRead(app));
      return this.beginRestore(addon, transferName(backup.record), parsed, async () =>
        this.files.dump(backup.app, backup.record.num),
      );
    }
    const { backupPolicy } = this.options;
    const { origin, pathname } = await assertDumpUrl(source, backupPolicy);
    return this.beginRestore(addon, `${origin}${pathname}`, parsed, async (transfer, file) => {
      const onBytes = (count: number): void =>
        change(transfer, { sourceBytes: transfer.record.sourceBytes + count });
      await fetchDump(source, file, backupPolicy, onBytes, transfer.abort.signal);
      return file;
    });
  }

  /** The same from a file on this server, which is taken. */
  restoreFile(addon: AddonRecord, path: string): Promise<TransferRecord> {
    return this.beginRestore(
      addon,
      'an uploaded file',
      parseExtensions(undefined),
      async (_transfer, file) => {
        // It may be on another disk.
        await rename(path, file).catch(() => copyFile(path, file));
        return file;
      },
    );
  }

  /** Makes a database empty. @throws TailraceError `conflict`, `unavailable` */
  async reset(addon: AddonRecord, extensions?: readonly string[] | null): Promise<void> {
    const parsed = parseExtensions(extensions);
    const address = this.addressOf(addon, true);
    const release = this.lock(addon);
    await replaceDatabase(address, parsed, async () => undefined, new AbortController().signal).finally(
      release,
    );
  }

  /** Ends all connections to a database. */
  endClients(addon: AddonRecord): Promise<void> {
    return endClients(this.addressOf(addon, true));
  }

  /** @throws TailraceError `not_found`, `conflict` when it has ended already */
  async cancel(app: AppId, which: string): Promise<TransferRecord> {
    const record = await this.get(app, which);
    const active = this.active.get(record.uuid);
    if (!active)
      throw new TailraceError(
        'conflict',
        `${transferName(record)} has ended already: there is nothing to cancel.`,
      );
    change(active, { canceledAt: new Date().toISOString() });
    active.abort.abort(new Error('It was canceled.'));
    await active.ended;
    return active.record;
  }

  /** @throws TailraceError `not_found` */
  async remove(app: AppId, which: string): Promise<TransferRecord> {
    const record = await this.get(app, which);
    if (this.active.has(record.uuid)) await this.cancel(app, which);
    const [latest] = (await this.files.list(app)).filter(({ uuid }) => uuid === record.uuid);
    const removed = { ...latest, deletedAt: new Date().toISOString() };
    // The record first: a file without one is in nobody's way, one without its file would pass for a backup.
    await this.files.update(app, removed);
    await this.files.removeDump(app, record.num);
    return removed;
  }

  /** Where a backup's file is. @throws TailraceError `not_found` */
  async file(app: AppId, which: string): Promise<{ readonly record: TransferRecord; readonly path: string }> {
    const record = await this.get(app, which);
    if (isUsableBackup(record)) return { record, path: this.files.dump(app, record.num) };
    throw new TailraceError('not_found', `${transferName(record)} is no finished backup: see pg:backups.`);
  }

  /** Writes a line to the app's stream. */
  tell(app: AppId, message: string): void {
    this.options.logToApp(app, message);
  }

  /** Deletes an app's backups, with it. */
  async removeApp(app: AppId): Promise<void> {
    const active = [...this.active.values()].filter((one) => one.app === app);
    for (const { abort } of active) abort.abort(new Error('Its app was destroyed.'));
    await Promise.all(active.map(({ ended }) => ended));
    await this.files.removeApp(app);
  }

  // --- parts ---

  private beginRestore(
    addon: AddonRecord,
    source: string,
    extensions: readonly string[],
    provide: (transfer: ActiveTransfer, file: string) => Promise<string>,
  ): Promise<TransferRecord> {
    const address = this.addressOf(addon, true);
    const release = this.lock(addon);
    const made = { kind: 'restore', source, isScheduled: false } as const;
    return this.begin(
      addon,
      made,
      async (transfer) => {
        const { signal } = transfer.abort;
        const file = await provide(transfer, this.files.unfinished(addon.app, transfer.record.num));
        change(transfer, { sourceBytes: (await stat(file)).size });
        const fill = (database: string) => this.fill(transfer, address, database, file);
        await replaceDatabase(address, extensions, fill, signal);
        change(transfer, { processedBytes: transfer.record.sourceBytes });
      },
      release,
    );
  }

  /** @throws TailraceError when something of the data isn't there */
  private async fill(
    transfer: ActiveTransfer,
    address: DatabaseAddress,
    database: string,
    file: string,
  ): Promise<void> {
    const args = ['-w', '--no-owner', '--no-privileges', '--dbname', database, file];
    const { status, stderr } = await runPostgresTool('pg_restore', args, address, {
      database,
      signal: transfer.abort.signal,
    });
    if (status === 0) return;
    const { warnings, errors } = readRestoreErrors(stderr);
    if (errors.length > 0 || warnings.length === 0) {
      const reason = errors[0] ?? stderr.split('\n').slice(-3).join(' ');
      throw new TailraceError(
        'unavailable',
        `${reason || 'pg_restore was ended'}. The database is as it was before.`,
      );
    }
    change(transfer, { warnings: warnings.length });
    for (const warning of warnings.slice(0, WARNINGS_MAX)) say(transfer, `warning: ${warning}`);
  }

  /** Writes down a transfer and does it, in the background. */
  private async begin(
    addon: AddonRecord,
    made: NewTransfer,
    work: (transfer: ActiveTransfer) => Promise<void>,
    atEnd = (): void => {},
  ): Promise<TransferRecord> {
    const { app } = addon;
    const now = new Date().toISOString();
    const record = await this.files
      .create(app, (num) => ({
        ...made,
        uuid: randomUUID(),
        num,
        addon: addon.id,
        addonName: addon.name,
        createdAt: now,
        succeeded: false,
        warnings: 0,
        sourceBytes: 0,
        processedBytes: 0,
        lines: [{ created_at: now, message: `Starting ${made.kind} of ${addon.name}` }],
      }))
      .catch((error: unknown) => {
        atEnd();
        throw fileError(error);
      });
    const abort = new AbortController();
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const transfer: ActiveTransfer = {
      record,
      app,
      abort,
      ended: begun
        .then(() => work(transfer))
        .finally(atEnd)
        .then(
          () => this.finish(transfer),
          (error: unknown) => this.finish(transfer, error),
        ),
    };
    this.active.set(record.uuid, transfer);
    begin();
    return record;
  }

  private async finish(transfer: ActiveTransfer, error?: unknown): Promise<void> {
    const { app } = transfer;
    const { log, logToApp } = this.options;
    const name = transferName(transfer.record);
    const { signal } = transfer.abort;
    // One that was done when it was to be canceled is done.
    const cause: unknown = error !== undefined && signal.aborted ? signal.reason : error;
    try {
      if (cause === undefined) {
        say(transfer, `${name} is complete`);
        change(transfer, { succeeded: true, finishedAt: new Date().toISOString(), canceledAt: undefined });
        logToApp(app, `${describe(transfer.record)} is complete`);
      } else {
        const reason = cause instanceof TailraceError ? cause.message : reasonOf(cause);
        change(transfer, failed(transfer.record, reason));
        logToApp(app, `${describe(transfer.record)} failed: ${reason}`);
        log.warn({ app, transfer: name, err: cause }, 'a backup or restore has failed');
      }
      // Of a restore: what was fetched. Of a backup that has failed: the part that is there.
      if (!isUsableBackup(transfer.record)) await this.files.removeDump(app, transfer.record.num);
      await this.files.update(app, transfer.record);
    } catch (broken) {
      log.warn(
        { app, transfer: name, err: broken },
        'the end of a backup or restore could not be written down',
      );
    } finally {
      this.active.delete(transfer.record.uuid);
    }
  }

  private async findBackup(
    id: string,
    mayRead: (app: AppId) => boolean,
  ): Promise<{ app: AppId; record: TransferRecord }> {
    for (const app of (await this.files.apps()).filter(mayRead)) {
      const record = (await this.files.list(app)).find(({ uuid }) => uuid === id);
      if (record && isUsableBackup(record)) return { app, record };
    }
    throw new TailraceError('not_found', 'There is no such backup any more: see pg:backups.');
  }

  /** One at a time replaces a database. @returns lets the next one @throws TailraceError `conflict` */
  private lock({ id, name }: AddonRecord): () => void {
    if (this.replaced.has(id))
      throw new TailraceError(
        'conflict',
        `${name} is being restored or reset: wait until that has ended, or end it with pg:backups:cancel.`,
      );
    this.replaced.add(id);
    return () => void this.replaced.delete(id);
  }

  /** @param isChanged what is in it, and not only read @throws TailraceError when that can't be from here */
  private addressOf(addon: AddonRecord, isChanged = false): DatabaseAddress {
    const { name, service, state, provider, server, config } = addon;
    if (service !== SERVICE) throw new TailraceError('not_found', `${name} is no ${SERVICE}.`);
    const url = Object.values(config).find((value) => /^postgres(?:ql)?:/.test(value) && URL.canParse(value));
    if (state !== 'provisioned' || url === undefined)
      throw new TailraceError(
        'conflict',
        `${name} is ${state}: wait until it is provisioned (addons:wait ${name}).`,
      );
    if (provider === 'local' && server !== this.options.server())
      throw new TailraceError(
        'conflict',
        `${name} runs on another server that shares this store: ask that one.`,
      );
    if (isChanged && provider !== 'local')
      throw new TailraceError(
        'invalid_params',
        `${name} runs elsewhere: replace what is in it there. From here it can be backed up.`,
      );
    return { url, version: dataVersionOf(this.options.addonFolder(addon.id)) };
  }
}

function change(transfer: ActiveTransfer, fields: Partial<TransferRecord>): void {
  transfer.record = { ...transfer.record, ...fields };
}

function say(transfer: ActiveTransfer, message: string): void {
  const line = { created_at: new Date().toISOString(), message };
  change(transfer, { lines: [...transfer.record.lines, line] });
}

function failed(record: TransferRecord, reason: string): TransferRecord {
  const now = new Date().toISOString();
  return {
    ...record,
    succeeded: false,
    finishedAt: now,
    lines: [...record.lines, { created_at: now, message: reason }],
  };
}

/** `Backup b001 of postgresql-clear-1` */
function describe(record: TransferRecord): string {
  const word = record.kind === 'backup' ? 'Backup' : 'Restore';
  return `${word} ${transferName(record)} of ${record.addonName}`;
}
