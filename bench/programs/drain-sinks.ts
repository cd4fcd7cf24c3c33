/** The receivers of many drains: syslog over TCP, and HTTP posts; reports when so many lines have come. */
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';

/** The job: report when so many lines have come, from now on. */
export interface SinkJob {
  readonly lines: number;
}

export interface SinkResult {
  readonly lines: number;
  /** When the last came, on the clock of `performance.timeOrigin`. */
  readonly atMs: number;
}

/** When nothing comes for this long, lines are lost. */
const STALL_TIMEOUT_MS = 20_000;

let received = 0;
let wanted = Number.POSITIVE_INFINITY;
let lastMs = 0;

const syslog = createServer((socket) => {
  let frameBytes = 0;
  let bytes = 0;
  let counted = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    // All lines of one drain have the length of the first.
    if (frameBytes === 0) {
      const space = chunk.indexOf(0x20);
      frameBytes = space + 1 + Number(chunk.toString('latin1', 0, space));
    }
    bytes += chunk.length;
    const whole = Math.floor(bytes / frameBytes);
    take(whole - counted);
    counted = whole;
  });
});
const http = createHttpServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.end();
    take(Number(request.headers['logplex-msg-count']));
  });
});

syslog.listen(0, '127.0.0.1', () =>
  http.listen(0, '127.0.0.1', () => {
    const port = (server: typeof syslog | typeof http): number => (server.address() as AddressInfo).port;
    process.send?.({ ports: { syslog: port(syslog), http: port(http) } });
  }),
);
process.on('message', ({ lines }: SinkJob) => {
  received = 0;
  wanted = lines;
  lastMs = performance.now();
  const watch = setInterval(() => {
    if (received >= wanted) clearInterval(watch);
    else if (performance.now() - lastMs > STALL_TIMEOUT_MS) {
      clearInterval(watch);
      process.send?.({
        failure: `${received} of ${wanted} lines came, then nothing for ${STALL_TIMEOUT_MS / 1_000} s`,
      });
    }
  }, 1_000);
});
process.on('disconnect', () => process.exit());

function take(lines: number): void {
  if (lines === 0) return;
  received += lines;
  lastMs = performance.now();
  if (received < wanted) return;
  process.send?.({ result: { lines: received, atMs: performance.timeOrigin + lastMs } satisfies SinkResult });
  wanted = Number.POSITIVE_INFINITY;
}
