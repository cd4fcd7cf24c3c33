/**
 * The usual `POST /logs` is answered past Node's HTTP server: its connections are read here, one request after the other, with
 * the same outcome. With the first request that is in any way unusual a connection goes over to Node's server, whole and for good.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { UsualConnection, type UsualConnectionOptions } from './usual-connection.ts';

/** How often connections are looked at that wait, ms. */
const CHECK_MS = 5_000;
/** At the end of the server a request that is still not answered then has its connection closed: it is sent again elsewhere. */
const GRACE_MS = 10_000;

type Owner = (socket: Socket) => void;

/** The connections of a server on which only usual requests have come so far. */
export class UsualConnections {
  private readonly server: Server;
  private readonly open = new Set<UsualConnection>();
  private readonly timer: NodeJS.Timeout;
  private emptied: (() => void) | undefined;

  /** To be made before the server listens: puts itself in front of the server's own reading of connections. */
  constructor(server: Server, options: UsualConnectionOptions) {
    this.server = server;
    const [node] = server.listeners('connection') as Owner[];
    server.off('connection', node);
    server.prependListener('connection', (socket: Socket) => {
      if (this.emptied) {
        socket.destroy();
        return;
      }
      const connection = new UsualConnection(socket, options, {
        keepAliveMs: server.keepAliveTimeout,
        left: () => this.left(connection),
        handOver: () => node.call(server, socket),
      });
      this.open.add(connection);
    });
    this.timer = setInterval(() => this.check(), Math.min(CHECK_MS, server.requestTimeout || CHECK_MS));
    this.timer.unref();
  }

  /** Closes the connections that wait for a request, the others when theirs is answered; resolves when all are closed. */
  close(): Promise<void> {
    clearInterval(this.timer);
    return new Promise((resolve) => {
      this.emptied = resolve;
      for (const connection of this.open) connection.close();
      if (this.open.size === 0) resolve();
      setTimeout(() => {
        for (const { socket } of this.open) socket.destroy();
      }, GRACE_MS).unref();
    });
  }

  private left(connection: UsualConnection): void {
    this.open.delete(connection);
    if (this.open.size === 0) this.emptied?.();
  }

  /** As Node does with its own: who takes too long over a request is told so, and who says nothing more is hung up on. */
  private check(): void {
    const { headersTimeout, requestTimeout, keepAliveTimeout } = this.server;
    const now = performance.now();
    for (const { socket, waitsFor, sinceMs } of this.open) {
      const waitedMs = now - sinceMs;
      const isOver = (limitMs: number): boolean => limitMs > 0 && waitedMs > limitMs;
      if (waitsFor === 'next request' && isOver(keepAliveTimeout)) socket.destroy();
      else if (
        waitsFor === 'body' ? isOver(requestTimeout) : waitsFor === 'first request' && isOver(headersTimeout)
      )
        this.server.emit('clientError', new RequestTimeout(), socket);
    }
  }
}

/** The error that Node gives. */
class RequestTimeout extends Error {
  readonly code = 'ERR_HTTP_REQUEST_TIMEOUT';

  constructor() {
    super('Request timeout');
  }
}
