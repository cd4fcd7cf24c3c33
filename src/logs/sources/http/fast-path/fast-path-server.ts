/**
 * The common `POST /logs` is served without Node's HTTP server: connections are read here, one request after the other, with the
 * same outcome. With the first request that isn't for this fast path a connection is given to Node's server, for good.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { PeriodicCheck } from '../../../../common/limits/deadline.ts';
import { FastPathConnection, type FastPathOptions } from './fast-path-connection.ts';
import { overdueAction } from './fast-path-timeouts.ts';

/** How often the timeouts of connections are checked, ms. */
const CHECK_MS = 5_000;
/**
 * When the server closes, a connection that waits for a request stays open for so long: one may be on its way, and is answered as the
 * last of its connection. A balancer that finds the connection closed instead can't know whether the lines were taken.
 */
const IDLE_MS = 500;
/** When the server closes, requests may take so long; then their connections are closed: they are sent again elsewhere. */
const GRACE_MS = 10_000;

type ConnectionListener = (socket: Socket) => void;

/** The connections of a server on which only fast-path requests have come so far. */
export class FastPathServer {
  private readonly server: Server;
  private readonly connections = new Set<FastPathConnection>();
  private readonly check: PeriodicCheck;
  private onAllClosed: (() => void) | undefined;

  /** To be made before the server listens: takes the connections before the server's own listener does. */
  constructor(server: Server, options: FastPathOptions) {
    this.server = server;
    // With TLS, requests begin behind the handshake.
    const event = server instanceof TlsServer ? 'secureConnection' : 'connection';
    const [nodeListener] = server.listeners(event) as ConnectionListener[];
    server.off(event, nodeListener);
    server.prependListener(event, (socket: Socket) => {
      const connection = new FastPathConnection(socket, options, {
        keepAliveMs: server.keepAliveTimeout,
        onDetached: () => this.onDetached(connection),
        handOverToNode: () => nodeListener.call(server, socket),
        onCutOff: () => server.emit('clientError', new ClientFault('HPE_INVALID_EOF_STATE'), socket),
      });
      this.connections.add(connection);
      if (this.onAllClosed) connection.expectLastRequest();
    });
    this.check = new PeriodicCheck(Math.min(CHECK_MS, server.requestTimeout || CHECK_MS), () =>
      this.checkTimeouts(),
    );
  }

  /** The server doesn't listen any more: closes each connection after its next response, or when none comes; resolves when all are closed. */
  close(): Promise<void> {
    this.check.stop();
    return new Promise((resolve) => {
      this.onAllClosed = resolve;
      for (const connection of this.connections) connection.expectLastRequest();
      if (this.connections.size === 0) resolve();
      setTimeout(() => {
        for (const connection of this.connections) connection.closeIfIdle();
      }, IDLE_MS).unref();
      setTimeout(() => {
        for (const { socket } of this.connections) socket.destroy();
      }, GRACE_MS).unref();
    });
  }

  private onDetached(connection: FastPathConnection): void {
    this.connections.delete(connection);
    if (this.connections.size === 0) this.onAllClosed?.();
  }

  /** As Node's server does with its own connections. */
  private checkTimeouts(): void {
    const now = performance.now();
    for (const { socket, waitsFor, waitingSinceMs } of this.connections) {
      const action = overdueAction(waitsFor, now - waitingSinceMs, this.server);
      if (action === 'close') socket.destroy();
      else if (action === 'timeout') {
        // What comes now isn't taken any more: it would be stored, and refused.
        socket.pause();
        this.server.emit('clientError', new ClientFault('ERR_HTTP_REQUEST_TIMEOUT'), socket);
      }
    }
  }
}

/** An error that Node gives. */
class ClientFault extends Error {
  readonly code: string;

  constructor(code: 'ERR_HTTP_REQUEST_TIMEOUT' | 'HPE_INVALID_EOF_STATE') {
    super(code);
    this.code = code;
  }
}
