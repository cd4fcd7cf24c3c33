/**
 * Lines of many apps, one after the other: over syslog TCP or as `POST /logs`, as fast as they are taken or at a rate. At a rate each
 * line holds the time at which it was written, and tails of some of the apps say how old lines are when they come out.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { DIGITS, syslogLine, writeNumber } from '../rig/lines.ts';
import { quantile } from '../rig/report.ts';
import { startReceiver } from './egress-receivers.ts';

/** The job; its lines are of the apps of these tokens, in turn. */
export interface ManyAppsJob {
  readonly url: string;
  readonly syslogPort: number;
  readonly tokens: readonly string[];
  readonly connections: number;
  /** `post`: 1, 2, 3, 4, 5, 1 … lines a request, each the next app's. */
  readonly protocol: 'syslog' | 'post';
  readonly lines: number;
  /** Left out: as fast as they are taken. Over syslog only. */
  readonly linesPerS?: number;
  /** Apps that have a tail (`name`s, of the first tokens in their order), and the API key that they are opened with. */
  readonly tails?: readonly string[];
  readonly key?: string;
}

export interface ManyAppsResult {
  readonly lines: number;
  readonly seconds: number;
  /** Of the lines at the tails; NaN without. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Written to a connection at a time: what a sender's own buffer holds. */
const WRITE_BYTES = 16_384;
/** What is due is written so often. */
const SLICE_MS = 2;
const LINES_A_REQUEST_MAX = 5;
/** Lines of the first second don't count. */
const WARM_UP_MS = 1_000;
/** What hasn't come when nothing has come for so long is lost: on a busy machine lines may be late, but they go on coming. */
const ARRIVAL_MS = 30_000;
const HEAD_OF_SUCCESS = 'HTTP/1.1 2';

process.on('message', (job: ManyAppsJob) => {
  const run = job.linesPerS !== undefined ? sendAtRate : job.protocol === 'post' ? postAll : sendAll;
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });

const framesOf = ({ tokens }: ManyAppsJob): Buffer[] =>
  tokens.map((token) => {
    const line = syslogLine(token);
    return Buffer.concat([Buffer.from(`${line.length} `), line]);
  });

/** Each connection begins with another app. */
async function sendAll(job: ManyAppsJob): Promise<ManyAppsResult> {
  const { syslogPort, connections, lines } = job;
  const frames = framesOf(job);
  const frameBytes = frames[0].length;
  // Twice, so that a write may begin with any app; and long enough for one where there are few.
  const repeats = 2 * Math.max(1, Math.ceil(WRITE_BYTES / (frames.length * frameBytes)));
  const ring = Buffer.concat(Array.from({ length: repeats }, () => frames).flat());
  const framesAWrite = Math.floor(WRITE_BYTES / frameBytes);
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(syslogPort)));
  const startedMs = performance.now();
  let left = lines;
  await Promise.all(
    sockets.map(async (socket, number) => {
      let next = Math.floor((number * frames.length) / connections);
      while (left > 0) {
        const count = Math.min(framesAWrite, left);
        left -= count;
        const at = next * frameBytes;
        await write(socket, ring.subarray(at, at + count * frameBytes));
        next = (next + count) % frames.length;
      }
    }),
  );
  const seconds = (performance.now() - startedMs) / 1_000;
  for (const socket of sockets) socket.end();
  return { lines, seconds, p50Ms: Number.NaN, p99Ms: Number.NaN };
}

