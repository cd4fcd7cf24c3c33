import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../common/errors.ts';
import { parseDrainUrl, redactUrl } from '../../logs/drains/options/drain.ts';
import { changeOptions } from '../../logs/drains/options/drain-options.ts';
import { probe } from '../../logs/drains/probe.ts';
import { RefusedBatches, textOf } from '../../logs/drains/progress/refused.ts';
import type { Context } from '../context.ts';
import { body, describe } from '../shapes.ts';
import { drainView } from './drain-view.ts';

interface DrainParams {
  Params: { app: string; drain: string };
}

/** What can be done with a drain beyond Heroku's API: `/apps/:app/log-drains/:drain/…` (id, token or URL, percent-encoded). */
export function drainActionRoutes(api: FastifyInstance, context: Context): void {
  const { directory, deliveries, outlets, store, targets } = context;
  const path = '/apps/:app/log-drains/:drain';
  const none = { body: body({}) };

  const change = async (
    params: DrainParams['Params'],
    values: Parameters<typeof directory.changeDrain>[2],
  ) => {
    const app = await directory.app(params.app);
    const drain = await directory.changeDrain(app.id, params.drain, values);
    await deliveries.look();
    return drainView(drain, context);
  };
  const find = async ({ app, drain }: DrainParams['Params']) =>
    directory.drain((await directory.app(app)).id, drain);

  api.patch<DrainParams & { Body: { url?: unknown; options?: unknown } | null }>(
    path,
    describe("Change a drain's address or options", 'LogDrain', { body: body({ url: {}, options: {} }) }),
    async ({ params, body }) => {
      const drain = await find(params);
      const url = body?.url ?? drain.url;
      if (typeof url !== 'string') throw new TailraceError('invalid_params', 'A url is a text.');
      const isNew = url !== drain.url && url !== redactUrl(drain.url);
      if (!isNew) {
        const { url: old } = parseDrainUrl(drain.url);
        return change(params, { options: changeOptions(drain.options ?? {}, old, false, body?.options) });
      }
      const target = parseDrainUrl(url);
      refuseMask(url);
      const options = changeOptions(drain.options ?? {}, target.url, true, body?.options);
      await targets.vet(target.host);
      if ((await directory.drains(drain.app)).some((other) => other.url === url))
        throw new TailraceError('conflict', 'Url has already been taken.');
      return change(params, { url, options });
    },
  );

  api.post<DrainParams>(`${path}/actions/pause`, describe('Pause a drain', 'LogDrain', none), ({ params }) =>
    change(params, { paused: true }),
  );
  api.post<DrainParams>(
    `${path}/actions/resume`,
    describe('Let a drain go on', 'LogDrain', none),
    ({ params }) => change(params, { paused: undefined }),
  );
  api.post<DrainParams>(
    `${path}/actions/test`,
    describe('Send a line, and say what came of it', 'Probe', none),
    async ({ params }) => {
      const { accepted, answer, phases, totalMs } = await probe(await find(params), outlets);
      return { accepted, answer, phases, total_ms: totalMs };
    },
  );

  api.post<DrainParams & { Body: { since?: unknown } | null }>(
    `${path}/actions/replay`,
    describe('Send again from a time on', 'Replay', { body: body({ since: {} }) }),
    async ({ params, body }) => {
      const app = await directory.app(params.app);
      const sinceMs = typeof body?.since === 'string' ? Date.parse(body.since) : Number.NaN;
      if (Number.isNaN(sinceMs))
        throw new TailraceError(
          'invalid_params',
          'A replay needs a time to begin at: since, such as "2026-01-31T12:00:00Z".',
        );
      const { first, last } = await store.bounds(app.id);
      const after = Math.max(await store.sequenceAt(app.id, sinceMs), first - 1);
      const drain = await change(params, { replay: { id: randomUUID(), after } });
      return { lines: Math.max(0, last - after), drain };
    },
  );

  api.get<DrainParams>(
    `${path}/refused`,
    describe('What the destination refused', 'RefusedBatch', { many: true }),
    async ({ params }) => {
      const batches = await new RefusedBatches(store, await find(params)).list();
      return Promise.all(
        batches.map(async (batch) => ({
          first: String(batch.first),
          last: String(batch.last),
          count: batch.count,
          refused_at: batch.refusedAt,
          reason: batch.reason,
          lines: await textOf(batch),
        })),
      );
    },
  );
  api.post<DrainParams>(
    `${path}/refused/actions/resend`,
    describe('Send what was refused again', 'Resent', none),
    async ({ params }) => {
      const drain = await find(params);
      const outlet = outlets.make(drain);
      try {
        return await new RefusedBatches(store, drain).resend(outlet);
      } finally {
        await outlet.close();
      }
    },
  );
  api.delete<DrainParams>(
    `${path}/refused`,
    describe('Forget what was refused', 'Dropped'),
    async ({ params }) => ({
      batches: await new RefusedBatches(store, await find(params)).drop(),
    }),
  );
}

/** Somebody copied what they were shown. */
function refuseMask(url: string): void {
  if (!url.includes('****')) return;
  throw new TailraceError(
    'invalid_params',
    'The url has a mask (****) where its password or key belongs: write it out.',
  );
}
