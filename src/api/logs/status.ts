import type { FastifyInstance } from 'fastify';
import type { DrainSupervisor } from '../../logs/drains/drain-supervisor.ts';
import type { ListenerCounters } from '../../logs/sources/listener-counters.ts';
import type { Store } from '../../logs/store/contract.ts';
import { routeSchema } from '../schemas-heroku.ts';

/** What these routes work with. */
export interface StatusRouteDependencies {
  readonly version: string;
  /** On the clock of `performance.now()`. */
  readonly startedAtMs: number;
  readonly counters: readonly ListenerCounters[];
  readonly store: Store;
  readonly deliveries: DrainSupervisor;
}

/** `GET /status`: how this router is doing, and those that share its store, for `tailrace status`. */
export function statusRoutes(
  api: FastifyInstance,
  { version, startedAtMs, counters, store, deliveries }: StatusRouteDependencies,
): void {
  api.get('/status', routeSchema('How this router is doing', 'Status'), async () => ({
    version,
    pid: process.pid,
    time: new Date().toISOString(),
    uptime_s: Math.round((performance.now() - startedAtMs) / 1_000),
    memory_bytes: process.memoryUsage.rss(),
    sources: counters,
    store: await store.status(),
    routers: await listRouters(deliveries),
  }));
}

/** The routers on this store; none are known while it is unavailable. */
async function listRouters(deliveries: DrainSupervisor) {
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
