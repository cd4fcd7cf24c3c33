import type { FastifyInstance } from 'fastify';
import type { ApiContext } from '../context.ts';
import { routeSchema } from '../schemas-heroku.ts';

/** `GET /status`: how this router is doing, and those that share its store, for `tailrace status`. */
export function statusRoutes(api: FastifyInstance, context: ApiContext): void {
  api.get('/status', routeSchema('How this router is doing', 'Status'), async () => ({
    version: context.version,
    pid: process.pid,
    time: new Date().toISOString(),
    uptime_s: Math.round((Date.now() - context.startedAtMs) / 1_000),
    memory_bytes: process.memoryUsage.rss(),
    sources: context.counters,
    store: await context.store.status(),
    routers: await listRouters(context),
  }));
}

/** The routers on this store; none are known while it is away. */
async function listRouters({ deliveries }: ApiContext) {
  const all = await deliveries.routers().catch(() => []);
  return all.map(({ id, host, pid, version, startedAt, drains, lagLines }) => ({
    id,
    host,
    pid,
    version,
    started_at: startedAt,
    drains,
    lag_lines: lagLines,
  }));
}
