import type { FastifyInstance, FastifyRequest } from 'fastify';
import { OWNER } from '../../apps/records/owner.ts';
import { TailraceError } from '../../common/errors.ts';
import { routeSchema } from '../schemas-heroku.ts';
import { FILTERED_ROUTE } from './authorize.ts';

/** What Heroku says when nothing of an hour's requests is used: there is no limit of requests here, and clients that pace themselves don't. */
const REQUESTS_LEFT = 4_500;

/** `/account`, `/users/~`: who the key belongs to, and how many requests they may make. */
export function accountRoutes(api: FastifyInstance): void {
  const route = { ...routeSchema('Who the key belongs to', 'Account'), ...FILTERED_ROUTE };
  const accountView = ({ keyGrant }: FastifyRequest) => ({
    ...(keyGrant?.user ?? OWNER),
    name: keyGrant?.user?.email ?? 'Owner',
    federated: false,
    verified: true,
    two_factor_authentication: false,
  });
  api.get('/account', route, async (request) => accountView(request));
  api.get<{ Params: { user: string } }>('/users/:user', route, async (request) => {
    const view = accountView(request);
    const { user } = request.params;
    if (!['~', view.id, view.email].includes(user))
      throw new TailraceError('not_found', "Couldn't find that user: /people has who is known.");
    return view;
  });
  api.get(
    '/account/rate-limits',
    { ...routeSchema('How many requests may follow: as many as you like', 'RateLimit'), ...FILTERED_ROUTE },
    async () => ({ remaining: REQUESTS_LEFT }),
  );
}
