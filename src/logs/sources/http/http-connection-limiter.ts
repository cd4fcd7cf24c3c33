/** Limits the number of HTTP connections, and counts those that were closed. Node's own timeouts close the slow ones. */

import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Log } from '../../../common/log.ts';
import { Throttle } from '../../../common/throttle.ts';
import type { ListenerCounters } from '../listener-counters.ts';

export interface HttpConnectionLimits {
  /** Open connections, tails included. */
  readonly connectionsMax: number;
  readonly counters: ListenerCounters;
  readonly log: Log;
}

const WARN_INTERVAL_MS = 60_000;

/**
 * To be called before the server listens.
 * @returns gives the server a connection that another listener has accepted, if there is room for it
 */
export function limitHttpConnections(
  server: Server,
  { connectionsMax, counters, log }: HttpConnectionLimits,
): (socket: Socket) => void {
  const warnings = new Throttle(WARN_INTERVAL_MS);
  const countAndWarn = (address: string | undefined, reason: string): void => {
    counters.cut++;
    if (warnings.allow())
      log.warn({ protocol: counters.protocol, address }, `a connection was closed: ${reason}`);
  };
  server.maxConnections = connectionsMax;
  const tooMany = (address: string | undefined): void =>
    countAndWarn(address, `there are ${connectionsMax} already (TAILRACE_CONNECTIONS)`);
  const others = new Set<Socket>();
  let accepted = 0;
  server.on('drop', (data) => tooMany(data?.remoteAddress));
  server.on('connection', (socket: Socket) => {
    counters.connections++;
    if (others.has(socket)) return;
    accepted++;
    socket.once('close', () => {
      accepted--;
    });
  });
  server.on('clientError', (error: Error & { code?: string }) => {
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
      countAndWarn(undefined, "a request wasn't there in time (TAILRACE_FRAME_TIMEOUT)");
    else if (error.code?.startsWith('HPE_')) counters.malformed++;
  });
  return (socket) => {
    if (accepted + others.size >= connectionsMax) {
      tooMany(socket.remoteAddress);
      socket.destroy();
      return;
    }
    others.add(socket);
    server.maxConnections = Math.max(1, connectionsMax - others.size);
    socket.once('close', () => {
      others.delete(socket);
      server.maxConnections = connectionsMax - others.size;
    });
    server.emit('connection', socket);
  };
}
