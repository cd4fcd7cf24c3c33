import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import { systemCode, TailraceError } from '../../common/errors.ts';
import { type ApiClient, addClientOptions, resolveEndpoint } from '../api-client.ts';
import { formatTable, printResult } from '../format.ts';
import type { AttachmentView } from './addon-client.ts';

interface Options {
  readonly app?: string;
  readonly json?: boolean;
}
/** What tells one kind of database from the other. */
interface DatabaseKind {
  readonly service: string;
  /** The attachment that is meant when none is named. */
  readonly attachment: string;
  readonly word: string;
}

const POSTGRES: DatabaseKind = { service: 'heroku-postgresql', attachment: 'DATABASE', word: 'PostgreSQL' };
const REDIS: DatabaseKind = { service: 'heroku-redis', attachment: 'REDIS', word: 'Redis' };

/** `pg:psql`, `pg:info`, `pg:promote`, `redis:cli`, `redis:info`, `redis:promote` */
export function databaseCommands(program: Command): void {
  addClientOptions(
    program.command('pg:psql [database]').description("psql on one of the app's PostgreSQL databases"),
  )
    .option('-c, --command <sql>', 'run this and end')
    .option('-f, --file <file>', 'run what is in this file and end')
    .action(async (which: string | undefined, options: Options & { command?: string; file?: string }) => {
      const { url } = await findDatabase(options, which, POSTGRES);
      const parsed = new URL(url);
      const args = [
        ...(options.command === undefined ? [] : ['-c', options.command]),
        ...(options.file === undefined ? [] : ['-f', options.file]),
      ];
      // Not as arguments: every user of this machine can read those.
      await runClient('psql', 'postgresql-client', args, {
        PGHOST: parsed.hostname,
        PGPORT: parsed.port || '5432',
        PGUSER: decodeURIComponent(parsed.username),
        PGPASSWORD: decodeURIComponent(parsed.password),
        PGDATABASE: parsed.pathname.slice(1),
      });
    });
  addClientOptions(
    program.command('redis:cli [database]').description("redis-cli on one of the app's Redis servers"),
  )
    .argument('[command...]', 'a command to run, instead of a prompt: -- GET key')
    .action(async (which: string | undefined, words: string[], options: Options) => {
      const { url } = await findDatabase(options, which, REDIS);
      const parsed = new URL(url);
      const isTls = parsed.protocol === 'rediss:';
      const args = [
        '-h',
        parsed.hostname,
        '-p',
        parsed.port || '6379',
        ...(isTls ? ['--tls'] : []),
        ...words,
      ];
      const password = decodeURIComponent(parsed.password);
      await runClient('redis-cli', 'redis-tools', args, password ? { REDISCLI_AUTH: password } : {});
    });
  for (const [prefix, kind] of [
    ['pg', POSTGRES],
    ['redis', REDIS],
  ] as const) {
    addClientOptions(
      program
        .command(`${prefix}:info [database]`)
        .alias(prefix)
        .description(`show what the app's ${kind.word} databases are like now`),
    ).action(async (which: string | undefined, options: Options) => {
      const { client, app } = await resolveEndpoint(options);
      const attachments = await attachmentsOf(client, app, kind);
      const wanted = which === undefined ? attachments : [pick(attachments, app, which, kind)];
      const ids = [...new Set(wanted.map(({ addon }) => addon.id))];
      const all = await Promise.all(ids.map(async (id) => describe(client, attachments, id)));
      printResult(options.json, all, () =>
        all.length === 0
          ? `${app} has no ${kind.service} databases.`
          : all
              .map(({ title, rows }) =>
                [
                  `=== ${title}`,
                  formatTable(rows.map(({ name, values }) => [`${name}:`, values.join(', ')])),
                ].join('\n'),
              )
              .join('\n\n'),
      );
    });
    addClientOptions(
      program
        .command(`${prefix}:promote <database>`)
        .description(`make one of the app's ${kind.word} databases its ${kind.attachment}_URL`),
    ).action(async (which: string, options: Options) => {
      const { client, app } = await resolveEndpoint(options);
      const attachments = await attachmentsOf(client, app, kind);
      const { addon } = pick(attachments, app, which, kind);
      const current = attachments.find(({ name }) => name === kind.attachment);
      if (current?.addon.id === addon.id)
        throw new TailraceError('invalid_params', `${addon.name} is already promoted on ${app}.`);
      // What has the name now keeps another one.
      const isOnly = attachments.filter((one) => one.addon.id === current?.addon.id).length === 1;
      if (current && isOnly)
        await client.request('POST', '/addon-attachments', { addon: current.addon.name, app, confirm: app });
      const body = { addon: addon.name, app, name: kind.attachment, confirm: app };
      const made = await client.request<AttachmentView>('POST', '/addon-attachments', body);
      printResult(
        options.json,
        made,
        () => `Promoting ${addon.name} to ${kind.attachment}_URL on ${app}... done`,
      );
    });
  }
}

