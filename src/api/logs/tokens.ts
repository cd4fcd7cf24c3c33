import type { FastifyInstance } from 'fastify';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import { TailraceError } from '../../common/errors.ts';
import type { TokenRecord } from '../../logs/router/token-cache.ts';
import { PROTECTED_ROUTE } from '../access/authorize.ts';
import { bodySchema, routeSchema } from '../schemas-heroku.ts';

interface AppParams {
  Params: { app: string };
}

/** What these routes work with. */
export interface TokenRouteDependencies {
  readonly appRegistry: AppRegistry;
}

/** `/apps/:app/tokens`: the source tokens, which let senders write to the app's stream under a source name. */
export function tokenRoutes(api: FastifyInstance, { appRegistry }: TokenRouteDependencies): void {
  api.get<AppParams>(
    '/apps/:app/tokens',
    { ...routeSchema('List the tokens', 'Token', { many: true }), ...PROTECTED_ROUTE },
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return (await appRegistry.listTokens(app.id)).map(tokenView);
    },
  );
  api.post<AppParams & { Body: { source?: string } | null }>(
    '/apps/:app/tokens',
    routeSchema('Make a token for a source', 'Token', { status: 201, body: bodySchema({ source: {} }) }),
    async (request, reply) => {
      const app = await appRegistry.getApp(request.params.app);
      const source = request.body?.source;
      if (typeof source !== 'string')
        throw new TailraceError('invalid_params', 'A token needs the name of its source.');
      reply.code(201);
      return tokenView(await appRegistry.addToken(app.id, source));
    },
  );
  api.delete<{ Params: { app: string; token: string } }>(
    '/apps/:app/tokens/:token',
    routeSchema('Remove a token', 'Token'),
    async (request) => {
      const app = await appRegistry.getApp(request.params.app);
      return tokenView(await appRegistry.removeToken(app.id, request.params.token));
    },
  );
}

function tokenView({ token, source, createdAt }: TokenRecord) {
  return { token, source, created_at: createdAt };
}
