import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../common/errors.ts';
import { parseDrainUrl } from '../../logs/drains/options/drain.ts';
import { readOptions } from '../../logs/drains/options/drain-options.ts';
import type { Context } from '../context.ts';
import { body, describe } from '../shapes.ts';
import { addonOfApp, refuseRemoval } from './addon-drains.ts';
import { drainView } from './drain-view.ts';

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
  api.post<AppParams & { Body: { url?: string; options?: unknown; addon?: unknown } | null }>(
    '/apps/:app/log-drains',
    describe('Add a drain', 'LogDrain', { status: 201, body: body({ url: {}, options: {}, addon: {} }) }),
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
      const addon = await addonOfApp(context, app.id, request.body?.addon);
      const drain = await directory.addDrain(app.id, url, { options, appName: app.name, addon });
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
      await refuseRemoval(context, await directory.drain(app.id, request.params['*']));
      const drain = await directory.removeDrain(app.id, request.params['*']);
      await context.deliveries.look();
      return drainView(drain, context);
    },
  );
}
