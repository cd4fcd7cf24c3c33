/**
 * The usual `POST /logs` is answered past Node's HTTP server: its connections are read here, one request after the other, with
 * the same outcome. With the first request that is in any way unusual a connection goes over to Node's server, whole and for good.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { FastPathConnection, type FastPathOptions } from './fast-path-connection.ts';

/** How often connections are looked at that wait, ms. */
const CHECK_MS = 5_000;
/** At the end of the server a request that is still not answered then has its connection closed: it is sent again elsewhere. */
const GRACE_MS = 10_000;

type ConnectionListener = (socket: Socket) => void;

/** The connections of a server on which only usual requests have come so far. */
export class FastPathServer {
  private readonly server: Server;
  private readonly connections = new Set<FastPathConnection>();
  private readonly timer: NodeJS.Timeout;
  private onAllClosed: (() => void) | undefined;

  /** To be made before the server listens: puts itself in front of the server's own reading of connections. */
  constructor(server: Server, options: FastPathOptions) {
    this.server = server;
    const [nodeListener] = server.listeners('connection') as ConnectionListener[];
    server.off('connection', nodeListener);
    server.prependListener('connection', (socket: Socket) => {
      if (this.onAllClosed) {
        socket.destroy();
        return;
      }
      const connection = new FastPathConnection(socket, options, {
        keepAliveMs: server.keepAliveTimeout,
        onDetached: () => this.onDetached(connection),
        handOverToNode: () => nodeListener.call(server, socket),
      });
      this.connections.add(connection);
    });
    this.timer = setInterval(
      () => this.checkTimeouts(),
      Math.min(CHECK_MS, server.requestTimeout || CHECK_MS),
    );
    this.timer.unref();
  }

  /** Closes the connections that wait for a request, the others when theirs is answered; resolves when all are closed. */
  close(): Promise<void> {
    clearInterval(this.timer);
    return new Promise((resolve) => {
      this.onAllClosed = resolve;
      for (const connection of this.connections) connection.close();
      if (this.connections.size === 0) resolve();
      setTimeout(() => {
        for (const { socket } of this.connections) socket.destroy();
      }, GRACE_MS).unref();
    });
  }

  private onDetached(connection: FastPathConnection): void {
    this.connections.delete(connection);
    if (this.connections.size === 0) this.onAllClosed?.();
  }

  /** As Node does with its own: who takes too long over a request is told so, and who says nothing more is hung up on. */
  private checkTimeouts(): void {
    const { headersTimeout, requestTimeout, keepAliveTimeout } = this.server;
    const now = performance.now();
    for (const { socket, waitsFor, waitingSinceMs } of this.connections) {
      const waitedMs = now - waitingSinceMs;
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
