import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { serverBackup } from '../../apps/backup/server-backup.ts';
import { TailraceError } from '../../common/errors.ts';
import { readJsonWithin } from '../../common/http/create-server.ts';
import { isManifest, MANIFEST_BYTES_MAX, MANIFEST_LIMITS } from '../../logs/backup/backup-layout.ts';
import { writeBackup } from '../../logs/backup/write-backup.ts';
import type { Store } from '../../logs/store/contract.ts';
import { needsScope } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

/** What these routes work with. */
export interface BackupRouteDependencies {
  readonly store: Store;
  readonly dataFolder: string;
}

/** `POST /backups`: everything, as a tar archive. A body with a backup's manifest as `since` leaves out what that one has. */
export function backupRoutes(api: FastifyInstance, dependencies: BackupRouteDependencies): void {
  void api.register(async (backups) => {
    readJsonWithin(backups, MANIFEST_LIMITS);
    backupRoute(backups, dependencies);
  });
}

function backupRoute(api: FastifyInstance, { store, dataFolder }: BackupRouteDependencies): void {
  api.post<{ Body: { since?: object | null } | null }>(
    '/backups',
    {
      ...routeSchema('Back up everything', 'Text', {
        body: bodySchema({ since: { type: ['object', 'null'] } }),
      }),
      ...needsScope('admin'),
      bodyLimit: MANIFEST_BYTES_MAX,
    },
    async (request, reply) => {
      const since = request.body?.since ?? undefined;
      if (since !== undefined && !isManifest(since))
        throw new TailraceError(
          'invalid_params',
          'Send as `since` the manifest.json of a backup, as it is there.',
        );
      const bytes = writeBackup(serverBackup(store, dataFolder), since);
      return (
        reply
          .type('application/x-tar')
          .header('Cache-Control', 'no-store')
          // What is written waits for whoever reads it.
          .send(Readable.from(bytes, { highWaterMark: 1 }))
      );
    },
  );
}
