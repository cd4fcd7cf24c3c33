import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import { explainTime, parseTime } from '../../common/time-expression.ts';
import { createShipmentTransform } from '../../logs/drains/filter/transform.ts';
import { mergeDrainOptions } from '../../logs/drains/options/drain-options.ts';
import { parseDrainUrl, redactUrl, trimDrainUrl } from '../../logs/drains/options/drain-record.ts';
import type { TargetPolicy } from '../../logs/drains/options/target-policy.ts';
import { RefusedBatches, refusedLinesAsText } from '../../logs/drains/progress/refused-batches.ts';
import type { OutletFactory } from '../../logs/drains/sinks/outlet-factory.ts';
import { testDrain } from '../../logs/drains/test-delivery.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';
import { admitDrain, rejectLoop } from './admit-drain.ts';
import { type DrainViewDependencies, drainView } from './drain-view.ts';

interface DrainParams {
  Params: { app: string; drain: string };
}

/** What these routes work with. */
export interface DrainActionRouteDependencies extends DrainViewDependencies {
  readonly appRegistry: AppRegistry;
  readonly outlets: OutletFactory;
  /** Where drains may point. */
  readonly targetPolicy: TargetPolicy;
}

const DRAIN_PATH = '/apps/:app/log-drains/:drain';
const EMPTY_BODY = { body: bodySchema({}) };

/** What can be done with a drain beyond Heroku's API: `/apps/:app/log-drains/:drain/…` (id, token or URL, percent-encoded). */
export function drainActionRoutes(api: FastifyInstance, dependencies: DrainActionRouteDependencies): void {
  changeRoutes(api, dependencies);
  testRoute(api, dependencies);
  replayRoute(api, dependencies);
  refusedRoutes(api, dependencies);
}

function changeRoutes(api: FastifyInstance, dependencies: DrainActionRouteDependencies): void {
  const { appRegistry } = dependencies;

  api.patch<DrainParams & { Body: { url?: unknown; options?: unknown } | null }>(
    DRAIN_PATH,
    routeSchema("Change a drain's address or options", 'LogDrain', {
      body: bodySchema({ url: {}, options: {} }),
    }),
    ({ params, body }) =>
      updateDrain(dependencies, params, async (drain) => {
        const { options: before = {} } = drain;
        const given = body?.url ?? drain.url;
        if (typeof given !== 'string') throw new TailraceError('invalid_params', 'A url is a text.');
        const url = given === drain.url ? given : trimDrainUrl(given);
        if (url === drain.url || url === redactUrl(drain.url)) {
          const { url: old } = parseDrainUrl(drain.url);
          const options = mergeDrainOptions(before, old, false, body?.options);
          await rejectLoop(appRegistry, drain.app, { url: drain.url, options });
          return { options };
        }
        const { options } = await admitDrain(dependencies, drain.app, url, (target) => {
          rejectMaskedUrl(url);
          return mergeDrainOptions(before, target, true, body?.options);
        });
        return { url, options };
      }),
  );

  api.post<DrainParams>(
    `${DRAIN_PATH}/actions/pause`,
    routeSchema('Pause a drain', 'LogDrain', EMPTY_BODY),
    ({ params }) => updateDrain(dependencies, params, () => ({ paused: true })),
  );
  api.post<DrainParams>(
    `${DRAIN_PATH}/actions/resume`,
    routeSchema('Let a drain go on', 'LogDrain', EMPTY_BODY),
    ({ params }) => updateDrain(dependencies, params, () => ({ paused: undefined })),
  );
}

function testRoute(api: FastifyInstance, { appRegistry, outlets }: DrainActionRouteDependencies): void {
  api.post<DrainParams>(
    `${DRAIN_PATH}/actions/test`,
    routeSchema('Send a line, and say what came of it', 'Probe', EMPTY_BODY),
    async ({ params }) => {
      const { accepted, answer, phases, totalMs } = await testDrain(
        await findDrain(appRegistry, params),
        outlets,
      );
      return { accepted, answer, phases, total_ms: totalMs };
    },
  );
}

