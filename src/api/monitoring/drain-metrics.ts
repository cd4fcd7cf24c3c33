import { Counter, Gauge, type Registry } from 'prom-client';
import { OTHERS, OthersTotal, SeriesBudget } from '../../common/limits/series-budget.ts';
import type { DrainState } from '../../logs/drains/drain-state.ts';
import type { DrainSupervisor } from '../../logs/drains/drain-supervisor.ts';
import type { MetricAppNames } from './app-names.ts';

type LocalDrain = ReturnType<DrainSupervisor['list']>[number];

/** The drains of this router at one time. */
interface Scene {
  /** Those that have series of their own, with their labels. */
  readonly own: readonly { readonly labels: DrainLabels; readonly state: DrainState }[];
  readonly others: readonly LocalDrain[];
}
interface DrainLabels extends Record<'app' | 'drain', string> {}

const LABELS = ['app', 'drain'] as const;
const OTHER_LABELS: DrainLabels = { app: OTHERS, drain: OTHERS };

const COUNTERS = {
  delivered: 'Lines that the destination accepted',
  lost: 'Lines that were lost: refused by the destination, or no longer in the stream',
  withheld: "Lines that the drain's filters kept from it",
  failures: 'Attempts to deliver that failed; they are repeated',
} as const satisfies Partial<Record<keyof DrainState, string>>;

/** Of the drains without series of their own: the worst of them, or all together. */
const worst = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, value), 0);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const allUp = (values: readonly number[]): number => (values.includes(0) ? 0 : 1);

const GAUGES = {
  tailrace_drain_lag_lines: ['Lines that wait to be delivered', ({ lagLines }) => lagLines, sum],
  tailrace_drain_lag_seconds: ['How long the oldest of them has waited', ({ lagMs }) => lagMs / 1_000, worst],
  tailrace_drain_lines_per_second: [
    'Lines delivered a second lately',
    ({ linesPerSecond }) => linesPerSecond,
    sum,
  ],
  tailrace_drain_up: [
    '0 while the destination accepts nothing',
    ({ state }) => (state === 'retrying' ? 0 : 1),
    allUp,
  ],
} satisfies Record<
  string,
  [help: string, read: (state: DrainState) => number, together: (values: readonly number[]) => number]
>;

const STATES = ['starting', 'delivering', 'idle', 'retrying', 'stopped'] as const;

/** Registers metrics of the drains whose workers run here. @param seriesMax drains with series of their own at the most */
export function registerDrainMetrics(
  registry: Registry,
  {
    deliveries,
    appNames,
    seriesMax,
  }: { readonly deliveries: DrainSupervisor; readonly appNames: MetricAppNames; readonly seriesMax: number },
): void {
  const registers = [registry];
  const budget = new SeriesBudget(seriesMax);
  let pending: Promise<Scene> | undefined;
  /** All metrics of a scrape share one. */
  const scene = (): Promise<Scene> => {
    pending ??= readScene(deliveries, appNames, budget).finally(() => {
      pending = undefined;
    });
    return pending;
  };
  for (const [field, help] of Object.entries(COUNTERS) as [keyof typeof COUNTERS, string][]) {
    const othersTotal = new OthersTotal();
    new Counter({
      name: `tailrace_drain_${field}_total`,
      help,
      labelNames: LABELS,
      registers,
      async collect() {
        const { own, others } = await scene();
        const rest = othersTotal.update(new Map(others.map(({ drain, state }) => [drain.id, state[field]])));
        this.reset();
        for (const { labels, state } of own) this.inc(labels, state[field]);
        if (rest > 0 || others.length > 0) this.inc(OTHER_LABELS, rest);
      },
    });
  }
  for (const [name, [help, read, together]] of Object.entries(GAUGES))
    new Gauge({
      name,
      help,
      labelNames: LABELS,
      registers,
      async collect() {
        const { own, others } = await scene();
        this.reset();
        for (const { labels, state } of own) this.set(labels, read(state));
        if (others.length > 0) this.set(OTHER_LABELS, together(others.map(({ state }) => read(state))));
      },
    });
  new Gauge({
    name: 'tailrace_drains',
    help: 'Drains whose workers run here, by what they are doing',
    labelNames: ['state'],
    registers,
    collect() {
      const drains = deliveries.list();
      for (const state of STATES)
        this.set({ state }, drains.filter((one) => one.state.state === state).length);
    },
  });
}

async function readScene(
  deliveries: DrainSupervisor,
  appNames: MetricAppNames,
  budget: SeriesBudget,
): Promise<Scene> {
  const drains = deliveries.list();
  const ids = budget.admit(new Map(drains.map(({ drain, state }) => [drain.id, state.delivered])));
  const own = drains.filter(({ drain }) => ids.has(drain.id));
  const names = await appNames.of([...new Set(own.map(({ drain }) => drain.app))]);
  return {
    own: own.map(({ drain, state }) => ({
      labels: { app: names.get(drain.app) ?? drain.app, drain: drain.token },
      state,
    })),
    others: own.length === drains.length ? [] : drains.filter(({ drain }) => !ids.has(drain.id)),
  };
}
