/** The figures of an app as Prometheus reads them: counted since this program has started. */
import { Counter, Histogram, Registry } from 'prom-client';
import type { L2metValue } from '../../../logs/metrics/l2met.ts';
import { LogMetrics } from '../../../logs/metrics/log-metrics.ts';
import type { RouterRequest } from './read-line.ts';

/** Seconds. */
const LATENCY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class PrometheusExporter {
  private readonly registry = new Registry();
  private readonly app: string;
  private readonly values: LogMetrics;
  private readonly requests;
  private readonly duration;
  private readonly errors;
  private readonly lines;

  /** @param app its name, a label of every value in lines */
  constructor(app: string) {
    const registers = [this.registry];
    this.app = app;
    this.values = new LogMetrics(this.registry, async () => app);
    this.requests = new Counter({
      name: 'app_http_requests_total',
      help: 'Requests that the HTTP router has answered',
      labelNames: ['method', 'status'],
      registers,
    });
    this.duration = new Histogram({
      name: 'app_http_request_duration_seconds',
      help: 'Time from the request until the response of the dyno',
      buckets: LATENCY_BUCKETS,
      registers,
    });
    this.errors = new Counter({
      name: 'app_platform_errors_total',
      help: 'Errors of the platform by their code: H12, R14',
      labelNames: ['code'],
      registers,
    });
    this.lines = new Counter({ name: 'app_log_lines_total', help: 'Lines of the app', registers });
  }

  recordLines(count: number): void {
    this.lines.inc(count);
  }

  /** Methods that HTTP doesn't have are one (`other`): whoever asks would make series of them. */
  recordRequest({ method, status, durationMs }: RouterRequest): void {
    // Whoever asks may invent methods.
    const known = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/.test(method) ? method : 'other';
    this.requests.inc({ method: known, status });
    if (durationMs !== undefined) this.duration.observe(durationMs / 1_000);
  }

  /** @param code of the platform: `H12`, `R14` */
  recordError(code: string): void {
    this.errors.inc({ code });
  }

  recordValues(values: readonly L2metValue[]): void {
    this.values.record(this.app, values);
  }

  /** Of the text that is scraped. */
  get contentType(): string {
    return this.registry.contentType;
  }

  /** In the text format of Prometheus. */
  text(): Promise<string> {
    return this.registry.metrics();
  }
}
