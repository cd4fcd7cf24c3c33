/** Archives and retention, as a part of the viewer: the task in the background, and the routes. */

import { join } from 'node:path';
import { Gauge } from 'prom-client';
import { registerArchiveRoutes } from './api/archives/archive-routes.ts';
import { registerImportRoutes } from './api/archives/import-routes.ts';
import { registerRetentionRoutes } from './api/archives/retention-routes.ts';
import { Archiver } from './archive/archiver.ts';
import { ArchiveCatalog } from './archive/catalog.ts';
import { Keeper, type KeptGroup } from './archive/keeper.ts';
import { GroupRetention } from './archive/retention-records.ts';
import { openArchiveStorage } from './archive/storage/open-storage.ts';
import { Uploads } from './archive/uploads.ts';
import type { OpenFeature } from './parts.ts';

/** Of the data folder: what isn't archived or imported yet. */
const FOLDER = 'archive';

export const openArchive: OpenFeature = async (parts) => {
  const { settings, store, records, groups, metrics } = parts;
  const log = parts.log;
  const folder = join(settings.data, FOLDER);
  const storage = settings.archive === '' ? undefined : openArchiveStorage(settings.archive, process.env);
  const catalog = storage && new ArchiveCatalog(storage);
  const archiver = catalog && new Archiver({ store, records, catalog, folder: join(folder, 'spool') });
  const uploads = new Uploads(join(folder, 'uploads'));
  await uploads.sweep();
  const retention = new GroupRetention(records);
  const keeper = new Keeper({
    store,
    records,
    archiver,
    archiveDescription: storage?.description,
    groups: async () => {
      const kept: KeptGroup[] = [];
      for (const { id, name } of groups.list())
        kept.push({ id, name, streams: groups.streamsOf(id), keep: await retention.get(id) });
      return kept;
    },
    defaults: { ageMs: settings.keepMs, bytes: settings.keepBytes },
    totalBytes: settings.keepTotalBytes,
    log,
  });
  const gauge = (name: string, help: string, read: () => Promise<number>): Gauge =>
    new Gauge({
      name,
      help,
      registers: [metrics],
      async collect() {
        this.set(await read());
      },
    });
  gauge(
    'viewer_archived_lines',
    'Lines archived since the start',
    async () => (await keeper.status()).archivedLines,
  );
  gauge('viewer_archive_trouble', '1 while nothing can be archived or removed', async () =>
    (await keeper.status()).trouble === undefined ? 0 : 1,
  );
  gauge('viewer_removed_lines', 'Lines removed by retention in all', async () => {
    const { removed } = await keeper.status();
    return removed.byAge + removed.byBytes;
  });
  keeper.start();
  return {
    registerRoutes(server) {
      registerArchiveRoutes(server, { ...parts, catalog, keeper });
      registerImportRoutes(server, { ...parts, catalog, uploads, folder: join(folder, 'imports') });
      registerRetentionRoutes(server, { ...parts, retention, keeper });
    },
    status: async () => ({ archive: await keeper.status() }),
    close: () => keeper.close(),
  };
};
