/**
 * Backups, restores and resets of PostgreSQL databases, as Heroku's CLI asks for them where its data service is (`HEROKU_DATA_HOST=localhost`):
 * `pg:backups`, `pg:reset`, `pg:killall`, `pg:credentials`.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { permits } from '../../apps/access/grants.ts';
import type { BackupSchedule } from '../../apps/host/addons/databases/schedule.ts';
import { type TransferRecord, transferName } from '../../apps/host/addons/databases/transfer-record.ts';
import type { AddonRecord } from '../../apps/host/addons/model/addon-record.ts';
import { TailraceError } from '../../common/errors.ts';
import { fileError } from '../../common/files/file-error.ts';
import { allowSlowUpload } from '../../common/http/upload-timeout.ts';
import type { AppId } from '../../logs/store/contract.ts';
import { PROTECTED_ROUTE } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { type AddonRouteDependencies, addonScene } from './addon-scene.ts';
import type { BackupLinks } from './backup-links.ts';
import { requireAddonOf } from './find-addon.ts';

interface AddonParams {
  Params: { addon: string };
}
interface TransferParams {
  Params: { app: string; transfer: string };
}
interface ExtensionsBody {
  readonly extensions?: readonly string[] | null;
}

/** What these routes work with. */
export interface TransferRouteDependencies extends AddonRouteDependencies {
  readonly backupLinks: BackupLinks;
  /** Folder of files that were uploaded and not used yet. */
  readonly uploadFolder: string;
}

const extensions = { type: ['array', 'null'], items: { type: 'string' } };

const RESTORE_BODY = bodySchema({ backup_url: { type: 'string' }, extensions }, ['backup_url']);
const SCHEDULE_BODY = bodySchema(
  {
    hour: { type: ['string', 'integer'] },
    timezone: { type: 'string' },
    schedule_name: { type: 'string', maxLength: 200 },
  },
  ['hour', 'timezone', 'schedule_name'],
);

/** Adds the routes below `/client/v11/` and `/postgres/v0/`. An add-on that isn't PostgreSQL is `not_found` there. */
export function databaseTransferRoutes(api: FastifyInstance, dependencies: TransferRouteDependencies): void {
  transferRoutes(api, dependencies);
  backupAndRestoreRoutes(api, dependencies);
  restoreUploadRoute(api, dependencies);
  resetRoutes(api, dependencies);
  scheduleRoutes(api, dependencies);
  credentialRoutes(api, dependencies);
}

async function requireDatabase(
  dependencies: TransferRouteDependencies,
  request: FastifyRequest<AddonParams>,
): Promise<AddonRecord> {
  return requireAddonOf('heroku-postgresql', await addonScene(dependencies, request), request.params.addon);
}

/** What was backed up and restored, and what is done with one of these. */
function transferRoutes(
  api: FastifyInstance,
  { addons, appRegistry, addresses, backupLinks }: TransferRouteDependencies,
): void {
  const { transfers } = addons;
  const appOf = async (which: string) => (await appRegistry.getApp(which)).id;

  api.get<{ Params: { app: string } }>(
    '/client/v11/apps/:app/transfers',
    routeSchema("List an app's backups and restores", 'DatabaseTransfer', { many: true }),
    async ({ params }) => (await transfers.list(await appOf(params.app))).map((one) => transferView(one)),
  );
  api.get<TransferParams>(
    '/client/v11/apps/:app/transfers/:transfer',
    routeSchema('Look at a backup or restore', 'DatabaseTransfer'),
    async ({ params }) => transferView(await transfers.get(await appOf(params.app), params.transfer)),
  );
  api.delete<TransferParams>(
    '/client/v11/apps/:app/transfers/:transfer',
    routeSchema('Delete a backup', 'DatabaseTransfer'),
    async ({ params }) => transferView(await transfers.remove(await appOf(params.app), params.transfer)),
  );
  api.post<TransferParams>(
    '/client/v11/apps/:app/transfers/:transfer/actions/cancel',
    routeSchema('Cancel a backup or restore', 'DatabaseTransfer', { body: bodySchema({}) }),
    async ({ params }) => transferView(await transfers.cancel(await appOf(params.app), params.transfer)),
  );
  api.post<TransferParams>(
    '/client/v11/apps/:app/transfers/:transfer/actions/public-url',
    {
      ...routeSchema('A secret address of a backup, good for an hour', 'BackupLink', {
        body: bodySchema({}),
      }),
      ...PROTECTED_ROUTE,
    },
    async (request) => {
      const { params } = request;
      const app = await appOf(params.app);
      const { record } = await transfers.file(app, params.transfer);
      const { secret, expiresAt } = backupLinks.issue(app, record.uuid);
      return {
        url: `${addresses.forBrowser(request)}/backups/${secret}`,
        expires_at: expiresAt.toISOString(),
      };
    },
  );
}

