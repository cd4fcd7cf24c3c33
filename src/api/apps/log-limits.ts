import type { FastifyInstance } from 'fastify';
import { AUDIT_APP } from '../../apps/access/audit-log.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import { LimitRecords, type LimitsChange, readLimitsChange } from '../../logs/router/limit-records.ts';
import type { RateLimit } from '../../logs/router/rate-limiter.ts';
import type { AppId, Retention, Store } from '../../logs/store/contract.ts';
import { needsScope } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

/** Properties of a body; each is validated where it is read, with a sentence about what is wrong. */
const LIMIT_PROPERTIES = { lines: {}, bytes: {}, age_s: {}, lines_per_s: {}, bytes_per_s: {} };

interface AppParams {
  Params: { app: string };
}

/** What these routes work with. */
export interface LogLimitRouteDependencies {
  readonly appRegistry: AppRegistry;
  readonly store: Store;
  /** What the sources of an app without a limit of its own may send. */
  readonly appRate: RateLimit;
}

/**
 * `/apps/:app/log-limits`: what an app's stream may hold, and what its sources may send. A limit that whoever is limited may lift would be
 * none: setting one needs `admin`.
 */
export function logLimitRoutes(api: FastifyInstance, dependencies: LogLimitRouteDependencies): void {
  const { appRegistry, store } = dependencies;
  const records = new LimitRecords(store);

  api.get<AppParams>(
    '/apps/:app/log-limits',
    routeSchema('What an app may hold and send, and what it holds', 'LogLimits'),
    async (request) => limitsView((await appRegistry.getApp(request.params.app)).id, dependencies),
  );
  api.patch<AppParams & { Body: Record<string, unknown> | null }>(
    '/apps/:app/log-limits',
    {
      ...routeSchema('Set or clear limits of an app', 'LogLimits', { body: bodySchema(LIMIT_PROPERTIES) }),
      ...needsScope('admin'),
    },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      const change = readLimitsChange(request.body ?? {});
      if (app.name === AUDIT_APP) refuseLess(change, store.limits.retention);
      await records.change(app.id, change);
      return limitsView(app.id, dependencies);
    },
  );
}

/** What was done stays known for as long as the settings say, whoever would like it forgotten. @throws TailraceError `conflict` */
function refuseLess(change: LimitsChange, retention: Retention): void {
  const isLess = (name: keyof Retention): boolean => {
    const wanted = change[name];
    return typeof wanted === 'number' && wanted < retention[name];
  };
  if (isLess('lines') || isLess('bytes') || isLess('ageMs'))
    throw new TailraceError(
      'conflict',
      'This is the app of the audit stream: it may hold more than the settings of the server let others hold, but not less.',
    );
}

async function limitsView(app: AppId, { store, appRate }: LogLimitRouteDependencies) {
  const { first, last, bytes } = await store.bounds(app);
  const { linesPerS = appRate.lines, bytesPerS = appRate.bytes } = store.limits.of(app) ?? {};
  const own = store.limits.of(app) ?? {};
  return {
    ...amountsView(store.limits.retentionOf(app), {
      lines: linesPerS ?? undefined,
      bytes: bytesPerS ?? undefined,
    }),
    own: {
      lines: own.lines !== undefined,
      bytes: own.bytes !== undefined,
      age_s: own.ageMs !== undefined,
      lines_per_s: own.linesPerS !== undefined,
      bytes_per_s: own.bytesPerS !== undefined,
    },
    defaults: amountsView(store.limits.retention, appRate),
    held: { lines: last - first + 1, bytes, stored_bytes: (await store.storedBytes(app)) ?? null },
  };
}

/** null: no limit. */
function amountsView({ lines, bytes, ageMs }: Retention, rate: RateLimit) {
  return {
    lines,
    bytes,
    // Of a setting in milliseconds, rounded.
    age_s: Math.ceil(ageMs / 1_000),
    lines_per_s: rate.lines ?? null,
    bytes_per_s: rate.bytes ?? null,
  };
}