/** Each connection posts as soon as the request before is answered. */
async function postAll(job: ManyAppsJob): Promise<ManyAppsResult> {
  const { url, tokens, connections, lines } = job;
  const frames = framesOf(job);
  const request = (app: number, count: number): Buffer => {
    const body = Buffer.concat(Array.from({ length: count }, () => frames[app]));
    const head = [
      'POST /logs HTTP/1.1',
      'Host: localhost',
      `Authorization: Basic ${Buffer.from(`token:${tokens[app]}`).toString('base64')}`,
      'Content-Type: application/logplex-1',
      `Logplex-Msg-Count: ${count}`,
      `Content-Length: ${body.length}`,
    ];
    return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
  };
  const port = Number(new URL(url).port);
  const sockets: Socket[] = [];
  // Not all at once: the queue of connections that nobody has accepted yet is short.
  for (let number = 0; number < connections; number++) sockets.push(await open(port));
  const startedMs = performance.now();
  let posted = 0;
  let requests = 0;
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve, reject) => {
          const next = (): void => {
            if (posted >= lines) {
              resolve();
              return;
            }
            const count = 1 + (requests % LINES_A_REQUEST_MAX);
            posted += count;
            socket.write(request(requests++ % tokens.length, count));
          };
          socket.on('error', reject);
          socket.on('close', () => reject(new Error('a connection was closed')));
          socket.on('data', (answer: Buffer) => {
            const head = answer.toString('latin1', 0, 40);
            if (head.startsWith(HEAD_OF_SUCCESS)) next();
            else reject(new Error(`POST /logs: ${head}`));
          });
          next();
        }),
    ),
  );
  const seconds = (performance.now() - startedMs) / 1_000;
  for (const socket of sockets) socket.removeAllListeners('close').destroy();
  return { lines: posted, seconds, p50Ms: Number.NaN, p99Ms: Number.NaN };
}

async function sendAtRate(job: ManyAppsJob): Promise<ManyAppsResult> {
  const { url, key = '', syslogPort, connections, lines, linesPerS = 0, tails = [] } = job;
  const frames = framesOf(job);
  const frameBytes = frames[0].length;
  const numberAt = frames[0].indexOf('0'.repeat(DIGITS));
  const ages: number[] = [];
  const countFromMicros = nowMicros() + WARM_UP_MS * 1_000;
  let arrived = 0;
  const closers = await Promise.all(
    tails.map((app) =>
      startReceiver('tail', { url, key, app }, (writtenMicros) => {
        arrived++;
        if (writtenMicros >= countFromMicros) ages.push((nowMicros() - writtenMicros) / 1_000);
      }),
    ),
  );
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(syslogPort)));
  const startedMs = performance.now();
  let sent = 0;
  let toTails = 0;
  for (let turn = 0; sent < lines; turn++) {
    const due = Math.min(lines, Math.floor(((performance.now() - startedMs) / 1_000) * linesPerS));
    const micros = nowMicros();
    // What is due is spread over some of the connections.
    const share = Math.max(1, Math.ceil((due - sent) / 10));
    while (sent < due) {
      const count = Math.min(share, due - sent);
      const bytes = Buffer.allocUnsafe(count * frameBytes);
      for (let k = 0; k < count; k++, sent++) {
        const app = sent % frames.length;
        if (app < tails.length) toTails++;
        frames[app].copy(bytes, k * frameBytes);
        writeNumber(micros, bytes, k * frameBytes + numberAt);
      }
      sockets[turn++ % connections].write(bytes);
    }
    await sleep(SLICE_MS);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  let [before, deadlineMs] = [arrived, performance.now() + ARRIVAL_MS];
  while (arrived < toTails && performance.now() < deadlineMs) {
    await sleep(20);
    if (arrived > before) [before, deadlineMs] = [arrived, performance.now() + ARRIVAL_MS];
  }
  for (const close of closers) close();
  for (const socket of sockets) socket.end();
  if (arrived < toTails) throw new Error(`${arrived} of ${toTails} lines came to the tails`);
  const sorted = ages.sort((a, b) => a - b);
  return { lines, seconds, p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
}

/** Microseconds since this process started, in nine digits for a quarter of an hour. */
function nowMicros(): number {
  return Math.floor(performance.now() * 1_000);
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.on('error', reject);
    socket.resume();
  });
}

function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