async function describe(client: ApiClient, attachments: readonly AttachmentView[], id: string) {
  const own = attachments.filter(({ addon }) => addon.id === id);
  const rows = await client.request<{ name: string; values: string[] }[]>('GET', `/addons/${id}/details`);
  return {
    title: own.flatMap((one) => one.config_vars).join(', '),
    rows: [...rows, { name: 'Add-on', values: [own[0].addon.name] }],
  };
}

async function attachmentsOf(
  client: ApiClient,
  app: string,
  { service }: DatabaseKind,
): Promise<AttachmentView[]> {
  const path = `/apps/${encodeURIComponent(app)}/addon-attachments`;
  const all = await client.request<AttachmentView[]>('GET', path);
  return all.filter((one) => one.addon_service.name === service);
}

/** By attachment, config var or add-on. @throws TailraceError `not_found` */
function pick(
  attachments: readonly AttachmentView[],
  app: string,
  which: string,
  kind: DatabaseKind,
): AttachmentView {
  const upper = which.toUpperCase();
  const found = attachments.find(
    ({ name, addon, config_vars: vars }) => name === upper || vars.includes(upper) || addon.name === which,
  );
  if (found) return found;
  if (attachments.length === 0)
    throw new TailraceError('not_found', `${app} has no ${kind.service} databases.`);
  const names = attachments.map(({ name }) => name).join(', ');
  throw new TailraceError('not_found', `Unknown database: ${which}. Valid options are: ${names}.`);
}

async function findDatabase(
  options: Options,
  which: string | undefined,
  kind: DatabaseKind,
): Promise<{ url: string }> {
  const { client, app, path } = await resolveEndpoint(options, '/config-vars');
  const attachments = await attachmentsOf(client, app, kind);
  const isDefaultThere = attachments.some(({ name }) => name === kind.attachment);
  const meant = which ?? (isDefaultThere ? kind.attachment : attachments[0]?.name);
  const attachment = pick(attachments, app, meant ?? kind.attachment, kind);
  const config = await client.request<Record<string, string>>('GET', path);
  const url = attachment.config_vars
    .map((name) => config[name])
    .find((value) => value && URL.canParse(value));
  if (!url)
    throw new TailraceError(
      'unavailable',
      `${attachment.addon.name} has no address yet: wait until it is created.`,
    );
  return { url };
}

/** Runs a database's own client with this terminal; ends with its status. */
async function runClient(
  program: string,
  debianPackage: string,
  args: string[],
  env: Record<string, string>,
): Promise<void> {
  // Ctrl-C is the client's: it ends a query there.
  process.on('SIGINT', () => {});
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('exit', (status) => resolve(status ?? 1));
    child.on('error', (error) =>
      reject(
        systemCode(error) === 'ENOENT'
          ? new TailraceError(
              'unavailable',
              `${program} is not installed here: apt-get install ${debianPackage}`,
            )
          : error,
      ),
    );
  });
}
