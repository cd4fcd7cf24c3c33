/** What happened in an interval of time, in numbers: of two intervals, the sum is what happened in both. */
import type { L2metValue } from '../../../logs/metrics/l2met.ts';
import type { RouterRequest } from './read-line.ts';
import { routePattern } from './route-pattern.ts';
import { type StoredHistogram, ValueHistogram } from './value-histogram.ts';

/** Routes, and names with their sources, that are told apart in an interval: the others are one. */
const ROUTES_MAX = 200;
const SERIES_MAX = 500;
const OTHER_ROUTES = '(others)';

interface StoredRoute {
  readonly count: number;
  /** Answered with 5xx. */
  readonly errors: number;
  readonly latency: StoredHistogram;
}

interface StoredSample {
  readonly unit: string;
  readonly last: number;
  readonly atMs: number;
  readonly max: number;
}

/** As it is stored, and sent: plain data. */
export interface StoredInterval {
  readonly lines: number;
  readonly bytes: number;
  /** By class: `2xx`. */
  readonly statuses: Readonly<Record<string, number>>;
  /** By code of the platform: `H12`, `R14`. */
  readonly errors: Readonly<Record<string, number>>;
  readonly latency: StoredHistogram;
  readonly routes: Readonly<Record<string, StoredRoute>>;
  /** By name and source, with a space between. */
  readonly samples: Readonly<Record<string, StoredSample>>;
  readonly measures: Readonly<Record<string, { readonly unit: string; readonly values: StoredHistogram }>>;
  readonly counts: Readonly<Record<string, number>>;
  /** Values that had too many names. */
  readonly dropped: number;
}

export class Interval {
  lines = 0;
  bytes = 0;
  dropped = 0;
  readonly statuses = new Map<string, number>();
  readonly errors = new Map<string, number>();
  readonly latency = new ValueHistogram();
  readonly routes = new Map<string, { count: number; errors: number; latency: ValueHistogram }>();
  readonly samples = new Map<string, StoredSample>();
  readonly measures = new Map<string, { unit: string; values: ValueHistogram }>();
  readonly counts = new Map<string, number>();

  constructor(stored?: StoredInterval) {
    if (stored) this.merge(stored);
  }

  /** Counts a request by status and route. One without a duration (milliseconds) isn't in the latencies. */
  recordRequest(request: RouterRequest): void {
    const { method, path, status, durationMs } = request;
    this.bytes += request.bytes;
    increase(this.statuses, `${Math.floor(status / 100)}xx`, 1);
    const route = this.route(`${method} ${routePattern(path)}`);
    route.count++;
    if (status >= 500) route.errors++;
    if (durationMs === undefined) return;
    this.latency.record(durationMs);
    route.latency.record(durationMs);
  }

  /** @param code of the platform: `H12`, `R14` */
  recordError(code: string): void {
    increase(this.errors, code, 1);
  }

  /** Takes a value of the l2met convention; values of too many names are only counted as dropped. @param atMs milliseconds since 1970 */
  recordValue({ kind, name, value, unit, source }: L2metValue, atMs: number): void {
    const key = `${name} ${source}`;
    if (!this.admits(key)) this.dropped++;
    else if (kind === 'sample') this.recordSample(key, { unit, last: value, max: value, atMs });
    else if (kind === 'count') increase(this.counts, key, value);
    else this.measure(key, unit).record(value);
  }

  /** Adds what another interval has counted; of samples the later one is the last. */
  merge(stored: StoredInterval): void {
    this.lines += stored.lines;
    this.bytes += stored.bytes;
    this.dropped += stored.dropped;
    for (const [status, count] of Object.entries(stored.statuses)) increase(this.statuses, status, count);
    for (const [code, count] of Object.entries(stored.errors)) increase(this.errors, code, count);
    this.latency.merge(stored.latency);
    for (const [name, { count, errors, latency }] of Object.entries(stored.routes)) {
      const route = this.route(name);
      route.count += count;
      route.errors += errors;
      route.latency.merge(latency);
    }
    for (const [key, sample] of Object.entries(stored.samples))
      if (this.admits(key)) this.recordSample(key, sample);
    for (const [key, { unit, values }] of Object.entries(stored.measures))
      if (this.admits(key)) this.measure(key, unit).merge(values);
    for (const [key, count] of Object.entries(stored.counts))
      if (this.admits(key)) increase(this.counts, key, count);
  }

  /** For the constructor, or {@link merge}. */
  toStored(): StoredInterval {
    const { lines, bytes, dropped } = this;
    return {
      lines,
      bytes,
      dropped,
      statuses: Object.fromEntries(this.statuses),
      errors: Object.fromEntries(this.errors),
      latency: this.latency.toStored(),
      routes: mapped(this.routes, (route) => ({ ...route, latency: route.latency.toStored() })),
      samples: Object.fromEntries(this.samples),
      measures: mapped(this.measures, ({ unit, values }) => ({ unit, values: values.toStored() })),
      counts: Object.fromEntries(this.counts),
    };
  }

  private recordSample(key: string, sample: StoredSample): void {
    const before = this.samples.get(key);
    const later = before && before.atMs > sample.atMs ? before : sample;
    this.samples.set(key, { ...later, max: Math.max(before?.max ?? sample.max, sample.max) });
  }

  private measure(key: string, unit: string): ValueHistogram {
    const found = this.measures.get(key) ?? { unit, values: new ValueHistogram() };
    this.measures.set(key, found);
    return found.values;
  }

  private route(name: string) {
    const key = this.routes.has(name) || this.routes.size < ROUTES_MAX ? name : OTHER_ROUTES;
    const found = this.routes.get(key) ?? { count: 0, errors: 0, latency: new ValueHistogram() };
    this.routes.set(key, found);
    return found;
  }

  private admits(key: string): boolean {
    const { samples, measures, counts } = this;
    if (samples.has(key) || measures.has(key) || counts.has(key)) return true;
    return samples.size + measures.size + counts.size < SERIES_MAX;
  }
}

function increase(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function mapped<From, To>(map: ReadonlyMap<string, From>, change: (from: From) => To): Record<string, To> {
  return Object.fromEntries([...map].map(([key, value]) => [key, change(value)]));
}
