import type { FastifyInstance } from 'fastify';
import { OWNER } from '../../apps/records/owner.ts';
import { routeSchema } from '../schemas-heroku.ts';
import { FILTERED_ROUTE } from './authorize.ts';

/** `GET /account`: who the key belongs to. */
export function accountRoutes(api: FastifyInstance): void {
  const route = { ...routeSchema('Who the key belongs to', 'Account'), ...FILTERED_ROUTE };
  api.get('/account', route, async ({ keyGrant }) => ({
    ...(keyGrant?.user ?? OWNER),
    name: keyGrant?.user?.email ?? 'Owner',
    federated: false,
    verified: true,
    two_factor_authentication: false,
  }));
}
