/** What the service answers to `api/report`. */

/** A value for each time; null where there is none. */
export type Curve = readonly (number | null)[];

export interface QuantileCurves {
  readonly p50: Curve;
  readonly p95: Curve;
  readonly p99: Curve;
}

export interface RouteReport {
  readonly route: string;
  readonly count: number;
  readonly errors: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  /** Of the time that all requests took, 0 to 1. */
  readonly share: number;
}

export interface MetricsReport {
  readonly addon: string;
  readonly times: readonly number[];
  readonly stepMs: number;
  readonly totals: {
    readonly requests: number;
    readonly errors: number;
    readonly lines: number;
    readonly bytes: number;
  };
  readonly throughput: Readonly<Record<string, Curve>>;
  readonly latency: QuantileCurves;
  readonly errors: Readonly<Record<string, Curve>>;
  readonly routes: readonly RouteReport[];
  readonly samples: Readonly<
    Record<string, { readonly unit: string; readonly sources: Readonly<Record<string, Curve>> }>
  >;
  readonly counts: Readonly<Record<string, Curve>>;
  readonly measures: Readonly<Record<string, QuantileCurves & { readonly unit: string }>>;
}

/** A line of a plot. */
export interface PlottedCurve {
  readonly label: string;
  readonly values: Curve;
  /** Class that gives its color. */
  readonly color: string;
}

export interface PlottedFigure {
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly PlottedCurve[];
}

const STATUS_COLORS: Readonly<Record<string, string>> = {
  '1xx': 'dyno-2',
  '2xx': 'dyno-0',
  '3xx': 'dyno-4',
  '4xx': 'dyno-1',
  '5xx': 'curve-error',
};
const QUANTILE_COLORS = ['dyno-0', 'dyno-1', 'dyno-3'];
const COLORS = 12;
/** Of the platform's figures about dynos, those that say most come first, the others not at all. */
const DYNO_SAMPLES: Readonly<Record<string, string>> = {
  memory_total: 'Memory',
  load_avg_1m: 'Load',
};
const LEFT_OUT = /^(?:memory_(?:rss|cache|swap|quota|pgpgin|pgpgout)|load_avg_(?:5|15)m)$/;

/** All plots of a report, the most needed first. */
export function figuresOf(report: MetricsReport): PlottedFigure[] {
  const { throughput, latency, errors, samples, measures, counts } = report;
  const dynoSamples = Object.keys(DYNO_SAMPLES).filter((name) => name in samples);
  const otherSamples = Object.keys(samples)
    .filter((name) => !(name in DYNO_SAMPLES) && !LEFT_OUT.test(name))
    .sort();
  return [
    {
      title: 'Throughput',
      unit: '/min',
      curves: Object.entries(throughput).map(([label, values]) => ({
        label,
        values,
        color: Object.hasOwn(STATUS_COLORS, label) ? STATUS_COLORS[label] : 'dyno-5',
      })),
    },
    { title: 'Latency', unit: 'ms', curves: quantileCurves(latency) },
    ...(Object.keys(errors).length > 0
      ? [{ title: 'Errors of the platform', unit: '', curves: numbered(errors) }]
      : []),
    ...[...dynoSamples, ...otherSamples].map((name) => ({
      title: Object.hasOwn(DYNO_SAMPLES, name) ? DYNO_SAMPLES[name] : name,
      unit: samples[name].unit,
      curves: numbered(samples[name].sources),
    })),
    ...Object.entries(measures).map(([key, measure]) => ({
      title: key,
      unit: measure.unit,
      curves: quantileCurves(measure),
    })),
    ...Object.entries(counts).map(([key, values]) => ({
      title: key,
      unit: '/min',
      curves: [{ label: 'count', values, color: 'dyno-0' }],
    })),
  ];
}

function quantileCurves(curves: QuantileCurves): PlottedCurve[] {
  return (['p50', 'p95', 'p99'] as const).map((label, i) => ({
    label,
    values: curves[label],
    color: QUANTILE_COLORS[i],
  }));
}

function numbered(curves: Readonly<Record<string, Curve>>): PlottedCurve[] {
  return Object.entries(curves).map(([label, values], i) => ({ label, values, color: `dyno-${i % COLORS}` }));
}

/** `1.2k`, `35`, `0.04`: for an axis. */
export function formatValue(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  const magnitude = Math.abs(value);
  if (magnitude >= 1e9) return `${trim(value / 1e9)}G`;
  if (magnitude >= 1e6) return `${trim(value / 1e6)}M`;
  if (magnitude >= 1e3) return `${trim(value / 1e3)}k`;
  return trim(value);
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}