function backupAndRestoreRoutes(api: FastifyInstance, dependencies: TransferRouteDependencies): void {
  const { transfers } = dependencies.addons;

  api.post<AddonParams>(
    '/client/v11/databases/:addon/backups',
    routeSchema('Back up a database', 'DatabaseTransfer', { status: 201, body: bodySchema({}) }),
    async (request, reply) => {
      reply.code(201);
      return transferView(await transfers.capture(await requireDatabase(dependencies, request)));
    },
  );
  api.post<AddonParams & { Body: ExtensionsBody & { backup_url: string } }>(
    '/client/v11/databases/:addon/restores',
    routeSchema('Replace what is in a database by a backup', 'DatabaseTransfer', {
      status: 201,
      body: RESTORE_BODY,
    }),
    async (request, reply) => {
      const { backup_url: source, extensions: wanted } = request.body;
      const { keyGrant } = request;
      // What is in a backup shows once it is restored.
      const mayRead = (app: AppId): boolean =>
        keyGrant === undefined || permits(keyGrant, 'read-protected', app);
      const restore = await transfers.restore(
        await requireDatabase(dependencies, request),
        source,
        wanted,
        mayRead,
      );
      reply.code(201);
      return transferView(restore);
    },
  );
}

function restoreUploadRoute(api: FastifyInstance, dependencies: TransferRouteDependencies): void {
  const { addons, uploadFolder } = dependencies;

  void api.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.post<AddonParams & { Body: Readable | null }>(
      '/client/v11/databases/:addon/restore-uploads',
      {
        ...routeSchema('Replace what is in a database by the backup in the body', 'DatabaseTransfer', {
          status: 201,
          body: { format: 'binary' },
        }),
        bodyLimit: Number.MAX_SAFE_INTEGER,
      },
      async (request, reply) => {
        const addon = await requireDatabase(dependencies, request);
        if (!request.body)
          throw new TailraceError('bad_request', 'The backup is missing: send it as the body.');
        allowSlowUpload(request);
        await mkdir(uploadFolder, { recursive: true, mode: 0o700 });
        const file = join(uploadFolder, `${randomUUID()}.dump`);
        try {
          await pipeline(request.body, createWriteStream(file, { mode: 0o600 })).catch((error: unknown) => {
            throw fileError(error);
          });
          const restore = await addons.transfers.restoreFile(addon, file);
          reply.code(201);
          return transferView(restore);
        } catch (error) {
          await rm(file, { force: true });
          throw error;
        }
      },
    );
  });
}

function resetRoutes(api: FastifyInstance, dependencies: TransferRouteDependencies): void {
  const { transfers } = dependencies.addons;

  api.put<AddonParams & { Body: ExtensionsBody | null }>(
    '/client/v11/databases/:addon/reset',
    routeSchema('Delete all that is in a database', 'DataServiceMessage', {
      body: bodySchema({ extensions }),
    }),
    async (request) => {
      await transfers.reset(await requireDatabase(dependencies, request), request.body?.extensions);
      return { message: 'Reset successful.' };
    },
  );
  api.post<AddonParams>(
    '/client/v11/databases/:addon/connection_reset',
    routeSchema('End all connections to a database', 'DataServiceMessage', { body: bodySchema({}) }),
    async (request) => {
      await transfers.endClients(await requireDatabase(dependencies, request));
      return { message: 'Connections terminated.' };
    },
  );
}

