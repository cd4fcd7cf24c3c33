/** `POST /api/backups`: everything of the viewer, as a tar archive. A body with a backup's manifest as `since` leaves out what that one has. */
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../../src/common/errors.ts';
import { readJsonWithin } from '../../../src/common/http/create-server.ts';
import { isManifest, MANIFEST_BYTES_MAX, MANIFEST_LIMITS } from '../../../src/logs/backup/backup-layout.ts';
import { backUpViewer, type ViewerBackupParts } from '../backup/viewer-backup.ts';
import type { ViewerParts } from '../parts.ts';
import { readBody } from './body.ts';
import { grantOf, whileGranted } from './request-grant.ts';

export type BackupRouteParts = ViewerParts & Pick<ViewerBackupParts, 'linkLines'>;

export async function registerBackupRoute(
  server: FastifyInstance,
  { records, settings, access, linkLines, log }: BackupRouteParts,
): Promise<void> {
  await server.register(async (api) => {
    readJsonWithin(api, MANIFEST_LIMITS);
    api.post('/api/backups', { bodyLimit: MANIFEST_BYTES_MAX }, async (request, reply) => {
      const grant = grantOf(request);
      grant.requireOwner();
      const { since } = readBody(request, { since: 'object?' });
      if (since !== undefined && !isManifest(since))
        throw new TailraceError(
          'invalid_params',
          'Send as `since` the manifest.json of a backup, as it is there.',
        );
      log.info({ by: grant.name }, 'a backup is made');
      const bytes = backUpViewer({ records, data: settings.data, linkLines }, since);
      return (
        reply
          .type('application/x-tar')
          // What is written waits for whoever reads it.
          .send(
            Readable.from(
              whileGranted(bytes, access, grant, ({ role }) => role === 'owner'),
              { highWaterMark: 1 },
            ),
          )
      );
    });
  });
}
