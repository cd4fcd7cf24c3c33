import type { Metric, Registry } from 'prom-client';

/** A histogram without labels, for what is observed a hundred thousand times a second: that of prom-client makes three objects for each. */
export class UnlabeledHistogram {
  readonly name: string;
  private readonly help: string;
  private readonly bounds: readonly number[];
  /** How many were up to each bound and above the one before; the last one, above all of them. */
  private readonly counts: Float64Array;
  private sum = 0;

  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let i = 0;
    while (i < bounds.length && value > bounds[i]) i++;
    this.counts[i]++;
    this.sum += value;
  }

  /** The registry reads it whenever it is asked for its metrics. */
  register(registry: Registry): this {
    // The registry's type takes prom-client's own classes alone; what it calls are the two methods below.
    registry.registerMetric(this as unknown as Metric<string>);
    return this;
  }

  /** As the registry wants it. */
  async get(): Promise<object> {
    const { name, help, bounds, counts, sum } = this;
    let count = 0;
    const values: object[] = [...bounds, '+Inf'].map((le, i) => {
      count += counts[i];
      return { metricName: `${name}_bucket`, labels: { le }, value: count };
    });
    values.push({ metricName: `${name}_sum`, labels: {}, value: sum });
    values.push({ metricName: `${name}_count`, labels: {}, value: count });
    return { name, help, type: 'histogram', aggregator: 'sum', values };
  }

  reset(): void {
    this.counts.fill(0);
    this.sum = 0;
  }
}