function scheduleRoutes(api: FastifyInstance, dependencies: TransferRouteDependencies): void {
  const { schedules } = dependencies.addons;

  api.get<AddonParams>(
    '/client/v11/databases/:addon/transfer-schedules',
    routeSchema('List the daily backups of a database', 'BackupSchedule', { many: true }),
    async (request) => schedules.list(await requireDatabase(dependencies, request)).map(scheduleView),
  );
  api.post<AddonParams & { Body: { hour: string | number; timezone: string; schedule_name: string } }>(
    '/client/v11/databases/:addon/transfer-schedules',
    routeSchema('Back up a database every day', 'BackupSchedule', { status: 201, body: SCHEDULE_BODY }),
    async (request, reply) => {
      const { hour, timezone, schedule_name: name } = request.body;
      const schedule = await schedules.add(await requireDatabase(dependencies, request), {
        hour,
        timezone,
        name,
      });
      reply.code(201);
      return scheduleView(schedule);
    },
  );
  api.delete<{ Params: { addon: string; schedule: string } }>(
    '/client/v11/databases/:addon/transfer-schedules/:schedule',
    routeSchema('End the daily backups of a database', 'BackupSchedule'),
    async (request) =>
      scheduleView(
        await schedules.remove(await requireDatabase(dependencies, request), request.params.schedule),
      ),
  );
}

function credentialRoutes(api: FastifyInstance, dependencies: TransferRouteDependencies): void {
  api.get<AddonParams>(
    '/postgres/v0/databases/:addon/credentials',
    {
      ...routeSchema('Who may connect to a database', 'DatabaseCredential', { many: true }),
      ...PROTECTED_ROUTE,
    },
    async (request) => [credentialView(await requireDatabase(dependencies, request))],
  );
  api.get<{ Params: { addon: string; credential: string } }>(
    '/postgres/v0/databases/:addon/credentials/:credential',
    { ...routeSchema('With what to connect to a database', 'DatabaseCredential'), ...PROTECTED_ROUTE },
    async (request) => {
      if (request.params.credential !== 'default')
        throw new TailraceError('not_found', "Couldn't find that credential: there is one, default.");
      return credentialView(await requireDatabase(dependencies, request));
    },
  );
}

/** The files of backups, for whoever has a link. */
export function backupFileRoutes(
  server: FastifyInstance,
  { addons, backupLinks }: TransferRouteDependencies,
): void {
  server.get<{ Params: { secret: string } }>('/backups/:secret', async (request, reply) => {
    const link = backupLinks.find(request.params.secret);
    if (!link)
      throw new TailraceError(
        'not_found',
        'This link is too old, or never was one: get another one with pg:backups:url.',
      );
    const { record, path } = await addons.transfers.file(link.app, link.uuid);
    return reply
      .header('Cache-Control', 'no-store')
      .header('Content-Length', (await stat(path)).size)
      .header(
        'Content-Disposition',
        `attachment; filename="${record.addonName}-${transferName(record)}.dump"`,
      )
      .type('application/octet-stream')
      .send(createReadStream(path));
  });
}

/** In the words of Heroku's CLI: a backup goes from `pg_dump` to its archive, a restore from there to `pg_restore`. */
function transferView(record: TransferRecord) {
  const { uuid, num, kind, addonName, createdAt, finishedAt, canceledAt, deletedAt } = record;
  const isBackup = kind === 'backup';
  return {
    uuid,
    num,
    name: transferName(record),
    from_name: isBackup ? addonName : record.source,
    from_type: isBackup ? 'pg_dump' : 'gof3r',
    from_url: '',
    to_name: isBackup ? 'BACKUP' : addonName,
    to_type: isBackup ? 'gof3r' : 'pg_restore',
    to_url: isBackup ? `tailrace-backup:${uuid}` : '',
    options: {},
    source_bytes: record.sourceBytes,
    processed_bytes: record.processedBytes,
    succeeded: record.succeeded,
    warnings: record.warnings,
    schedule: record.isScheduled ? { uuid } : null,
    logs: record.lines,
    created_at: createdAt,
    started_at: createdAt,
    updated_at: finishedAt ?? createdAt,
    finished_at: finishedAt ?? null,
    canceled_at: canceledAt ?? null,
    deleted_at: deletedAt ?? null,
  };
}

function scheduleView({ uuid, name, hour, timezone }: BackupSchedule) {
  return { uuid, name, hour, timezone };
}

function credentialView({ id, config }: AddonRecord) {
  const url = new URL(config.URL ?? 'postgres://');
  return {
    uuid: id,
    name: 'default',
    state: 'active',
    host: url.hostname,
    port: Number(url.port || 5432),
    database: decodeURIComponent(url.pathname.slice(1)),
    credentials: [
      {
        user: decodeURIComponent(url.username),
        password: decodeURIComponent(url.password),
        state: 'active',
      },
    ],
  };
}
