import type { FastifyInstance } from 'fastify';
import { refuseAuditApp } from '../../apps/access/audit-log.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import { RefusedBatches } from '../../logs/drains/progress/refused-batches.ts';
import type { Store } from '../../logs/store/contract.ts';
import type { StreamReaders } from '../../logs/store/stream-reader.ts';
import { type DeletedLines, deleteLines, findLinesToDelete } from '../../logs/tails/delete-lines.ts';
import { parseTailQuery } from '../../logs/tails/tail-query.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

/** Which lines: as a tail has them, all in words; and the app's name, once more. */
interface LineDeletionBody {
  readonly from?: string;
  readonly to?: string;
  readonly q?: string;
  readonly source?: string;
  readonly dyno?: string;
  readonly level?: string;
  readonly confirm?: string;
  readonly dry_run?: boolean;
}

const NARROWING = ['from', 'to', 'q', 'source', 'dyno', 'level'] as const;

/** What these routes work with. */
export interface LineDeletionRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly readers: StreamReaders;
  readonly store: Store;
}

/** `POST /apps/:app/line-deletions`: deletes lines for good, by time and search. */
export function lineDeletionRoutes(
  api: FastifyInstance,
  { appRegistry, readers, store }: LineDeletionRouteDependencies,
): void {
  const text = { type: 'string' };
  api.post<{ Params: { app: string }; Body: LineDeletionBody | null }>(
    '/apps/:app/line-deletions',
    routeSchema('Delete lines', 'LineDeletion', {
      body: bodySchema({
        ...Object.fromEntries(NARROWING.map((name) => [name, text])),
        confirm: text,
        dry_run: { type: 'boolean' },
      }),
    }),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      refuseAuditApp(app);
      const { from, to, q, source, dyno, level, confirm, dry_run: isDryRun = false } = request.body ?? {};
      if (!NARROWING.some((name) => (request.body?.[name] ?? '') !== ''))
        throw new TailraceError(
          'invalid_params',
          'Say which lines: from or to (times), q (a search), source, dyno or level.',
        );
      const query = { since: from, until: to, q, source, dyno, level, events: 'false' };
      const deletion = parseTailQuery(query, { tail: false });
      if (isDryRun) return view(await findLinesToDelete(store, app.id, deletion), true);
      if (confirm !== app.name)
        throw new TailraceError(
          'confirmation_required',
          `These lines of ${app.name} are deleted for good: send confirm with the app's name.`,
        );
      const deleted = await deleteLines(store, readers, app.id, deletion);
      for (const drain of await appRegistry.listDrains(app.id))
        await new RefusedBatches(store, drain).removeWith(deleted);
      request.auditedMore = { lines: String(deleted.lines) };
      return view(deleted, false);
    },
  );
}

function view({ lines, first, last }: DeletedLines, isDryRun: boolean) {
  return {
    lines,
    first: first === undefined ? null : String(first),
    last: last === undefined ? null : String(last),
    dry_run: isDryRun,
  };
}
