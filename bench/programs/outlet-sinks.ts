/**
 * Receivers of one drain at a time: HTTP, HTTPS, TCP and TLS, in one process. They count what comes, keep the first bodies for whoever
 * sends the same again, and tell when the last line of a job has come.
 *
 *   outlet-sinks <key file> <certificate file>
 */
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

const OUTLET_PROTOCOLS = ['http', 'https', 'tcp', 'tls'] as const;
export type OutletProtocol = (typeof OUTLET_PROTOCOLS)[number];

/** The job: tell when so many lines have come (HTTP), or the mark. */
export interface OutletSinkJob {
  readonly lines: number;
  /** In the last line only. */
  readonly mark: string;
  /** Bodies that are given back, in base64. */
  readonly bodies: number;
}

export interface OutletSinkResult {
  readonly requests: number;
  readonly bytes: number;
  readonly bodies: readonly string[];
}

/** When nothing comes for this long, lines are lost. */
const STALL_TIMEOUT_MS = 20_000;
/** An answer for each kind of destination. */
const BULK_ANSWER = JSON.stringify({ took: 1, errors: false, items: [] });

let job: OutletSinkJob = { lines: Number.POSITIVE_INFINITY, mark: '', bodies: 0 };
let mark = Buffer.alloc(0);
let [lines, requests, bytes, lastMs] = [0, 0, 0, 0];
let bodies: string[] = [];
let isDone = true;

const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
  let hasMark = false;
  const kept: Buffer[] | undefined = bodies.length < job.bodies ? [] : undefined;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    lastMs = performance.now();
    kept?.push(chunk);
    if (job.lines === Number.MAX_SAFE_INTEGER && chunk.includes(mark)) hasMark = true;
  });
  request.on('end', () => {
    response.end(request.url?.endsWith('_bulk') ? BULK_ANSWER : '');
    requests++;
    lines += Number(request.headers['logplex-msg-count']);
    if (kept) bodies.push(Buffer.concat(kept).toString('base64'));
    if (hasMark || lines >= job.lines) finish();
  });
};
const onConnection = (socket: Socket): void => {
  let tail = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    lastMs = performance.now();
    if (isDone) return;
    // The mark may be in two chunks.
    const start = tail + chunk.toString('latin1', 0, mark.length);
    tail = chunk.toString('latin1', Math.max(0, chunk.length - mark.length));
    if (chunk.indexOf(mark) >= 0 || start.includes(job.mark)) finish();
  });
};

function finish(): void {
  if (isDone) return;
  isDone = true;
  process.send?.({ result: { requests, bytes, bodies } satisfies OutletSinkResult });
}

const [keyFile, certificateFile] = process.argv.slice(2);
const secure = { key: readFileSync(keyFile), cert: readFileSync(certificateFile) };
const servers: Record<OutletProtocol, Server> = {
  http: createHttpServer(onRequest),
  https: createHttpsServer(secure, onRequest),
  tcp: createServer(onConnection),
  tls: createTlsServer(secure, onConnection),
};
const ports = await Promise.all(
  OUTLET_PROTOCOLS.map(
    (protocol) =>
      new Promise<[string, number]>((resolve) => {
        const server = servers[protocol];
        server.listen(0, '127.0.0.1', () => resolve([protocol, (server.address() as AddressInfo).port]));
      }),
  ),
);
process.send?.({ ports: Object.fromEntries(ports) });
process.on('message', (next: OutletSinkJob) => {
  job = next;
  mark = Buffer.from(next.mark, 'latin1');
  [lines, requests, bytes, lastMs] = [0, 0, 0, performance.now()];
  bodies = [];
  isDone = false;
});
setInterval(() => {
  if (isDone || performance.now() - lastMs < STALL_TIMEOUT_MS) return;
  isDone = true;
  process.send?.({
    failure: `${lines} lines, ${bytes} bytes came, then nothing for ${STALL_TIMEOUT_MS / 1_000} s`,
  });
}, 1_000);
process.on('disconnect', () => process.exit());
