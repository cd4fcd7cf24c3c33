import type { FastifyInstance } from 'fastify';
import { describe } from '../../api/shapes.ts';

/** The one owner of everything on this server. */
export const OWNER = {
  id: '00000000-0000-4000-8000-000000000001',
  email: 'owner@tailrace.localhost',
} as const;

/** `GET /account`: who the key belongs to. */
export function accountRoutes(api: FastifyInstance): void {
  api.get('/account', describe('Who the key belongs to', 'Account'), async () => ({
    ...OWNER,
    name: 'Owner',
    federated: false,
    verified: true,
    two_factor_authentication: false,
  }));
}
