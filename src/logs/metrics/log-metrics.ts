/** Aggregates the values in lines as Prometheus metrics. Each router has those of the lines that it received itself. */
import { Counter, Gauge, type Registry, Summary } from 'prom-client';
import { TimeSlices } from '../../common/limits/turns.ts';
import type { AppId } from '../store/contract.ts';
import { BATCH_VALUES_MAX, type L2metValue, parseL2met } from './l2met.ts';

/** Series (combinations of name, unit and source) of one app, and in all: bounds the cardinality, and so the memory. */
const APP_SERIES_MAX = 500;
const SERIES_MAX = 5_000;
/** Values that wait until an app's name is looked up. */
const PENDING_MAX = 1_000;
/** More values than these are recorded in slices. */
const AT_ONCE = 1_000;
/** Values between two looks at the clock. */
const SLICE_VALUES = 50;
/** Values that may wait to be recorded. */
const WAITING_MAX = 100_000;
/** Window of quantiles, seconds. */
const WINDOW_S = 600;

const LABELS = ['app', 'name', 'unit', 'source'] as const;

export class LogMetrics {
  private readonly findAppName: (app: AppId) => Promise<string | undefined>;
  private readonly appNames = new Map<AppId, string>();
  private readonly pending = new Map<AppId, L2metValue[]>();
  private readonly series = new Map<string, Set<string>>();
  private seriesCount = 0;
  private waiting = 0;
  private readonly counts;
  private readonly samples;
  private readonly measures;
  private readonly dropped;

  /** @param findAppName looks up an app's name; undefined when there is no such app. */
  constructor(registry: Registry, findAppName: (app: AppId) => Promise<string | undefined>) {
    this.findAppName = findAppName;
    const registers = [registry];
    this.counts = new Counter({
      name: 'tailrace_log_count_total',
      help: 'Sums of count#name=number in lines',
      labelNames: LABELS,
      registers,
    });
    this.samples = new Gauge({
      name: 'tailrace_log_sample',
      help: 'Last sample#name=number in lines',
      labelNames: LABELS,
      registers,
    });
    this.measures = new Summary({
      name: 'tailrace_log_measure',
      help: 'Distribution of measure#name=number in lines',
      labelNames: LABELS,
      percentiles: [0.5, 0.95, 0.99],
      maxAgeSeconds: WINDOW_S,
      ageBuckets: 5,
      registers,
    });
    this.dropped = new Counter({
      name: 'tailrace_log_metrics_dropped_total',
      help: 'Numbers in lines that were not kept, because there were too many names and sources',
      registers,
    });
  }

  /** Records the values in a batch that was stored. */
  recordBatch(app: AppId, batch: Uint8Array): void {
    const values = parseL2met(batch);
    if (values.length === 0) return;
    // There may be more in it; how many isn't counted.
    if (values.length === BATCH_VALUES_MAX) this.dropped.inc();
    const name = this.appNames.get(app);
    if (name !== undefined) this.record(name, values);
    else this.holdUntilNamed(app, values);
  }

  private holdUntilNamed(app: AppId, values: readonly L2metValue[]): void {
    const pending = this.pending.get(app);
    if (pending) {
      const room = Math.max(0, PENDING_MAX - pending.length);
      pending.push(...values.slice(0, room));
      this.dropped.inc(Math.max(0, values.length - room));
      return;
    }
    this.pending.set(app, [...values]);
    const nameFound = (name: string | undefined): void => {
      const all = this.pending.get(app) ?? [];
      this.pending.delete(app);
      if (name === undefined) return;
      this.appNames.set(app, name);
      this.record(name, all);
    };
    this.findAppName(app).then(nameFound, () => nameFound(undefined));
  }

  private record(app: string, values: readonly L2metValue[]): void {
    if (values.length > AT_ONCE) void this.recordInSlices(app, values);
    else for (const value of values) this.recordOne(app, value);
  }

  private async recordInSlices(app: string, values: readonly L2metValue[]): Promise<void> {
    if (this.waiting + values.length > WAITING_MAX) {
      this.dropped.inc(values.length);
      return;
    }
    this.waiting += values.length;
    const slices = new TimeSlices();
    for (const [i, value] of values.entries()) {
      if (i % SLICE_VALUES === 0 && slices.isOver) await slices.next();
      this.recordOne(app, value);
    }
    this.waiting -= values.length;
  }

  private recordOne(app: string, { kind, name, value, unit, source }: L2metValue): void {
    const labels = { app, name, unit, source };
    if (!this.admitSeries(app, `${kind} ${name} ${unit} ${source}`)) this.dropped.inc();
    else if (kind === 'sample') this.samples.set(labels, value);
    else if (kind === 'measure') this.measures.observe(labels, value);
    else if (value >= 0) this.counts.inc(labels, value);
  }

  private admitSeries(app: string, key: string): boolean {
    let known = this.series.get(app);
    if (!known) {
      known = new Set();
      this.series.set(app, known);
    }
    if (known.has(key)) return true;
    if (known.size >= APP_SERIES_MAX || this.seriesCount >= SERIES_MAX) return false;
    known.add(key);
    this.seriesCount++;
    return true;
  }
}
