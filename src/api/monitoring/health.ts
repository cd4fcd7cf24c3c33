/** Should requests be sent here? For load balancers, without a key. */
import type { FastifyInstance } from 'fastify';
import type { StoreHealth } from '../../logs/store/store-health.ts';

/** A shared store is asked no more often, however many ask here. */
const AGE_MS = 1_000;

export interface HealthRouteDependencies {
  readonly storeHealth: StoreHealth;
  /** Requests are held for so long while the store is away: until then they may come, and nobody needs to be told. */
  readonly holdMs: number;
}

/** `GET /health`, `GET /healthcheck`: 503 with a sentence while lines can't be stored; of a shared store that was well just now, once requests aren't held any longer. */
export function healthRoutes(
  server: FastifyInstance,
  { storeHealth, holdMs }: HealthRouteDependencies,
): void {
  server.get('/health', async (_request, reply) => {
    const trouble = await storeHealth.trouble(AGE_MS, holdMs);
    return trouble === undefined
      ? { status: 'ok' }
      : reply.code(503).send({ status: 'trouble', message: trouble });
  });
  server.get('/healthcheck', async (_request, reply) => {
    const trouble = await storeHealth.trouble(AGE_MS, holdMs);
    reply.code(trouble === undefined ? 200 : 503).type('text/plain');
    return reply.send(trouble ?? 'OK');
  });
}
