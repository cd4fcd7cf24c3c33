/** Aggregates the values in lines as Prometheus metrics. Each router has those of the lines that it received itself. */
import { Counter, Gauge, type Registry, Summary } from 'prom-client';
import { TimeSlices } from '../../common/limits/turns.ts';
import type { AppId } from '../store/contract.ts';
import { firstCandidate, L2metScanner, type L2metValue } from './l2met.ts';

/** Series (combinations of name, unit and source) of one app, and in all: bounds the cardinality, and so the memory. */
const APP_SERIES_MAX = 500;
const SERIES_MAX = 5_000;
/** Values that wait until an app's name is looked up. */
const PENDING_MAX = 1_000;
/** So many values of a batch are recorded at once, the others in slices. */
const AT_ONCE = 200;
/** Values between two looks at the clock. */
const SLICE_VALUES = 50;
/** Bytes of batches that may wait for that. */
const WAITING_BYTES_MAX = 16_000_000;
/** Window of quantiles, seconds. */
const WINDOW_S = 600;

const LABELS = ['app', 'name', 'unit', 'source'] as const;

export class LogMetrics {
  private readonly findAppName: (app: AppId) => Promise<string | undefined>;
  private readonly appNames = new Map<AppId, string>();
  private readonly pending = new Map<AppId, L2metValue[]>();
  private readonly series = new Map<string, Set<string>>();
  private seriesCount = 0;
  private waitingBytes = 0;
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

  /** Records the values in a batch that was stored; it isn't read any more afterwards. */
  recordBatch(app: AppId, batch: Uint8Array): void {
    const first = firstCandidate(batch);
    if (first === -1) return;
    const scanner = new L2metScanner(batch, first);
    this.recordValues(app, scanner.next(AT_ONCE));
    if (scanner.isDone) return;
    // How many there are isn't counted.
    if (this.waitingBytes + batch.length > WAITING_BYTES_MAX) this.dropped.inc();
    else void this.recordRest(app, scanner.copy(), batch.length);
  }

  private async recordRest(app: AppId, scanner: L2metScanner, bytes: number): Promise<void> {
    this.waitingBytes += bytes;
    const slices = new TimeSlices();
    while (!scanner.isDone) {
      if (slices.isOver) await slices.next();
      this.recordValues(app, scanner.next(SLICE_VALUES));
    }
    this.waitingBytes -= bytes;
  }

  private recordValues(app: AppId, values: readonly L2metValue[]): void {
    if (values.length === 0) return;
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

  /** Records values of an app whose name is known. */
  record(app: string, values: readonly L2metValue[]): void {
    for (const { kind, name, value, unit, source } of values) {
      const labels = { app, name, unit, source };
      if (!this.admitSeries(app, `${kind} ${name} ${unit} ${source}`)) this.dropped.inc();
      else if (kind === 'sample') this.samples.set(labels, value);
      else if (kind === 'measure') this.measures.observe(labels, value);
      else if (value >= 0) this.counts.inc(labels, value);
    }
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
