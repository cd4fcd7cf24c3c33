/** What the page shows of a range of time. */
import { Interval, type StoredInterval } from './interval.ts';
import type { ValueHistogram } from './value-histogram.ts';

const QUANTILES = [0.5, 0.95, 0.99] as const;
/** Points of a curve: about one for each few pixels. */
const POINTS_MAX = 240;
const MINUTE_MS = 60_000;
const STEPS_MS = [1, 2, 5, 10, 30, 60, 180, 360, 720].map((minutes) => minutes * MINUTE_MS);
const ROUTES_SHOWN = 100;

/** A value for each step; null where there is none. */
type Curve = readonly (number | null)[];

interface QuantileCurves {
  readonly p50: Curve;
  readonly p95: Curve;
  readonly p99: Curve;
}

interface RouteReport {
  /** `GET /users/:id` */
  readonly route: string;
  readonly count: number;
  readonly errors: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  /** Its part of the time that all requests took together, 0 to 1. */
  readonly share: number;
}

interface MetricsReport {
  /** Milliseconds since 1970: beginnings of the steps. */
  readonly times: readonly number[];
  readonly stepMs: number;
  readonly totals: {
    readonly requests: number;
    readonly errors: number;
    readonly lines: number;
    readonly bytes: number;
  };
  /** Requests a minute, by class of status. */
  readonly throughput: Readonly<Record<string, Curve>>;
  /** Milliseconds. */
  readonly latency: QuantileCurves;
  /** By code, in each step. */
  readonly errors: Readonly<Record<string, Curve>>;
  readonly routes: readonly RouteReport[];
  /** By name, then by source. */
  readonly samples: Readonly<
    Record<string, { readonly unit: string; readonly sources: Readonly<Record<string, Curve>> }>
  >;
  /** A minute, by name and source. */
  readonly counts: Readonly<Record<string, Curve>>;
  readonly measures: Readonly<Record<string, QuantileCurves & { readonly unit: string }>>;
}

/** The shortest step that gives no more points than a curve has room for. */
export function chooseStep(fromMs: number, toMs: number): number {
  return STEPS_MS.find((step) => (toMs - fromMs) / step <= POINTS_MAX) ?? STEPS_MS[STEPS_MS.length - 1];
}

/** @param intervals between `fromMs` and `toMs`, each with its beginning */
export function metricsReport(
  intervals: readonly { readonly startMs: number; readonly interval: StoredInterval }[],
  fromMs: number,
  toMs: number,
): MetricsReport {
  const stepMs = chooseStep(fromMs, toMs);
  const first = Math.floor(fromMs / stepMs) * stepMs;
  const steps = Array.from({ length: Math.max(1, Math.ceil((toMs - first) / stepMs)) }, () => new Interval());
  const total = new Interval();
  for (const { startMs, interval } of intervals) {
    steps[Math.floor((startMs - first) / stepMs)]?.merge(interval);
    total.merge(interval);
  }
  const curve = (value: (step: Interval) => number | null | undefined): Curve =>
    steps.map((step) => value(step) ?? null);
  const perMinute = (value: number | undefined): number => ((value ?? 0) * MINUTE_MS) / stepMs;
  const curves = <Key extends string>(
    keys: Iterable<Key>,
    value: (step: Interval, key: Key) => number | null | undefined,
  ) => Object.fromEntries([...keys].sort().map((key) => [key, curve((step) => value(step, key))]));
  const requests = sum(total.statuses.values());
  return {
    times: steps.map((_, i) => first + i * stepMs),
    stepMs,
    totals: { requests, errors: total.statuses.get('5xx') ?? 0, lines: total.lines, bytes: total.bytes },
    throughput: curves(total.statuses.keys(), (step, status) => perMinute(step.statuses.get(status))),
    latency: quantileCurves(steps.map(({ latency }) => latency)),
    errors: curves(total.errors.keys(), (step, code) => step.errors.get(code) ?? 0),
    routes: routeReports(total),
    samples: sampleReports(total, curves),
    counts: curves(total.counts.keys(), (step, key) => perMinute(step.counts.get(key))),
    measures: Object.fromEntries(
      [...total.measures].map(([key, { unit }]) => [
        key,
        { unit, ...quantileCurves(steps.map((step) => step.measures.get(key)?.values)) },
      ]),
    ),
  };
}

function quantileCurves(histograms: readonly (ValueHistogram | undefined)[]): QuantileCurves {
  const points = histograms.map((histogram) => histogram?.quantiles(QUANTILES) ?? [null, null, null]);
  return { p50: points.map(([p]) => p), p95: points.map(([, p]) => p), p99: points.map(([, , p]) => p) };
}

function routeReports(total: Interval): RouteReport[] {
  const rows = [...total.routes].map(([route, { count, errors, latency }]) => {
    const [p50, p95, p99] = latency.quantiles(QUANTILES);
    return { route, count, errors, p50, p95, p99, timeMs: latency.total };
  });
  const allMs = sum(rows.map(({ timeMs }) => timeMs)) || 1;
  return rows
    .sort((a, b) => b.timeMs - a.timeMs || b.count - a.count)
    .slice(0, ROUTES_SHOWN)
    .map(({ timeMs, ...row }) => ({ ...row, share: timeMs / allMs }));
}

function sampleReports(
  total: Interval,
  curves: (
    keys: Iterable<string>,
    value: (step: Interval, key: string) => number | undefined,
  ) => Record<string, Curve>,
): MetricsReport['samples'] {
  const all = curves(total.samples.keys(), (step, key) => step.samples.get(key)?.last);
  const reports: Record<string, { unit: string; sources: Record<string, Curve> }> = {};
  for (const [key, { unit }] of total.samples) {
    const space = key.indexOf(' ');
    const report = reports[key.slice(0, space)] ?? { unit, sources: {} };
    reports[key.slice(0, space)] = report;
    report.sources[key.slice(space + 1)] = all[key];
  }
  return reports;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
