import type { FastifyInstance } from 'fastify';
import type { DynoRunner } from '../../apps/host/contract.ts';
import type { CertificateFiles } from '../../common/tls/certificate-files.ts';
import type { DrainSupervisor } from '../../logs/drains/drain-supervisor.ts';
import type { StreamSizes } from '../../logs/metrics/stream-sizes.ts';
import type { ListenerCounters } from '../../logs/sources/listener-counters.ts';
import type { Store } from '../../logs/store/contract.ts';
import type { TailRegistry } from '../logs/tail-registry.ts';
import { routeSchema } from '../schemas-heroku.ts';

/** What these routes work with. */
export interface StatusRouteDependencies {
  readonly version: string;
  readonly counters: readonly ListenerCounters[];
  readonly store: Store;
  readonly deliveries: DrainSupervisor;
  readonly streamSizes: StreamSizes;
  readonly tailRegistry: Pick<TailRegistry, 'size'>;
  readonly dynoRunner: DynoRunner;
  readonly certificates: CertificateFiles;
}

/** Sizes that were read so long ago will do. */
const SIZES_MS = 1_000;
/** Logs that are told apart. */
const LARGEST_MAX = 10;

/** `GET /status`: how this router is doing, and those that share its store, for `tailrace status`. */
export function statusRoutes(
  api: FastifyInstance,
  {
    version,
    counters,
    store,
    deliveries,
    streamSizes,
    tailRegistry,
    dynoRunner,
    certificates,
  }: StatusRouteDependencies,
): void {
  api.get('/status', routeSchema('How this router is doing', 'Status'), async () => ({
    version,
    pid: process.pid,
    time: new Date().toISOString(),
    uptime_s: Math.round(process.uptime()),
    memory_bytes: process.memoryUsage.rss(),
    sources: counters,
    drains: summarizeDrains(deliveries),
    tails: tailRegistry.size,
    dynos: Object.fromEntries(dynoRunner.countByState()),
    logs: await logSizes(streamSizes),
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

/** The drains whose workers run here. */
function summarizeDrains(deliveries: DrainSupervisor) {
  const states = deliveries.list().map(({ state }) => state);
  return {
    count: states.length,
    retrying: states.filter(({ state }) => state === 'retrying').length,
    lost: states.reduce((sum, { lost }) => sum + lost, 0),
    lag_lines: states.reduce((sum, { lagLines }) => sum + lagLines, 0),
    lag_s: Math.round(states.reduce((most, { lagMs }) => Math.max(most, lagMs), 0) / 1_000),
  };
}

/** What logs hold, and what the largest take; null while the store is unavailable. */
async function logSizes(streamSizes: StreamSizes) {
  const sizes = await streamSizes.get(SIZES_MS).catch(() => undefined);
  if (!sizes) return null;
  return {
    apps: sizes.apps,
    held_bytes: sizes.heldBytes,
    largest: sizes.largest.slice(0, LARGEST_MAX).map(({ app, heldBytes, storedBytes }) => ({
      app,
      held_bytes: heldBytes,
      stored_bytes: storedBytes ?? null,
    })),
  };
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
