/**
 * A source and a tail (or a drain's receiver) in one process, so that both read the same clock: sends lines at a steady rate, each
 * with the time at which it was written, and measures how old they are when they come out.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { DIGITS, syslogLine, writeNumber } from '../rig/lines.ts';
import { quantile } from '../rig/report.ts';
import { type Egress, startReceiver } from './egress-receivers.ts';

/** Sent by the parent. */
export interface TailLatencyJob {
  readonly out: Egress;
  readonly protocol: 'syslog' | 'http';
  readonly url: string;
  readonly key: string;
  readonly app: string;
  readonly token: string;
  readonly syslogPort: number;
  readonly linesPerS: number;
  readonly seconds: number;
}

/** The result; lines of the first second don't count. */
export interface TailLatencyResult {
  readonly sent: number;
  readonly received: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Lines of so long are written at once. */
const SLICE_MS = 2;
const WARM_UP_MS = 1_000;
/** What hasn't come this long after the last line is lost. */
const ARRIVAL_TIMEOUT_MS = 5_000;
/** Many, so that a request never waits for another one here: it would count as the age of its lines. */
const HTTP_CONNECTIONS = 50;

process.on('message', (job: TailLatencyJob) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });

/** The time in a line: microseconds since this process started, in nine digits for a quarter of an hour. */
function nowMicros(): number {
  return Math.floor(performance.now() * 1_000);
}

async function run(job: TailLatencyJob): Promise<TailLatencyResult> {
  const { linesPerS, seconds } = job;
  const ages = new Float64Array(Math.ceil(linesPerS * seconds) + 1);
  let received = 0;
  let counted = 0;
  const countFromMicros = nowMicros() + WARM_UP_MS * 1_000;
  const close = await startReceiver(job.out, job, (writtenMicros) => {
    received++;
    if (writtenMicros >= countFromMicros) ages[counted++] = (nowMicros() - writtenMicros) / 1_000;
  });
  const source = job.protocol === 'syslog' ? await syslogSource(job) : httpSource(job);
  const sent = await sendAtRate(job, source.write);
  const deadlineMs = performance.now() + ARRIVAL_TIMEOUT_MS;
  while (received < sent && performance.now() < deadlineMs) await sleep(20);
  await source.close();
  close();
  const sorted = ages.subarray(0, counted).sort();
  return {
    sent,
    received,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    p999Ms: quantile(sorted, 0.999),
    maxMs: sorted.at(-1) ?? Number.NaN,
  };
}

/** Writes what is due, slice after slice; returns how many lines that were. */
async function sendAtRate(
  { linesPerS, seconds, token }: TailLatencyJob,
  write: (frames: Buffer, lines: number) => void,
): Promise<number> {
  const line = syslogLine(token);
  const frame = Buffer.concat([Buffer.from(`${line.length} `), line]);
  const at = frame.indexOf('0'.repeat(DIGITS));
  const startedMs = performance.now();
  const wanted = Math.round(linesPerS * seconds);
  let sent = 0;
  while (sent < wanted) {
    const due = Math.min(wanted, Math.floor(((performance.now() - startedMs) / 1_000) * linesPerS));
    const count = due - sent;
    if (count > 0) {
      const frames = Buffer.alloc(count * frame.length, frame);
      const micros = nowMicros();
      for (let k = 0; k < count; k++) writeNumber(micros, frames, k * frame.length + at);
      write(frames, count);
      sent = due;
    }
    await sleep(SLICE_MS);
  }
  return sent;
}

interface Source {
  readonly write: (frames: Buffer, lines: number) => void;
  readonly close: () => Promise<void>;
}

function syslogSource({ syslogPort }: TailLatencyJob): Promise<Source> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: syslogPort, host: '127.0.0.1', noDelay: true }, () =>
      resolve({
        write: (frames) => socket.write(frames),
        close: async () => {
          socket.destroy();
        },
      }),
    );
    socket.on('error', reject);
    socket.resume();
  });
}

function httpSource({ url, token }: TailLatencyJob): Source {
  const pool = new Pool(url, { connections: HTTP_CONNECTIONS });
  const authorization = `Basic ${Buffer.from(`token:${token}`).toString('base64')}`;
  const post = async (body: Buffer, lines: number): Promise<void> => {
    const response = await pool.request({
      method: 'POST',
      path: '/logs',
      headers: {
        authorization,
        'content-type': 'application/logplex-1',
        'logplex-msg-count': String(lines),
      },
      body,
    });
    await response.body.dump();
    if (response.statusCode >= 300) throw new Error(`POST /logs: ${response.statusCode}`);
  };
  return {
    write: (frames, lines) => {
      // A request that fails shows as missing lines; there are no retries here.
      post(frames, lines).catch((error: unknown) => process.stderr.write(`${error}\n`));
    },
    close: () => pool.destroy(),
  };
}
