import type { FastifyInstance } from 'fastify';
import { OWNER } from '../../apps/records/owner.ts';
import { routeSchema } from '../schemas-heroku.ts';

/** `GET /account`: who the key belongs to. */
export function accountRoutes(api: FastifyInstance): void {
  api.get('/account', routeSchema('Who the key belongs to', 'Account'), async () => ({
    ...OWNER,
    name: 'Owner',
    federated: false,
    verified: true,
    two_factor_authentication: false,
  }));
}
