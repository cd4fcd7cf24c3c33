/** `tailrace pg:backups`, and what is done with them. */
import { createWriteStream, existsSync, statSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { reasonOf, TailraceError } from '../../common/errors.ts';
import { replaceFileWith } from '../../common/files/replace-file.ts';
import { requireReplaceable } from '../../common/files/require-replaceable.ts';
import { sendClientRequest } from '../../common/http/client/client-request.ts';
import { formatBytes } from '../../common/text/format-numbers.ts';
import {
  type ApiClient,
  addClientOptions,
  errorFromResponse,
  resolveEndpoint,
  waitIntervalOption,
} from '../api-client.ts';
import { formatTable, printResult, printText } from '../format.ts';
import { attachmentsOf, type DatabaseOptions, findAttachment, POSTGRES } from './find-database.ts';

interface Transfer {
  readonly uuid: string;
  readonly name: string;
  readonly from_name: string;
  readonly from_type: string;
  readonly to_name: string;
  readonly to_type: string;
  readonly to_url: string;
  readonly source_bytes: number;
  readonly processed_bytes: number;
  readonly succeeded: boolean;
  readonly warnings: number;
  readonly logs: readonly { readonly created_at: string; readonly message: string }[];
  readonly created_at: string;
  readonly finished_at: string | null;
  readonly canceled_at: string | null;
}

interface Schedule {
  readonly uuid: string;
  readonly name: string;
  readonly hour: number;
  readonly timezone: string;
}

interface ConfirmOptions extends DatabaseOptions {
  readonly confirm?: string;
}

const POLL_MS = 300;
const DEFAULT_FILE = 'latest.dump';

/** Adds `pg:backups` and its subcommands, with Heroku's names and options. */
export function backupCommands(program: Command): void {
  scheduleCommands(program);
  listCommand(program);
  captureCommand(program);
  restoreCommand(program);
  downloadCommand(program);
  urlCommand(program);
  infoCommand(program);
  deleteCommand(program);
  cancelCommand(program);
}

function listCommand(program: Command): void {
  addClientOptions(
    program
      .command('pg:backups')
      .description("list the backups of the app's PostgreSQL databases, and restores"),
  ).action(async (options: DatabaseOptions) => {
    const { client, app } = await resolveEndpoint(options);
    const all = await transfersOf(client, app);
    const rows = (kind: Transfer[], database: (one: Transfer) => string) =>
      formatTable(
        kind.map((one) => [
          one.name,
          one.created_at,
          statusOf(one),
          formatBytes(one.processed_bytes),
          database(one),
        ]),
      );
    const backups = all.filter(isBackup);
    const restores = all.filter((one) => !isBackup(one));
    printResult(options.json, all, () =>
      [
        '=== Backups',
        backups.length === 0
          ? `No backups for ${app}. Make one with: tailrace pg:backups:capture`
          : rows(backups, ({ from_name: name }) => name),
        ...(restores.length === 0
          ? []
          : ['', '=== Restores', rows(restores, (one) => `${one.to_name} from ${one.from_name}`)]),
      ].join('\n'),
    );
  });
}

function captureCommand(program: Command): void {
  addClientOptions(
    program.command('pg:backups:capture [database]').description('back up a PostgreSQL database'),
  )
    .addOption(waitIntervalOption())
    .action(async (which: string | undefined, options: DatabaseOptions) => {
      const { client, attachment } = await findAttachment(options, which, POSTGRES);
      const { addon } = attachment;
      const made = await client.request<Transfer>('POST', `/client/v11/databases/${addon.id}/backups`, {});
      const done = await waitForEnd(
        client,
        attachment.addon.app.name,
        made,
        `Backing up ${addon.name} to ${made.name}`,
      );
      printResult(
        options.json,
        done,
        () => `Backing up ${addon.name} to ${done.name}... done, ${formatBytes(done.processed_bytes)}`,
      );
    });
}

function restoreCommand(program: Command): void {
  addClientOptions(
    program
      .command('pg:backups:restore [backup] [database]')
      .option('-c, --confirm <app>', 'the name of the app')
      .option('-e, --extensions <names>', 'extensions to make first, with commas between')
      .addOption(waitIntervalOption())
      .description(
        "replace what is in a database by a backup: b001, app::b001, a file of pg_dump -Fc, or a file's https:// address",
      ),
  ).action(
    async (
      typed: string | undefined,
      which: string | undefined,
      options: ConfirmOptions & { extensions?: string },
    ) => {
      const { client, app, attachment } = await findAttachment(options, which, POSTGRES);
      const { addon } = attachment;
      const source = await findSource(client, app, typed);
      requireConfirmation(app, options, `Everything in ${addon.name} is replaced by that backup.`);
      const path = `/client/v11/databases/${addon.id}`;
      const extensions = options.extensions?.split(',').map((name) => name.trim());
      const made =
        source.file === undefined
          ? await client.request<Transfer>('POST', `${path}/restores`, { backup_url: source.url, extensions })
          : await upload(client, `${path}/restore-uploads`, source.file);
      const done = await waitForEnd(
        client,
        addon.app.name,
        made,
        `Restoring ${source.name} to ${addon.name}`,
      );
      printResult(options.json, done, () =>
        [
          `Restoring ${source.name} to ${addon.name}... done`,
          ...(done.warnings > 0
            ? done.logs.map(({ message }) => message).filter((text) => text.startsWith('warning'))
            : []),
        ].join('\n'),
      );
    },
  );
}

function downloadCommand(program: Command): void {
  addClientOptions(
    program
      .command('pg:backups:download [backup]')
      .option('-o, --output <file>', `where to (default: ${DEFAULT_FILE})`)
      .description('download a backup, the latest one unless another is named'),
  ).action(async (which: string | undefined, options: DatabaseOptions & { output?: string }) => {
    const { client, app } = await resolveEndpoint(options);
    const backup = await findBackup(client, app, which);
    const file = options.output ?? freeName();
    await download(client, await linkOf(client, app, backup), file);
    printResult(options.json, { ...backup, file }, () => `Downloading ${backup.name}... done, ${file}`);
  });
}

function urlCommand(program: Command): void {
  addClientOptions(
    program
      .command('pg:backups:url [backup]')
      .description('print a secret address of a backup, which is good for an hour'),
  ).action(async (which: string | undefined, options: DatabaseOptions) => {
    const { client, app } = await resolveEndpoint(options);
    const link = await linkOf(client, app, await findBackup(client, app, which));
    printResult(options.json, link, () => link.url);
  });
}

function infoCommand(program: Command): void {
  addClientOptions(
    program.command('pg:backups:info [backup]').description('show what is known of a backup or restore'),
  ).action(async (which: string | undefined, options: DatabaseOptions) => {
    const { client, app } = await resolveEndpoint(options);
    const found =
      which === undefined ? await findBackup(client, app, which, true) : await transferOf(client, app, which);
    printResult(options.json, found, () =>
      [
        `=== ${isBackup(found) ? 'Backup' : 'Restore'} ${found.name}`,
        formatTable([
          ['Database:', isBackup(found) ? found.from_name : found.to_name],
          ['Started at:', found.created_at],
          ['Finished at:', found.finished_at ?? ''],
          ['Status:', statusOf(found)],
          ['Original DB Size:', formatBytes(found.source_bytes)],
          ['Backup Size:', formatBytes(found.processed_bytes)],
        ]),
        '',
        '=== Logs',
        ...found.logs.map(({ created_at: at, message }) => `${at} ${message}`),
      ].join('\n'),
    );
  });
}

function deleteCommand(program: Command): void {
  addClientOptions(
    program
      .command('pg:backups:delete <backup>')
      .option('-c, --confirm <app>', 'the name of the app')
      .description('delete a backup'),
  ).action(async (which: string, options: ConfirmOptions) => {
    const { client, app } = await resolveEndpoint(options);
    const { uuid, name } = await transferOf(client, app, which);
    requireConfirmation(app, options, `${name} is deleted for good.`);
    const gone = await client.request<Transfer>('DELETE', transferPath(app, uuid));
    printResult(options.json, gone, () => `Deleting backup ${name} on ${app}... done`);
  });
}

function cancelCommand(program: Command): void {
  addClientOptions(
    program.command('pg:backups:cancel [backup]').description('end a backup or restore that is under way'),
  ).action(async (which: string | undefined, options: DatabaseOptions) => {
    const { client, app } = await resolveEndpoint(options);
    const active = (await transfersOf(client, app)).filter((one) => one.finished_at === null).at(-1);
    if (which === undefined && !active)
      throw new TailraceError('not_found', 'No backup or restore is under way.');
    const { uuid, name } =
      which === undefined && active ? active : await transferOf(client, app, which ?? '');
    const ended = await client.request<Transfer>('POST', `${transferPath(app, uuid)}/actions/cancel`, {});
    printResult(options.json, ended, () => `Canceling ${name}... done`);
  });
}

function scheduleCommands(program: Command): void {
  const pathOf = (addon: { readonly id: string }) => `/client/v11/databases/${addon.id}/transfer-schedules`;
  addClientOptions(
    program
      .command('pg:backups:schedule [database]')
      .requiredOption(
        '--at <time>',
        "an hour, and a time zone: '02:00 Europe/Berlin'; UTC when none is named",
      )
      .description('back up a PostgreSQL database every day; the last seven are kept'),
  ).action(async (which: string | undefined, options: DatabaseOptions & { at: string }) => {
    const [, hour, zone] = /^(\d{1,2}):00 ?(\S*)$/.exec(options.at) ?? [];
    if (hour === undefined)
      throw new TailraceError(
        'invalid_params',
        `"${options.at}" is no full hour: write it as '02:00 Europe/Berlin'.`,
      );
    const { client, attachment } = await findAttachment(options, which, POSTGRES);
    const body = { hour, timezone: zone || 'UTC', schedule_name: `${attachment.name}_URL` };
    const made = await client.request('POST', pathOf(attachment.addon), body);
    const text = `Scheduling automatic daily backups of ${attachment.addon.name} at ${hour}:00 ${body.timezone}... done`;
    printResult(options.json, made, () => text);
  });
  const schedulesOf = async (client: ApiClient, addon: { readonly id: string }) =>
    client.request<Schedule[]>('GET', pathOf(addon));
  addClientOptions(
    program.command('pg:backups:schedules').description("list the daily backups of the app's databases"),
  ).action(async (options: DatabaseOptions) => {
    const { client, app } = await resolveEndpoint(options);
    const addons = new Map(
      (await attachmentsOf(client, app, POSTGRES)).map(({ addon }) => [addon.id, addon]),
    );
    const all = (await Promise.all([...addons.values()].map((addon) => schedulesOf(client, addon)))).flat();
    printResult(options.json, all, () =>
      all.length === 0
        ? `No backup schedules for ${app}. Make one with: tailrace pg:backups:schedule --at '02:00 UTC'`
        : all.map(({ name, hour, timezone }) => `${name}: daily at ${hour}:00 ${timezone}`).join('\n'),
    );
  });
  addClientOptions(
    program
      .command('pg:backups:unschedule [database]')
      .description('end the daily backups of a PostgreSQL database'),
  ).action(async (which: string | undefined, options: DatabaseOptions) => {
    const { client, attachment } = await findAttachment(options, which, POSTGRES);
    const { addon } = attachment;
    const [schedule] = await schedulesOf(client, addon);
    if (!schedule) throw new TailraceError('not_found', `${addon.name} has no daily backups.`);
    const gone = await client.request('DELETE', `${pathOf(addon)}/${schedule.uuid}`);
    printResult(options.json, gone, () => `Unscheduling ${addon.name} daily backups... done`);
  });
}

/** @throws TailraceError without the app's name, with what would happen */
export function requireConfirmation(app: string, { confirm }: ConfirmOptions, what: string): void {
  if (confirm === app) return;
  throw new TailraceError('bad_request', `${what} If you mean it, add --confirm ${app}`);
}

function isBackup({ to_type: type }: Transfer): boolean {
  return type === 'gof3r';
}

function statusOf(one: Transfer): string {
  if (one.finished_at === null) return `Running (processed ${formatBytes(one.processed_bytes)})`;
  if (one.canceled_at !== null) return 'Canceled';
  if (!one.succeeded) return 'Failed';
  return one.warnings > 0 ? `Finished with ${one.warnings} warnings` : 'Completed';
}

function transferPath(app: string, which: string): string {
  return `/client/v11/apps/${encodeURIComponent(app)}/transfers/${encodeURIComponent(which)}`;
}

function transfersOf(client: ApiClient, app: string): Promise<Transfer[]> {
  return client.request<Transfer[]>('GET', `/client/v11/apps/${encodeURIComponent(app)}/transfers`);
}

function transferOf(client: ApiClient, app: string, which: string): Promise<Transfer> {
  return client.request<Transfer>('GET', transferPath(app, which));
}

/** The backup that is meant, or the latest one. @throws TailraceError `not_found` */
async function findBackup(
  client: ApiClient,
  app: string,
  which: string | undefined,
  isAnyState = false,
): Promise<Transfer> {
  if (which !== undefined) return transferOf(client, app, which);
  const backups = (await transfersOf(client, app)).filter(
    (one) => isBackup(one) && (isAnyState || one.succeeded),
  );
  const latest = backups.at(-1);
  if (latest) return latest;
  throw new TailraceError('not_found', `No backups for ${app}. Make one with: tailrace pg:backups:capture`);
}

interface Source {
  readonly name: string;
  readonly url: string;
  /** One of this machine. */
  readonly file?: string;
}

async function findSource(client: ApiClient, app: string, typed: string | undefined): Promise<Source> {
  if (typed !== undefined && /^https?:\/\//.test(typed)) return { name: 'the backup', url: typed };
  const [owner, name] = typed?.includes('::') ? typed.split('::', 2) : [app, typed];
  if (typed !== undefined && !/^[ab]\d+$/.test(name ?? '')) {
    if (existsSync(typed) && statSync(typed).isFile()) return { name: typed, url: '', file: typed };
    throw new TailraceError(
      'not_found',
      `There is no file ${typed} here. Name a backup (b001, app::b001), a file, or an https:// address.`,
    );
  }
  const backup = await findBackup(client, owner, name);
  if (!isBackup(backup) || !backup.succeeded)
    throw new TailraceError(
      'invalid_params',
      `${backup.name} is no finished backup: see tailrace pg:backups.`,
    );
  return { name: backup.name, url: backup.to_url };
}

async function upload(client: ApiClient, path: string, file: string): Promise<Transfer> {
  const { url, key } = client.address;
  const answer = await sendClientRequest(url + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-length': String(statSync(file).size),
      'content-type': 'application/octet-stream',
    },
    body: { file },
  }).catch((error: unknown) => {
    throw new TailraceError('unavailable', `The upload broke off (${reasonOf(error)}): try again.`, {
      cause: error,
    });
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) throw errorFromResponse(answer.statusCode, text);
  return JSON.parse(text) as Transfer;
}

/** Says how far it is while it lasts, to a terminal. @throws TailraceError when it fails, with why */
async function waitForEnd(client: ApiClient, app: string, begun: Transfer, title: string): Promise<Transfer> {
  const out = process.stderr;
  for (let now = begun; ; now = await transferOf(client, app, begun.uuid)) {
    if (now.finished_at !== null) {
      if (out.isTTY) out.write('\r\x1b[K');
      if (now.succeeded) return now;
      throw new TailraceError(
        'unavailable',
        `${title} failed: ${now.logs.at(-1)?.message ?? 'no reason was given'}`,
      );
    }
    if (out.isTTY) {
      out.write('\r\x1b[K');
      out.write(`${title}... ${formatBytes(now.processed_bytes)}`);
    }
    await wait(POLL_MS);
  }
}

function linkOf(
  client: ApiClient,
  app: string,
  { uuid }: Transfer,
): Promise<{ url: string; expires_at: string }> {
  return client.request('POST', `${transferPath(app, uuid)}/actions/public-url`, {});
}

/** The whole file, or none. */
async function download(client: ApiClient, { url }: { url: string }, file: string): Promise<void> {
  await requireReplaceable(file, 'name one with --output');
  // The server may be known by another address here.
  const answer = await sendClientRequest(client.address.url + new URL(url).pathname);
  if (answer.statusCode !== 200) throw errorFromResponse(answer.statusCode, await answer.body.text());
  const write = (part: string) => pipeline(answer.body, createWriteStream(part, { mode: 0o600 }));
  try {
    await replaceFileWith(file, write, { temporary: `${file}.part` });
  } catch (error) {
    throw new TailraceError('unavailable', `The backup can't be written to ${file} (${reasonOf(error)}).`, {
      cause: error,
    });
  }
  if (process.stderr.isTTY) printText(`${formatBytes(statSync(file).size)} received`, process.stderr);
}

/** `latest.dump`, or with a number when there is one. */
function freeName(): string {
  for (let i = 0; ; i++) {
    const name = i === 0 ? DEFAULT_FILE : `${DEFAULT_FILE}.${i}`;
    if (!existsSync(name)) return name;
  }
}
