/** Source: syslog over TCP, octet counted or framed by newlines or NULs (RFC 6587). */
import { createServer, type Server, type Socket } from 'node:net';
import { Deadline } from '../../../common/limits/deadline.ts';
import { normalizeAddress } from '../../router/source-rules.ts';
import { boundPort, listen } from '../listen.ts';
import { createListenerCounters } from '../listener-counters.ts';
import { RejectionWarnings } from '../rejection-warnings.ts';
import type { SyslogListener, SyslogListenerOptions } from '../syslog-listener.ts';
import { OpenConnections } from './open-connections.ts';
import { readProxyHeader } from './proxy-protocol.ts';
import { serveSyslogConnection, trackConnection } from './syslog-connection.ts';

/** How long a load balancer's header may take: it is sent at once. */
const PROXY_HEADER_MS = 5_000;

/**
 * Listens for syslog over TCP.
 * @throws TailraceError `address_in_use` when the port is taken.
 */
export async function listenTcp(options: SyslogListenerOptions): Promise<SyslogListener> {
  const counters = options.counters ?? createListenerCounters('tcp');
  const rejectionWarnings = new RejectionWarnings(counters, options.log);
  const connections = new OpenConnections();
  let port = options.port;
  const server: Server = createServer({ noDelay: true }, (socket) => {
    connections.add(socket);
    const tracked = trackConnection(socket, options, counters);
    if (!tracked) return;
    const serve = (address: string): void =>
      serveSyslogConnection(socket, { address, port }, options, {
        counters,
        rejectionWarnings,
        tracked,
        connections,
      });
    if (!options.proxyProtocol) serve(peerAddress(socket));
    else {
      options.connectionLimiter.handshakeStarted(tracked);
      stripProxyHeader(
        socket,
        (address) => {
          serve(address);
          socket.resume();
        },
        () => rejectionWarnings.refuseConnection('noProxyHeader', peerAddress(socket)),
      );
    }
  });
  await listen(server, options, 'syslog (TCP)', 'TAILRACE_SYSLOG_PORT');
  port = boundPort(server);
  return {
    port,
    counters,
    close: async () => {
      server.close();
      await connections.close();
    },
  };
}

/** The peer's address, IPv4 ones in their own notation. */
export function peerAddress(socket: Socket): string {
  return normalizeAddress(socket.remoteAddress ?? 'unknown');
}

/**
 * Reads the PROXY protocol's header off a connection, and goes on with the client's address; a connection that doesn't
 * begin with one is closed. The connection is paused then, with what came behind the header still to be read.
 */
export function stripProxyHeader(
  socket: Socket,
  onHeader: (address: string) => void,
  onInvalid: () => void,
): void {
  let head = Buffer.alloc(0);
  const reject = (): void => {
    deadline.clear();
    onInvalid();
    socket.destroy();
  };
  const deadline = new Deadline(PROXY_HEADER_MS, reject);
  const destroy = (): void => void socket.destroy();
  const clearDeadline = (): void => deadline.clear();
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const header = readProxyHeader(head);
    if (header === 'partial') return;
    socket.off('data', onData);
    if (header === 'broken') {
      reject();
      return;
    }
    deadline.clear();
    socket.pause();
    socket.off('error', destroy);
    socket.off('close', clearDeadline);
    if (head.length > header.length) socket.unshift(head.subarray(header.length));
    onHeader(header.address ?? peerAddress(socket));
  };
  socket.on('error', destroy);
  socket.on('close', clearDeadline);
  socket.on('data', onData);
}
