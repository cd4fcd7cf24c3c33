import type { FastifyInstance } from 'fastify';
import {
  type CursorRecord,
  cursorKey,
  type DrainRecord,
  parseDrainUrl,
  redactUrl,
} from '../delivery/drain.ts';
import { readOptions, shownOptions } from '../delivery/drain-options.ts';
import { TailraceError } from '../errors.ts';
import type { Context } from './context.ts';
import { body, describe } from './shapes.ts';

interface AppParams {
  Params: { app: string };
}

/** `/apps/:app/log-drains`. Beside Heroku's fields a drain has `delivery`: what it is doing. */
export function drainRoutes(api: FastifyInstance, context: Context): void {
  const { directory } = context;

  api.get<AppParams>(
    '/apps/:app/log-drains',
    describe('List the drains', 'LogDrain', { many: true }),
    async (request) => {
      const app = await directory.app(request.params.app);
      const drains = await directory.drains(app.id);
      return Promise.all(drains.map((drain) => drainView(drain, context)));
    },
  );
  api.post<AppParams & { Body: { url?: string; options?: unknown } | null }>(
    '/apps/:app/log-drains',
    describe('Add a drain', 'LogDrain', { status: 201, body: body({ url: {}, options: {} }) }),
    async (request, reply) => {
      const app = await directory.app(request.params.app);
      const url = request.body?.url;
      if (typeof url !== 'string' || url === '')
        throw new TailraceError(
          'invalid_params',
          'A drain needs a url, such as https://host/path or syslog://host:port.',
        );
      const target = parseDrainUrl(url);
      const options = readOptions(target.url, request.body?.options);
      await context.targets.vet(target.host);
      const drain = await directory.addDrain(app.id, url, { options, appName: app.name });
      await context.deliveries.look();
      reply.code(201);
      return drainView(drain, context);
    },
  );
  api.get<{ Params: { app: string; '*': string } }>(
    '/apps/:app/log-drains/*',
    describe('Look at a drain, by id, token or URL', 'LogDrain'),
    async (request) => {
      const app = await directory.app(request.params.app);
      return drainView(await directory.drain(app.id, request.params['*']), context);
    },
  );
  // The official CLI names a drain by its whole URL, percent-encoded; the slashes in it may arrive decoded.
  api.delete<{ Params: { app: string; '*': string } }>(
    '/apps/:app/log-drains/*',
    describe('Remove a drain', 'LogDrain'),
    async (request) => {
      const app = await directory.app(request.params.app);
      const drain = await directory.removeDrain(app.id, request.params['*']);
      await context.deliveries.look();
      return drainView(drain, context);
    },
  );
}

/** A drain in the Platform API's shape, and what it is doing. */
export async function drainView(drain: DrainRecord, { store, deliveries }: Context) {
  const delivery = deliveries.describe(drain.id) ?? (await elsewhere(drain, store));
  const { first, last, bytes } = await store.bounds(drain.app);
  const lineBytes = bytes / Math.max(1, last - first + 1);
  return {
    id: drain.id,
    token: drain.token,
    url: redactUrl(drain.url),
    addon: null,
    extended: { drain_id: drain.id },
    created_at: drain.createdAt,
    updated_at: drain.updatedAt,
    paused: drain.paused ?? false,
    options: shownOptions(drain.options ?? {}),
    // About: the stream's bytes a line, as they are stored, times the lines.
    delivery: {
      ...delivery,
      lagBytes: Math.round(lineBytes * Math.min(delivery.lagLines, last - first + 1)),
    },
  };
}

/** What is known of a drain that isn't worked on here: it is paused, or another router's. */
async function elsewhere(drain: DrainRecord, store: Context['store']) {
  const cursor = (await store.get<CursorRecord>(drain.app, cursorKey(drain.id)))?.value;
  const { last } = await store.bounds(drain.app);
  const after = cursor?.after ?? drain.after;
  const waiting = last > after ? (await store.read(drain.app, after, 1)).at(0) : undefined;
  return {
    state: drain.paused ? 'paused' : 'elsewhere',
    delivered: cursor?.delivered ?? 0,
    lost: cursor?.lost ?? 0,
    withheld: cursor?.withheld ?? 0,
    after,
    lagLines: Math.max(0, last - after),
    lagMs: waiting ? Math.max(0, Date.now() - waiting.storedAtMs) : 0,
    linesPerSecond: 0,
  };
}
