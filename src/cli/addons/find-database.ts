/** How commands find a database of an app, and run its own client on it. */
import { spawn } from 'node:child_process';
import { systemCode, TailraceError } from '../../common/errors.ts';
import { type ApiClient, resolveEndpoint } from '../api-client.ts';
import type { AttachmentView } from './addon-client.ts';

export interface DatabaseOptions {
  readonly app?: string;
  readonly json?: boolean;
}
/** What tells one kind of database from the other. */
export interface DatabaseKind {
  readonly service: string;
  /** The attachment that is meant when none is named. */
  readonly attachment: string;
  readonly word: string;
}

export const POSTGRES: DatabaseKind = {
  service: 'heroku-postgresql',
  attachment: 'DATABASE',
  word: 'PostgreSQL',
};
export const REDIS: DatabaseKind = { service: 'heroku-redis', attachment: 'REDIS', word: 'Redis' };

/** Attachments of one kind of database to an app, in the API's order. @throws TailraceError with the server's sentence */
export async function attachmentsOf(
  client: ApiClient,
  app: string,
  { service }: DatabaseKind,
): Promise<AttachmentView[]> {
  const path = `/apps/${encodeURIComponent(app)}/addon-attachments`;
  const all = await client.request<AttachmentView[]>('GET', path);
  return all.filter((one) => one.addon_service.name === service);
}

/** By attachment, config var or add-on. @throws TailraceError `not_found` */
export function pickAttachment(
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

/** The database that is meant: the promoted one, or the only one, when none is named. @throws TailraceError `not_found` */
export async function findAttachment(
  options: DatabaseOptions,
  which: string | undefined,
  kind: DatabaseKind,
): Promise<{ client: ApiClient; app: string; attachment: AttachmentView }> {
  const { client, app } = await resolveEndpoint(options);
  const attachments = await attachmentsOf(client, app, kind);
  const isDefaultThere = attachments.some(({ name }) => name === kind.attachment);
  const meant = which ?? (isDefaultThere ? kind.attachment : attachments[0]?.name);
  return { client, app, attachment: pickAttachment(attachments, app, meant ?? kind.attachment, kind) };
}

/** Its address. @throws TailraceError `not_found`, `unavailable` */
export async function findDatabase(
  options: DatabaseOptions,
  which: string | undefined,
  kind: DatabaseKind,
): Promise<{ url: string }> {
  const { client, app, attachment } = await findAttachment(options, which, kind);
  const path = `/apps/${encodeURIComponent(app)}/config-vars`;
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
export async function runClient(
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

/** Runs psql with this terminal; ends with its status. */
export function runPsql(url: string, args: string[]): Promise<void> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  const sslMode = searchParams.get('sslmode');
  // Not as arguments: every user of this machine can read those.
  return runClient('psql', 'postgresql-client', args, {
    PGHOST: hostname,
    PGPORT: port || '5432',
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
    ...(sslMode ? { PGSSLMODE: sslMode } : {}),
  });
}
