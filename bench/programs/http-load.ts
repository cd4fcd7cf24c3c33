/** autocannon in its own process: posts the same body again and again, as fast as the server responds. */
import autocannon from 'autocannon';
import { DIGITS, syslogLine, writeNumber } from '../rig/lines.ts';

/** Sent by the parent. */
export interface HttpLoadJob {
  readonly url: string;
  readonly token: string;
  readonly linesARequest: number;
  readonly connections: number;
  readonly seconds: number;
}

/** The result. */
export interface HttpLoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** Requests that failed or whose status was not 2xx. */
  readonly failures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

process.on('message', (job: HttpLoadJob) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });

async function run({
  url,
  token,
  linesARequest,
  connections,
  seconds,
}: HttpLoadJob): Promise<HttpLoadResult> {
  const result = await autocannon({
    url: `${url}/logs`,
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`token:${token}`).toString('base64')}`,
      'content-type': 'application/logplex-1',
      'logplex-msg-count': String(linesARequest),
    },
    body: makeBody(token, linesARequest),
    connections,
    duration: seconds,
  });
  return {
    requests: result['2xx'],
    seconds: result.duration,
    failures: result.errors + result.non2xx,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
  };
}

function makeBody(token: string, lines: number): Buffer {
  const line = syslogLine(token);
  const at = line.indexOf('0'.repeat(DIGITS));
  const frames = Array.from({ length: lines }, (_, number) => {
    const numbered = Buffer.from(line);
    writeNumber(number, numbered, at);
    return Buffer.concat([Buffer.from(`${numbered.length} `), numbered]);
  });
  return Buffer.concat(frames);
}
