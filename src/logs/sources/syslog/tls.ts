/** Source: syslog over TLS (RFC 5425), with or without a client certificate. */
import type { X509Certificate } from 'node:crypto';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { createServer, type PeerCertificate, type TLSSocket } from 'node:tls';
import { isSignedBy } from '../../../common/tls/certificate-chain.ts';
import { beginHandshake, HANDSHAKE_TIMEOUT_MS } from '../../../common/tls/handshake-turns.ts';
import type { TlsIdentity } from '../../../common/tls/tls-identity.ts';
import type { ClientCertificate } from '../../router/source-rules.ts';
import type { TrackedConnection } from '../connection-limiter.ts';
import { boundPort, listen } from '../listen.ts';
import { createListenerCounters } from '../listener-counters.ts';
import { RejectionWarnings } from '../rejection-warnings.ts';
import type { SyslogListener, SyslogListenerOptions } from '../syslog-listener.ts';
import { OpenConnections } from './open-connections.ts';
import { serveSyslogConnection, trackConnection } from './syslog-connection.ts';
import { peerAddress, stripProxyHeader } from './tcp.ts';

/**
 * Listens for syslog over TLS.
 * @param requestsCertificates are clients asked for theirs?
 * @throws TailraceError `address_in_use` when the port is taken.
 */
export async function listenTls(
  options: SyslogListenerOptions,
  identity: TlsIdentity,
  requestsCertificates: boolean,
): Promise<SyslogListener> {
  const counters = options.counters ?? createListenerCounters('tls');
  const rejectionWarnings = new RejectionWarnings(counters, options.log);
  /** Below the TLS connections. */
  const sockets = new Set<Socket>();
  const connections = new OpenConnections();
  /** Clients by the connection's remote endpoint; behind a load balancer their addresses differ from it. */
  const clients = new Map<string, { address: string; tracked: TrackedConnection }>();
  let port = options.port;
  const secure = createServer({
    ...identity.serverOptions,
    requestCert: requestsCertificates,
    rejectUnauthorized: false, // requested, not required: clients without one use tokens
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
  identity.follow(secure);
  /** Connections that are identified by a client's certificate. */
  const certified = new Map<TLSSocket, X509Certificate>();
  identity.watchClientAuthority((authority) => {
    // They may stay open for weeks; whoever removes an authority means those, too.
    for (const [socket, own] of certified)
      if (!isSignedBy(own, authority)) refuseCertificate(socket, 'its authority was removed');
  });
  const refuseCertificate = (socket: TLSSocket, reason: string): void => {
    options.log.warn(
      { protocol: 'tls', address: peerAddress(socket), reason },
      "a sender's certificate isn't signed by TAILRACE_SYSLOG_TLS_CLIENT_CA",
    );
    counters.cut++;
    socket.destroy();
  };
  secure.on('secureConnection', (socket: TLSSocket) => {
    const peerCertificate = socket.getPeerCertificate();
    const hasCertificate = peerCertificate !== undefined && Object.keys(peerCertificate).length > 0;
    // A certificate that can't be verified is worse than none: its owner relies on being identified by it.
    if (hasCertificate && !socket.authorized) {
      socket.on('error', () => socket.destroy());
      refuseCertificate(socket, String(socket.authorizationError));
      return;
    }
    const client = clients.get(endpointKey(socket));
    if (!client) {
      socket.destroy(); // the client has closed already
      return;
    }
    const { address, tracked } = client;
    const certificate = hasCertificate ? readCertificate(peerCertificate) : undefined;
    connections.add(socket);
    const own = hasCertificate ? socket.getPeerX509Certificate() : undefined;
    if (own) {
      certified.set(socket, own);
      socket.once('close', () => certified.delete(socket));
    }
    serveSyslogConnection(socket, { address, port, certificate }, options, {
      counters,
      rejectionWarnings,
      tracked,
      connections,
    });
  });
  secure.on('tlsClientError', (error: Error & { code?: string }, socket: TLSSocket) => {
    // One that only looks whether somebody listens, as load balancers do, just ends.
    if (error.code !== 'ECONNRESET')
      rejectionWarnings.refuseConnection('handshakeFailed', peerAddress(socket), error.code ?? error.message);
    socket.destroy();
  });
  const tcp = createTcpServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    const tracked = trackConnection(socket, options, counters);
    if (!tracked) return;
    options.connectionLimiter.handshakeStarted(tracked);
    const end = endpointKey(socket);
    const startHandshake = (address: string): void => {
      clients.set(end, { address, tracked });
      socket.on('close', () => clients.delete(end));
      beginHandshake(socket, secure);
    };
    const refuse = (): void => rejectionWarnings.refuseConnection('noProxyHeader', peerAddress(socket));
    if (options.proxyProtocol) stripProxyHeader(socket, startHandshake, refuse);
    else startHandshake(peerAddress(socket));
  });
  await listen(tcp, options, 'syslog (TLS)', 'TAILRACE_SYSLOG_TLS_PORT');
  port = boundPort(tcp);
  return {
    port,
    counters,
    close: async () => {
      tcp.close();
      await connections.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function endpointKey(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function readCertificate({ subject, fingerprint256 }: PeerCertificate): ClientCertificate {
  const attributes = Object.entries(subject ?? {}).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}=${one}`),
  );
  const commonName = attributes.find((attribute) => attribute.startsWith('CN='))?.slice(3) ?? '';
  return { commonName, subject: attributes, fingerprint: fingerprint256.replaceAll(':', '').toLowerCase() };
}
