import type { FastifyInstance } from 'fastify';
import { TailraceError } from '../../common/errors.ts';
import type { TokenRecord } from '../../logs/router/tenants.ts';
import type { Context } from '../context.ts';
import { body, describe } from '../shapes.ts';

interface AppParams {
  Params: { app: string };
}

/** `/apps/:app/tokens`: who may speak into the app's stream, and under which source name. */
export function tokenRoutes(api: FastifyInstance, { directory }: Context): void {
  api.get<AppParams>(
    '/apps/:app/tokens',
    describe('List the tokens', 'Token', { many: true }),
    async (request) => {
      const app = await directory.app(request.params.app);
      return (await directory.tokens(app.id)).map(tokenView);
    },
  );
  api.post<AppParams & { Body: { source?: string } | null }>(
    '/apps/:app/tokens',
    describe('Make a token for a source', 'Token', { status: 201, body: body({ source: {} }) }),
    async (request, reply) => {
      const app = await directory.app(request.params.app);
      const source = request.body?.source;
      if (typeof source !== 'string')
        throw new TailraceError('invalid_params', 'A token needs the name of its source.');
      reply.code(201);
      return tokenView(await directory.addToken(app.id, source));
    },
  );
  api.delete<{ Params: { app: string; token: string } }>(
    '/apps/:app/tokens/:token',
    describe('Remove a token', 'Token'),
    async (request) => {
      const app = await directory.app(request.params.app);
      return tokenView(await directory.removeToken(app.id, request.params.token));
    },
  );
}

function tokenView({ token, source, createdAt }: TokenRecord) {
  return { token, source, created_at: createdAt };
}
