/** How the viewer is: for people and programs that watch it. */
import type { FastifyInstance } from 'fastify';
import { VERSION } from '../../../src/common/package-info.ts';
import type { ListenerCounters } from '../../../src/logs/sources/listener-counters.ts';
import type { ViewerFeature, ViewerParts } from '../parts.ts';
import { Parameters } from './parameters.ts';
import { grantOf } from './request-grant.ts';

/** `GET /health`: needs no key. */
export function registerHealthRoute(server: FastifyInstance, { records, store }: ViewerParts): void {
  server.get('/health', async (_request, reply) => {
    const trouble = records.trouble ?? store.trouble;
    const damage = store.damage();
    // It works; what is lost stays lost.
    return trouble === undefined
      ? {
          status: 'ok',
          ...(damage.length > 0 && {
            damage: `Files are damaged or gone (${damage.length}), and lines lost: GET /api/status names them.`,
          }),
        }
      : reply.code(503).send({ status: 'trouble', message: trouble });
  });
}

/** `GET /api/status`, `GET /metrics`: for owners of all. */
export function registerStatusRoutes(
  server: FastifyInstance,
  { records, store, groups, metrics }: ViewerParts,
  counters: readonly ListenerCounters[],
  features: readonly ViewerFeature[],
): void {
  server.get('/api/status', async (request) => {
    new Parameters(request.query, []);
    grantOf(request).requireOwner();
    await store.checkFiles?.();
    const summaries = await store.summaries();
    const ofFeatures = await Promise.all(features.map((feature) => feature.status?.()));
    const sum = (read: (of: (typeof summaries)[number]) => number): number =>
      summaries.reduce((total, one) => total + read(one), 0);
    return {
      version: VERSION,
      pid: process.pid,
      store: await records.status(),
      groups: groups.list().length,
      streams: groups.list().flatMap(({ id }) => groups.streamsOf(id)).length,
      lines: sum(({ lines }) => lines),
      raw_bytes: sum(({ rawBytes }) => rawBytes),
      disk_bytes: sum(({ diskBytes }) => diskBytes),
      trouble: records.trouble ?? store.trouble ?? null,
      damage: store.damage(),
      ...Object.assign({}, ...ofFeatures),
      sources: counters.map(
        ({ protocol, lines, bytes, malformed, unknownToken, duplicates, limited, lost }) => ({
          protocol,
          lines,
          bytes,
          malformed,
          unknown: unknownToken,
          duplicates,
          limited,
          lost,
        }),
      ),
    };
  });
  server.get('/metrics', async (request, reply) => {
    grantOf(request).requireOwner();
    return reply.type(metrics.contentType).send(await metrics.metrics());
  });
}
