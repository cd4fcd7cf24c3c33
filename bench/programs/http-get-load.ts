/**
 * A load of GETs from its own process: by autocannon as fast as the server responds, or at a steady rate. Not both by
 * autocannon: its rate is a number of requests that it makes in each second, all of them as fast as it can at the
 * second's beginning, so that it measures the latency under full load, then waits.
 */
import autocannon from 'autocannon';
import { sendPacedGets } from '../rig/paced-gets.ts';
import { quantile } from '../rig/report.ts';

/** Sent by the parent. */
export interface HttpGetJob {
  readonly port: number;
  readonly host: string;
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second; unset: as many as the server responds to. */
  readonly rate?: number;
}

/** The result. */
export interface HttpGetResult {
  readonly requests: number;
  readonly seconds: number;
  /** Requests that failed or whose status was not 200. */
  readonly failures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

process.on('message', (job: HttpGetJob) => {
  const { rate } = job;
  const done = rate === undefined ? atFullSpeed(job) : atRate({ ...job, rate });
  done.then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });

async function atRate(job: HttpGetJob & { readonly rate: number }): Promise<HttpGetResult> {
  const { latenciesMs, seconds, failures } = await sendPacedGets(job);
  return { requests: latenciesMs.length, seconds, failures, ...quantiles(latenciesMs) };
}

function atFullSpeed({ port, host, connections, seconds }: HttpGetJob): Promise<HttpGetResult> {
  // autocannon's own histogram has whole milliseconds.
  const latencies: number[] = [];
  return new Promise((resolve, reject) => {
    const options = { url: `http://127.0.0.1:${port}/`, headers: { host }, connections, duration: seconds };
    const load = autocannon(options, (error, result) => {
      if (error) return reject(error);
      resolve({
        requests: result['2xx'],
        seconds: result.duration,
        failures: result.errors + result.non2xx,
        ...quantiles(latencies),
      });
    });
    load.on('response', (_client, _status, _bytes, milliseconds) => latencies.push(milliseconds));
  });
}

function quantiles(latenciesMs: readonly number[]): { p50Ms: number; p99Ms: number } {
  const sorted = Float64Array.from(latenciesMs).sort();
  return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
}
