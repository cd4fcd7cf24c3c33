/** Limits the number of HTTP connections, and counts those that were closed. Node's own timeouts close the slow ones. */
import type { Server } from 'node:http';
import { Throttle } from '../../../common/throttle.ts';
import type { ListenerCounters } from '../listener-counters.ts';

export interface HttpConnectionLimits {
  /** Open connections, tails included. */
  readonly connectionsMax: number;
  readonly counters: ListenerCounters;
  readonly warn: (fields: object, message: string) => void;
}

const WARN_INTERVAL_MS = 60_000;

/** To be called before the server listens. */
export function limitHttpConnections(
  server: Server,
  { connectionsMax, counters, warn }: HttpConnectionLimits,
): void {
  const warnings = new Throttle(WARN_INTERVAL_MS);
  const countAndWarn = (address: string | undefined, reason: string): void => {
    counters.cut++;
    if (warnings.allow())
      warn({ protocol: counters.protocol, address }, `a connection was closed: ${reason}`);
  };
  server.maxConnections = connectionsMax;
  server.on('drop', (data) =>
    countAndWarn(data?.remoteAddress, `there are ${connectionsMax} already (TAILRACE_CONNECTIONS)`),
  );
  server.on('connection', () => {
    counters.connections++;
  });
  server.on('clientError', (error: Error & { code?: string }) => {
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
      countAndWarn(undefined, 'a request wasn’t there in time (TAILRACE_FRAME_TIMEOUT)');
    else if (error.code?.startsWith('HPE_')) counters.malformed++;
  });
}
