import type { FastifyInstance } from 'fastify';
import { UNSUPPORTED } from '../../apps/host/unsupported-features.ts';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

/** What these routes work with. */
export interface UnsupportedRouteDependencies {
  readonly appRegistry: AppRegistry;
}

const EMPTY_LISTS = [
  '/pipelines',
  '/teams',
  '/organizations',
  '/spaces',
  '/account/keys',
  '/oauth/sessions',
  '/oauth/clients',
  '/apps/:app/webhooks',
  '/apps/:app/sni-endpoints',
];

/** What clients of Heroku's API ask for and what isn't here: sentences that say what to use. */
export function unsupportedRoutes(api: FastifyInstance, { appRegistry }: UnsupportedRouteDependencies): void {
  const refuse = (method: 'DELETE' | 'GET' | 'PATCH' | 'POST', url: string, message: string): void => {
    api.route<{ Params: { app?: string } }>({
      method,
      url,
      ...routeSchema(`Refused: ${message}`, 'Empty', method === 'GET' ? {} : { body: bodySchema({}) }),
      handler: async ({ params: { app } }) => {
        if (app !== undefined) await appRegistry.getApp(app);
        throw new TailraceError(method === 'GET' ? 'not_found' : 'invalid_params', message);
      },
    });
  };
  refuse('POST', '/apps/:app/sni-endpoints', UNSUPPORTED.certs);
  for (const method of ['POST', 'PATCH', 'DELETE'] as const)
    refuse(method, '/apps/:app/acm', UNSUPPORTED.certs);
  // Clients list them to find out that there are none.
  for (const url of EMPTY_LISTS)
    api.get<{ Params: { app?: string } }>(
      url,
      routeSchema('An empty list', 'Nothing', { many: true }),
      async ({ params: { app } }) => {
        if (app !== undefined) await appRegistry.getApp(app);
        return [];
      },
    );
  for (const method of ['POST', 'PATCH', 'DELETE'] as const) {
    refuse(method, '/apps/:app/webhooks', UNSUPPORTED.webhooks);
    if (method !== 'POST') refuse(method, '/apps/:app/webhooks/:webhook', UNSUPPORTED.webhooks);
  }
  refuse('PATCH', '/apps/:app/domains/:domain', UNSUPPORTED.certs);
  for (const url of ['/teams', '/spaces']) refuse('POST', url, UNSUPPORTED.teams);
  for (const url of ['/account/keys', '/oauth/clients']) refuse('POST', url, UNSUPPORTED.keys);
  refuse('GET', '/apps/:app/pipeline-couplings', UNSUPPORTED.pipelines);
  for (const url of ['/pipelines', '/pipeline-couplings', '/pipeline-promotions'])
    refuse('POST', url, UNSUPPORTED.pipelines);
}