function replayRoute(api: FastifyInstance, dependencies: DrainActionRouteDependencies): void {
  const { appRegistry, store } = dependencies;

  api.post<DrainParams & { Body: { since?: unknown } | null }>(
    `${DRAIN_PATH}/actions/replay`,
    routeSchema('Send again from a time on', 'Replay', { body: bodySchema({ since: {} }) }),
    async ({ params, body }) => {
      const app = await appRegistry.getApp(params.app);
      if (typeof body?.since !== 'string')
        throw new TailraceError(
          'invalid_params',
          'A replay needs a time to begin at: since, such as "10m" or "2026-01-31T12:00:00Z".',
        );
      const sinceMs = parseTime(body.since, Date.now());
      if (sinceMs === undefined)
        throw new TailraceError('invalid_params', `since: ${explainTime(body.since)}`);
      const { first, last } = await store.bounds(app.id);
      const after = Math.max(await store.sequenceAt(app.id, sinceMs), first - 1);
      const drain = await updateDrain(dependencies, params, () => ({ replay: { id: randomUUID(), after } }));
      return { lines: Math.max(0, last - after), drain };
    },
  );
}

/** What the destination refused for good, and is kept aside. */
function refusedRoutes(
  api: FastifyInstance,
  { appRegistry, outlets, store }: DrainActionRouteDependencies,
): void {
  api.get<DrainParams>(
    `${DRAIN_PATH}/refused`,
    routeSchema('What the destination refused', 'RefusedBatch', { many: true }),
    async ({ params }) => {
      const batches = await new RefusedBatches(store, await findDrain(appRegistry, params)).list();
      return Promise.all(
        batches.map(async (batch) => ({
          first: String(batch.first),
          last: String(batch.last),
          count: batch.count,
          refused_at: batch.refusedAt,
          reason: batch.reason,
          lines: await refusedLinesAsText(batch),
        })),
      );
    },
  );
  api.post<DrainParams>(
    `${DRAIN_PATH}/refused/actions/resend`,
    routeSchema('Send what was refused again', 'Resent', EMPTY_BODY),
    async ({ params }) => {
      const drain = await findDrain(appRegistry, params);
      const outlet = outlets.create(drain);
      try {
        // They were kept as they were to be sent then; filters have had their turn, and a sample isn't sampled again.
        const { redact, redact_patterns } = drain.options ?? {};
        return await new RefusedBatches(store, drain).resend(
          outlet,
          createShipmentTransform({ redact, redact_patterns }),
        );
      } finally {
        await outlet.close();
      }
    },
  );
  api.delete<DrainParams>(
    `${DRAIN_PATH}/refused`,
    routeSchema('Forget what was refused', 'Dropped'),
    async ({ params }) => ({
      batches: await new RefusedBatches(store, await findDrain(appRegistry, params)).clear(),
    }),
  );
}

async function updateDrain(
  dependencies: DrainActionRouteDependencies,
  params: DrainParams['Params'],
  decide: Parameters<AppRegistry['updateDrain']>[2],
) {
  const { appRegistry, deliveries } = dependencies;
  const app = await appRegistry.getApp(params.app);
  const drain = await appRegistry.updateDrain(app.id, params.drain, decide);
  await deliveries.reconcile();
  return drainView(drain, dependencies);
}

async function findDrain(appRegistry: AppRegistry, { app, drain }: DrainParams['Params']) {
  return appRegistry.getDrain((await appRegistry.getApp(app)).id, drain);
}

/** A masked URL was copied from a response. */
function rejectMaskedUrl(url: string): void {
  if (!url.includes('****')) return;
  throw new TailraceError(
    'invalid_params',
    'The url has a mask (****) where its password or key belongs: write it out.',
  );
}
