import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { AppRegistry } from '../../apps/records/app-registry.ts';
import type { DrainSupervisor } from '../../logs/drains/drain-supervisor.ts';
import { routeSchema } from '../schemas-heroku.ts';

/** What these routes work with. */
export interface MetricsRouteDependencies {
  /** What other parts have registered. */
  readonly metrics: Registry;
  readonly deliveries: DrainSupervisor;
  readonly appRegistry: AppRegistry;
}

/** `GET /metrics`: this router's drains, and what other parts have registered, in Prometheus' format. */
export function metricsRoutes(api: FastifyInstance, dependencies: MetricsRouteDependencies): void {
  const { metrics } = dependencies;
  registerDrainMetrics(metrics, dependencies);
  api.get(
    '/metrics',
    routeSchema('What this router has counted, for Prometheus', 'Text'),
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()),
  );
}

function registerDrainMetrics(
  registry: Registry,
  { deliveries, appRegistry }: Pick<MetricsRouteDependencies, 'deliveries' | 'appRegistry'>,
): void {
  const labelNames = ['app', 'drain'] as const;
  const localDrains = async () => {
    const apps = await appRegistry.appNames();
    return deliveries.list().map(({ drain, state }) => ({
      labels: { app: apps.get(drain.app) ?? drain.app, drain: drain.token },
      state,
    }));
  };
  for (const [field, help] of [
    ['delivered', 'Lines that the destination accepted'],
    ['lost', 'Lines that were lost: refused by the destination, or no longer in the stream'],
    ['withheld', "Lines that the drain's filters kept from it"],
  ] as const)
    new Counter({
      name: `tailrace_drain_${field}_total`,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        const drains = await localDrains();
        this.reset();
        for (const { labels, state } of drains) this.inc(labels, state[field]);
      },
    });
  const gauges = {
    tailrace_drain_lag_lines: ['Lines that wait to be delivered', (state) => state.lagLines],
    tailrace_drain_lag_seconds: ['How long the oldest of them has waited', (state) => state.lagMs / 1_000],
    tailrace_drain_lines_per_second: ['Lines delivered a second lately', (state) => state.linesPerSecond],
    tailrace_drain_up: [
      '0 while the destination accepts nothing',
      (state) => (state.state === 'retrying' ? 0 : 1),
    ],
  } satisfies Record<
    string,
    [string, (state: Awaited<ReturnType<typeof localDrains>>[number]['state']) => number]
  >;
  for (const [name, [help, value]] of Object.entries(gauges))
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        const drains = await localDrains();
        this.reset();
        for (const { labels, state } of drains) this.set(labels, value(state));
      },
    });
}
