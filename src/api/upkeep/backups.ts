import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { serverBackup } from '../../apps/backup/server-backup.ts';
import type { BackupManifest } from '../../logs/backup/backup-layout.ts';
import { writeBackup } from '../../logs/backup/write-backup.ts';
import type { Store } from '../../logs/store/contract.ts';
import { needsScope } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

/** A manifest names what many backups have of many apps. */
const MANIFEST_BYTES_MAX = 268_435_456;

/** What these routes work with. */
export interface BackupRouteDependencies {
  readonly store: Store;
  readonly dataFolder: string;
}

/** `POST /backups`: everything, as a tar archive. A body with a backup's manifest as `since` leaves out what that one has. */
export function backupRoutes(api: FastifyInstance, { store, dataFolder }: BackupRouteDependencies): void {
  api.post<{ Body: { since?: BackupManifest | null } | null }>(
    '/backups',
    {
      ...routeSchema('Back up everything', 'Text', {
        body: bodySchema({ since: { type: ['object', 'null'] } }),
      }),
      ...needsScope('admin'),
      bodyLimit: MANIFEST_BYTES_MAX,
    },
    (request, reply) => {
      const bytes = writeBackup(serverBackup(store, dataFolder), request.body?.since ?? undefined);
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
