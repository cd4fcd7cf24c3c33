import type { FastifyInstance } from 'fastify';
import type { CertificateFiles } from '../../common/tls/certificate-files.ts';
import type { DrainSupervisor } from '../../logs/drains/drain-supervisor.ts';
import type { ListenerCounters } from '../../logs/sources/listener-counters.ts';
import type { Store } from '../../logs/store/contract.ts';
import { routeSchema } from '../schemas-heroku.ts';

/** What these routes work with. */
export interface StatusRouteDependencies {
  readonly version: string;
  readonly counters: readonly ListenerCounters[];
  readonly store: Store;
  readonly deliveries: DrainSupervisor;
  readonly certificates: CertificateFiles;
}

/** `GET /status`: how this router is doing, and those that share its store, for `tailrace status`. */
export function statusRoutes(
  api: FastifyInstance,
  { version, counters, store, deliveries, certificates }: StatusRouteDependencies,
): void {
  api.get('/status', routeSchema('How this router is doing', 'Status'), async () => ({
    version,
    pid: process.pid,
    time: new Date().toISOString(),
    uptime_s: Math.round(process.uptime()),
    memory_bytes: process.memoryUsage.rss(),
    sources: counters,
    store: await store.status(),
    routers: await listRouters(deliveries, store),
    certificates: certificates.states.map(({ file, names, notAfter, loadedAt, trouble }) => ({
      file,
      names,
      not_after: notAfter.toISOString(),
      loaded_at: loadedAt.toISOString(),
      trouble: trouble ?? null,
    })),
  }));
}

/** The routers on this store; none are known while it is unavailable. */
async function listRouters(deliveries: DrainSupervisor, store: Store) {
  const [all, nowMs] = await Promise.all([deliveries.routers(), store.time()]).catch(() => [[], 0] as const);
  return all.map(({ id, host, pid, version, startedAt, drains, lagLines }) => ({
    id,
    host,
    pid,
    version,
    started_at: startedAt,
    // The clocks of this router, of that one and of the client may differ.
    uptime_s: Math.max(0, Math.round((nowMs - Date.parse(startedAt)) / 1_000)),
    drains,
    lag_lines: lagLines,
  }));
}
