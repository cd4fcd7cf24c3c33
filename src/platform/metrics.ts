import type { FastifyInstance } from 'fastify';
import type { Context } from './context.ts';

/** `GET /metrics`: what is measured, as Prometheus reads it. */
export function metricsRoutes(api: FastifyInstance, { metrics }: Context): void {
  api.get('/metrics', async (_request, reply) => {
    reply.type(metrics.contentType);
    return metrics.metrics();
  });
}
