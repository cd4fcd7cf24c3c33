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

/** What can be done with a drain beyond Heroku's API: `/apps/:app/log-drains/:drain/…` (id, token or URL, percent-encoded). */
export function drainActionRoutes(api: FastifyInstance, dependencies: DrainActionRouteDependencies): void {
  const { appRegistry, deliveries, outlets, store } = dependencies;
  const path = '/apps/:app/log-drains/:drain';
  const emptyBody = { body: bodySchema({}) };

  const updateDrain = async (
    params: DrainParams['Params'],
    decide: Parameters<typeof appRegistry.updateDrain>[2],
  ) => {
    const app = await appRegistry.getApp(params.app);
    const drain = await appRegistry.updateDrain(app.id, params.drain, decide);
    await deliveries.reconcile();
    return drainView(drain, dependencies);
  };
  const findDrain = async ({ app, drain }: DrainParams['Params']) =>
    appRegistry.getDrain((await appRegistry.getApp(app)).id, drain);

  api.patch<DrainParams & { Body: { url?: unknown; options?: unknown } | null }>(
    path,
    routeSchema("Change a drain's address or options", 'LogDrain', {
      body: bodySchema({ url: {}, options: {} }),
    }),
    ({ params, body }) =>
      updateDrain(params, async (drain) => {
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
    `${path}/actions/pause`,
    routeSchema('Pause a drain', 'LogDrain', emptyBody),
    ({ params }) => updateDrain(params, () => ({ paused: true })),
  );
  api.post<DrainParams>(
    `${path}/actions/resume`,
    routeSchema('Let a drain go on', 'LogDrain', emptyBody),
    ({ params }) => updateDrain(params, () => ({ paused: undefined })),
  );
  api.post<DrainParams>(
    `${path}/actions/test`,
    routeSchema('Send a line, and say what came of it', 'Probe', emptyBody),
    async ({ params }) => {
      const { accepted, answer, phases, totalMs } = await testDrain(await findDrain(params), outlets);
      return { accepted, answer, phases, total_ms: totalMs };
    },
  );

  api.post<DrainParams & { Body: { since?: unknown } | null }>(
    `${path}/actions/replay`,
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
      const drain = await updateDrain(params, () => ({ replay: { id: randomUUID(), after } }));
      return { lines: Math.max(0, last - after), drain };
    },
  );

  api.get<DrainParams>(
    `${path}/refused`,
    routeSchema('What the destination refused', 'RefusedBatch', { many: true }),
    async ({ params }) => {
      const batches = await new RefusedBatches(store, await findDrain(params)).list();
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
    `${path}/refused/actions/resend`,
    routeSchema('Send what was refused again', 'Resent', emptyBody),
    async ({ params }) => {
      const drain = await findDrain(params);
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
    `${path}/refused`,
    routeSchema('Forget what was refused', 'Dropped'),
    async ({ params }) => ({
      batches: await new RefusedBatches(store, await findDrain(params)).clear(),
    }),
  );
}

/** A masked URL was copied from a response. */
function rejectMaskedUrl(url: string): void {
  if (!url.includes('****')) return;
  throw new TailraceError(
    'invalid_params',
    'The url has a mask (****) where its password or key belongs: write it out.',
  );
}
