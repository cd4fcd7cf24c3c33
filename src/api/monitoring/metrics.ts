import type { FastifyInstance } from 'fastify';
import { Gauge, type Registry } from 'prom-client';
import type { DynoRunner } from '../../apps/host/contract.ts';
import type { DrainSupervisor } from '../../logs/drains/drain-supervisor.ts';
import type { TailRegistry } from '../logs/tail-registry.ts';
import { routeSchema } from '../schemas-heroku.ts';
import type { MetricAppNames } from './app-names.ts';
import { registerDrainMetrics } from './drain-metrics.ts';

/** What these routes work with. */
export interface MetricsRouteDependencies {
  /** What other parts have registered. */
  readonly metrics: Registry;
  readonly deliveries: DrainSupervisor;
  readonly appNames: MetricAppNames;
  readonly dynoRunner: DynoRunner;
  readonly tailRegistry: Pick<TailRegistry, 'size'>;
  /** Apps, and drains, that have series of their own at the most. */
  readonly metricSeriesMax: number;
}

/** `GET /metrics`: this router's drains, tails and dynos, and what other parts have registered, in Prometheus' format. */
export function metricsRoutes(api: FastifyInstance, dependencies: MetricsRouteDependencies): void {
  const { metrics, deliveries, appNames, metricSeriesMax: seriesMax } = dependencies;
  registerDrainMetrics(metrics, { deliveries, appNames, seriesMax });
  registerServerMetrics(metrics, dependencies);
  api.get(
    '/metrics',
    routeSchema('What this router has counted, for Prometheus', 'Text'),
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()),
  );
}

function registerServerMetrics(
  registry: Registry,
  { deliveries, dynoRunner, tailRegistry }: MetricsRouteDependencies,
): void {
  const registers = [registry];
  new Gauge({
    name: 'tailrace_tails',
    help: 'Tails that are open here',
    registers,
    collect() {
      this.set(tailRegistry.size);
    },
  });
  new Gauge({
    name: 'tailrace_dynos',
    help: 'Dynos on this machine, by their state',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset();
      for (const [state, count] of dynoRunner.countByState()) this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'tailrace_routers',
    help: 'Routers that share the store, this one included; not there while the store is unavailable',
    registers,
    async collect() {
      this.reset();
      const routers = await deliveries.routers().catch(() => undefined);
      if (routers) this.set(routers.length);
      else this.remove();
    },
  });
}
