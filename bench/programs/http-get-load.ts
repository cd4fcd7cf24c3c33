/** autocannon in a process of its own: asks for the same page again and again, as fast as it is answered or at a rate. */
import autocannon from 'autocannon';
import { quantile } from '../rig/report.ts';

/** Sent by the parent. */
export interface GetOrder {
  readonly port: number;
  readonly host: string;
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second; unset: as many as are answered. */
  readonly rate?: number;
}

/** What was seen. */
export interface GetResult {
  readonly requests: number;
  readonly seconds: number;
  /** Requests that failed or were not answered with 200. */
  readonly failures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

process.on('message', (order: GetOrder) => {
  run(order).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });

function run({ port, host, connections, seconds, rate }: GetOrder): Promise<GetResult> {
  // autocannon's own histogram has whole milliseconds.
  const latencies: number[] = [];
  return new Promise((resolve, reject) => {
    const options = {
      url: `http://127.0.0.1:${port}/`,
      headers: { host },
      connections,
      duration: seconds,
      ...(rate === undefined ? {} : { overallRate: rate }),
    };
    const load = autocannon(options, (error, result) => {
      if (error) return reject(error);
      const sorted = Float64Array.from(latencies).sort();
      resolve({
        requests: result['2xx'],
        seconds: result.duration,
        failures: result.errors + result.non2xx,
        p50Ms: quantile(sorted, 0.5),
        p99Ms: quantile(sorted, 0.99),
      });
    });
    load.on('response', (_client, _status, _bytes, milliseconds) => latencies.push(milliseconds));
  });
}
