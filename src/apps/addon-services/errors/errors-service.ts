/** Sentry's part in an app: takes the events of its SDKs, groups them, tells the stream of new ones, and shows them on a page. */
import { Throttle } from '../../../common/throttle.ts';
import type { OwnProgramSettings } from '../../host/addons/local/own-program.ts';
import { EventStream } from '../runtime/event-stream.ts';
import { createServiceServer, servePage } from '../runtime/page-server.ts';
import { logLine } from '../runtime/run-service.ts';
import { ErrorAnnouncer } from './announcer.ts';
import { ErrorIntake, type EventRate } from './ingest/error-intake.ts';
import { ingestRoutes, PROJECT } from './ingest/ingest-routes.ts';
import { GroupChanges } from './page/group-changes.ts';
import { errorPageRoutes } from './page/page-routes.ts';
import { ErrorStore } from './store/error-store.ts';

const TROUBLE_INTERVAL_MS = 60_000;

export interface ErrorsSettings extends OwnProgramSettings {
  /** Of the DSN. Browsers may know it; it is not the key of the page. */
  readonly publicKey: string;
  /** Left out: {@link EVENT_RATE}. */
  readonly eventRate?: EventRate;
}

/** Starts it in the current folder. */
export async function startErrorsService({
  name,
  port,
  password,
  publicKey,
  eventRate,
}: ErrorsSettings): Promise<{ close(): Promise<void> }> {
  const store = new ErrorStore('.', (what, kept) =>
    logLine('error', `its store is damaged (${what}): it begins anew; what there was is kept as ${kept}`),
  );
  if (store.damagedGroups > 0)
    logLine('error', `${store.damagedGroups} errors are left out: their records are damaged`);
  const announcer = new ErrorAnnouncer(logLine);
  const stream = new EventStream<{ readonly groups: readonly string[] }>();
  const changes = new GroupChanges(stream);
  const troubles = new Throttle(TROUBLE_INTERVAL_MS);
  const intake = new ErrorIntake(
    store,
    {
      onAdded: (added) => {
        announcer.announce(added);
        changes.add(added.group.id);
      },
      onTrouble: ({ message }) => {
        if (troubles.allow()) logLine('error', `events of the app are refused for now: ${message}`);
      },
    },
    eventRate,
  );
  const server = createServiceServer();
  await server.register(async (scope) => ingestRoutes(scope, intake, publicKey));
  const dsn = `http://${publicKey}@localhost:${port}/${PROJECT}`;
  await servePage(server, { page: 'errors', key: password }, (pages) =>
    errorPageRoutes(pages, { store, intake, changes, stream, name, dsn }),
  );
  // On both addresses that the name has.
  await server.listen({ host: 'localhost', port });
  logLine(
    'info',
    `listens on port ${port}; ${store.groups.size} errors, ${store.eventCount} events of them kept`,
  );
  return {
    close: async () => {
      changes.close();
      stream.close();
      await server.close();
      announcer.close();
      await store.close();
    },
  };
}
