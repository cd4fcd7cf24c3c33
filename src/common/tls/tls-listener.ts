/** A port with TLS in front of what speaks HTTP/1.1: it does the handshake, and gives the connection on. */
import { createServer as createTcpServer, type Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { Log } from '../log.ts';
import { Throttle } from '../throttle.ts';
import { beginHandshake, HANDSHAKE_TIMEOUT_MS } from './handshake-turns.ts';
import type { TlsIdentity } from './tls-identity.ts';

/** The first byte of a handshake (RFC 8446 section 5.1). */
const HANDSHAKE_RECORD = 0x16;
const WARN_INTERVAL_MS = 60_000;

const SPEAKS_TLS = JSON.stringify({
  id: 'bad_request',
  message: 'This port speaks HTTPS, not HTTP: use https://.',
});
const PLAIN_REQUEST_RESPONSE = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(SPEAKS_TLS)}\r\nConnection: close\r\n\r\n${SPEAKS_TLS}`;

export interface TlsListenerOptions {
  readonly identity: TlsIdentity;
  /** Connections whose handshake isn't finished; those above are closed at once. */
  readonly handshakesMax: number;
  /** Takes a connection; it closes those that are too many. */
  readonly onConnection: (socket: TLSSocket) => void;
  readonly log: Log;
}

export interface TlsListener {
  /**
   * Takes no more connections; those that are there are for who has taken them to close.
   * @param finishesHandshakes those that have begun may end theirs
   */
  close(finishesHandshakes?: boolean): void;
  readonly server: ReturnType<typeof createTcpServer>;
}

/** To be listened with. */
export function createTlsListener({
  identity,
  handshakesMax,
  onConnection,
  log,
}: TlsListenerOptions): TlsListener {
  /** By their remote endpoints, which the connection with TLS has as well. */
  const waiting = new Map<string, Socket>();
  const warnings = new Throttle(WARN_INTERVAL_MS);
  const secure = createServer({
    ...identity.serverOptions,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
  identity.follow(secure);
  secure.on('tlsClientError', (error: Error & { code?: string }, socket: TLSSocket) => {
    log.debug(
      { address: socket.remoteAddress, reason: error.code ?? error.message },
      'a TLS handshake failed',
    );
    socket.destroy();
  });
  const server = createTcpServer({ noDelay: true }, (socket) => {
    if (waiting.size >= handshakesMax) {
      socket.destroy();
      if (warnings.allow())
        log.warn({}, `a connection was closed: ${handshakesMax} are in their TLS handshake already`);
      return;
    }
    const endpoint = endpointOf(socket);
    waiting.set(endpoint, socket);
    socket.on('close', () => waiting.delete(endpoint));
    beginHandshake(socket, secure, (first) => {
      if (first[0] === HANDSHAKE_RECORD) return true;
      socket.end(PLAIN_REQUEST_RESPONSE, () => socket.destroy());
      return false;
    });
  });
  secure.on('secureConnection', (socket: TLSSocket) => {
    waiting.delete(endpointOf(socket));
    onConnection(socket);
  });
  return {
    server,
    close: (finishesHandshakes = false) => {
      server.close();
      if (finishesHandshakes) return;
      for (const socket of waiting.values()) socket.destroy();
    },
  };
}

function endpointOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
