/** Metrics of the sources. The hot path counts in plain numbers; they are collected on demand. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { OTHERS, SeriesBudget } from '../../common/limits/series-budget.ts';
import type { LogRouter } from '../router/log-router.ts';
import type { AppId } from '../store/contract.ts';
import { countersByApp } from './app-counters.ts';
import type { ListenerCounters } from './listener-counters.ts';
import { countUdpDrops } from './udp-drops.ts';

export interface ListenerMetricsOptions {
  readonly counters: readonly ListenerCounters[];
  readonly router: LogRouter;
  /** The port of syslog over UDP, if there is one. */
  readonly udpPort: number | undefined;
  /** Names of apps by their ids; others may be there. */
  readonly appNames: (apps: readonly AppId[]) => Promise<ReadonlyMap<string, string>>;
  /** Apps with series of their own at the most. */
  readonly appsMax: number;
}

function linesByApp(counters: readonly ListenerCounters[]): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  for (const of of counters)
    for (const [app, count] of countersByApp(of)) lines.set(app, (lines.get(app) ?? 0) + count.lines);
  return lines;
}

/** Registers the listeners' counters. */
export function registerListenerMetrics(
  registry: Registry,
  { counters, router, udpPort, appNames, appsMax }: ListenerMetricsOptions,
): void {
  const registers = [registry];
  const budget = new SeriesBudget(appsMax);
  const perApp = (name: string, help: string, read: 'lines' | 'bytes'): void => {
    new Counter({
      name,
      help,
      labelNames: ['protocol', 'app'],
      registers,
      async collect() {
        const own = budget.admit(linesByApp(counters));
        const names = await appNames([...own] as AppId[]);
        this.reset();
        for (const of of counters) {
          const { protocol } = of;
          let others = 0;
          for (const [app, count] of countersByApp(of))
            if (own.has(app)) this.inc({ protocol, app: names.get(app) ?? app }, count[read]);
            else others += count[read];
          if (others > 0) this.inc({ protocol, app: OTHERS }, others);
        }
      },
    });
  };
  perApp('tailrace_in_lines_total', 'Lines that were taken.', 'lines');
  perApp('tailrace_in_bytes_total', 'Bytes of the lines that were taken.', 'bytes');
  const perListener = (name: string, help: string, read: (of: ListenerCounters) => number): void => {
    new Counter({
      name,
      help,
      labelNames: ['protocol'],
      registers,
      collect() {
        this.reset();
        for (const of of counters) this.inc({ protocol: of.protocol }, read(of));
      },
    });
  };
  perListener('tailrace_in_malformed_total', 'Frames and bodies that were no lines.', (of) => of.malformed);
  perListener(
    'tailrace_in_headerless_total',
    'Lines without a header that were taken, since it was known whose they are.',
    (of) => of.headerless,
  );
  perListener(
    'tailrace_in_miscounted_total',
    'Octet-counted frames whose count could not be right: what was found instead was taken.',
    (of) => of.miscounted,
  );
  perListener(
    'tailrace_in_oversized_total',
    'Frames that were longer than is taken: their beginnings were.',
    (of) => of.oversized,
  );
  perListener(
    'tailrace_in_unknown_total',
    'Lines of which nobody knows whose they are.',
    (of) => of.unknownToken,
  );
  perListener('tailrace_in_limited_total', 'Lines refused by rate limits.', (of) => of.limited);
  perListener('tailrace_in_lost_total', 'Lines turned away because too much waited.', (of) => of.lost);
  perListener(
    'tailrace_in_duplicates_total',
    'Lines of requests that had been stored before.',
    (of) => of.duplicates,
  );
  perListener('tailrace_in_connections_total', 'Connections that were opened.', (of) => of.connections);
  perListener(
    'tailrace_in_cut_total',
    'Connections that were ended: too many, idle, too slow.',
    (of) => of.cut,
  );
  new Counter({
    name: 'tailrace_in_udp_dropped_total',
    help: 'Datagrams that the system dropped before they could be read (Linux).',
    registers,
    collect() {
      this.reset();
      this.inc(countUdpDrops(udpPort === undefined ? [] : [udpPort]) ?? 0);
    },
  });
  new Gauge({
    name: 'tailrace_waiting_bytes',
    help: 'Bytes that wait to be stored.',
    registers,
    collect() {
      this.set(router.waitingBytes);
    },
  });
  new Gauge({
    name: 'tailrace_waiting_bytes_max',
    help: 'Bytes that may wait to be stored before senders are slowed down.',
    registers,
  }).set(router.waitingBytesMax);
}
