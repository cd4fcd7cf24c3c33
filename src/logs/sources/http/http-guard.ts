/** Keeps HTTP connections from being too many, and counts those that were cut. Node's own time limits cut the slow ones. */
import type { Server } from 'node:http';
import type { SourceCounters } from '../counters.ts';

export interface HttpGuardOptions {
  /** Open connections, tails included. */
  readonly connectionsMax: number;
  readonly counters: SourceCounters;
  readonly warn: (fields: object, message: string) => void;
}

const WARN_MS = 60_000;

/** To be called before the server listens. */
export function guardHttp(server: Server, { connectionsMax, counters, warn }: HttpGuardOptions): void {
  let warnedMs = Number.NEGATIVE_INFINITY;
  const cut = (address: string | undefined, why: string): void => {
    counters.cut++;
    if (performance.now() - warnedMs < WARN_MS) return;
    warnedMs = performance.now();
    warn({ protocol: counters.protocol, address }, `a connection was closed: ${why}`);
  };
  server.maxConnections = connectionsMax;
  server.on('drop', (data) =>
    cut(data?.remoteAddress, `there are ${connectionsMax} already (TAILRACE_CONNECTIONS)`),
  );
  server.on('connection', () => {
    counters.connections++;
  });
  server.on('clientError', (error: Error & { code?: string }) => {
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
      cut(undefined, 'a request wasn’t there in time (TAILRACE_FRAME_TIMEOUT)');
    else if (error.code?.startsWith('HPE_')) counters.malformed++;
  });
}
