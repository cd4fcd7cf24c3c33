/** Lines in over syslog TCP: octet counted or framed by newlines or NULs (RFC 6587). */
import { createServer, type Server, type Socket } from 'node:net';
import { plainAddress } from '../../router/rules.ts';
import { sourceCounters } from '../counters.ts';
import { listening, portOf } from '../listening.ts';
import { Refusals } from '../refusals.ts';
import type { Source, SourceOptions } from '../source.ts';
import { readProxyHeader } from './proxy-protocol.ts';
import { guardConnection, serveConnection } from './syslog-connection.ts';

/** A load balancer sends its header at once. */
const PROXY_HEADER_MS = 5_000;

/**
 * Listens for syslog over TCP.
 * @throws TailraceError `address_in_use` when the port is taken.
 */
export async function listenTcp(options: SourceOptions): Promise<Source> {
  const counters = options.counters ?? sourceCounters('tcp');
  const refusals = new Refusals(counters, options.warn);
  const sockets = new Set<Socket>();
  let port = options.port;
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    const guarded = guardConnection(socket, options, counters);
    if (!guarded) return;
    const serve = (address: string): void =>
      serveConnection(socket, { address, port }, options, counters, refusals, guarded);
    if (!options.proxyProtocol) serve(addressOf(socket));
    else {
      options.guard.opening(guarded);
      takeProxyHeader(
        socket,
        (address) => {
          serve(address);
          socket.resume();
        },
        () => {
          counters.malformed++;
          refusals.check();
        },
      );
    }
  });
  await listening(server, options, 'syslog (TCP)', 'TAILRACE_SYSLOG_PORT');
  port = portOf(server);
  return {
    port,
    counters,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** The other end's address, as people write it. */
export function addressOf(socket: Socket): string {
  return plainAddress(socket.remoteAddress ?? 'unknown');
}

/**
 * Reads the PROXY protocol's header off a connection, and goes on with the client's address; a connection that doesn't
 * begin with one is closed. The connection is paused then, with what came behind the header still to be read.
 */
export function takeProxyHeader(socket: Socket, goOn: (address: string) => void, refused: () => void): void {
  let head = Buffer.alloc(0);
  const refuse = (): void => {
    clearTimeout(timer);
    refused();
    socket.destroy();
  };
  const timer = setTimeout(refuse, PROXY_HEADER_MS);
  const drop = (): void => void socket.destroy();
  const forget = (): void => clearTimeout(timer);
  const look = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const header = readProxyHeader(head);
    if (header === 'partial') return;
    socket.off('data', look);
    if (header === 'broken') {
      refuse();
      return;
    }
    clearTimeout(timer);
    socket.pause();
    socket.off('error', drop);
    socket.off('close', forget);
    if (head.length > header.length) socket.unshift(head.subarray(header.length));
    goOn(header.address ?? addressOf(socket));
  };
  socket.on('error', drop);
  socket.on('close', forget);
  socket.on('data', look);
}
