/** Lines in over syslog TLS (RFC 5425), with or without a client's certificate. */
import { readFileSync } from 'node:fs';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { createServer, type PeerCertificate, type TLSSocket } from 'node:tls';
import { systemCode, TailraceError } from '../../../common/errors.ts';
import type { Certificate } from '../../router/rules.ts';
import { sourceCounters } from '../counters.ts';
import type { Guarded } from '../guard.ts';
import { listening, portOf } from '../listening.ts';
import { Refusals } from '../refusals.ts';
import type { Source, SourceOptions } from '../source.ts';
import { guardConnection, serveConnection } from './syslog-connection.ts';
import { addressOf, takeProxyHeader } from './tcp.ts';

/** Files in PEM form. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  /** Who signs clients' certificates; without it they aren't asked for. */
  readonly clientAuthority: string | undefined;
}

const HANDSHAKE_MS = 10_000;

/**
 * Listens for syslog over TLS.
 * @throws TailraceError `address_in_use` when the port is taken, `settings` when the files can't be used.
 */
export async function listenTls(options: SourceOptions, files: TlsFiles): Promise<Source> {
  const counters = options.counters ?? sourceCounters('tls');
  const refusals = new Refusals(counters, options.warn);
  const sockets = new Set<Socket>();
  /** By the other end of each connection: who is there, which behind a load balancer is somebody else. */
  const clients = new Map<string, { address: string; guarded: Guarded }>();
  let port = options.port;
  const secure = makeSecure(files);
  const malformed = (): void => {
    counters.malformed++;
    refusals.check();
  };
  secure.on('secureConnection', (socket: TLSSocket) => {
    const shown = socket.getPeerCertificate();
    const isShown = shown !== undefined && Object.keys(shown).length > 0;
    // A certificate that isn't good is worse than none: its owner believes to be known.
    if (isShown && !socket.authorized) {
      socket.on('error', () => socket.destroy());
      options.warn(
        { protocol: 'tls', address: addressOf(socket), reason: String(socket.authorizationError) },
        'a sender’s certificate isn’t signed by TAILRACE_SYSLOG_TLS_CLIENT_CA',
      );
      counters.cut++;
      socket.destroy();
      return;
    }
    const client = clients.get(endOf(socket));
    if (!client) {
      socket.destroy(); // it has gone already
      return;
    }
    const { address, guarded } = client;
    const certificate = isShown ? readCertificate(shown) : undefined;
    serveConnection(socket, { address, port, certificate }, options, counters, refusals, guarded);
  });
  secure.on('tlsClientError', (_error, socket: TLSSocket) => {
    malformed();
    socket.destroy();
  });
  const tcp = createTcpServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    const guarded = guardConnection(socket, options, counters);
    if (!guarded) return;
    options.guard.opening(guarded);
    const end = endOf(socket);
    const greet = (address: string): void => {
      clients.set(end, { address, guarded });
      socket.on('close', () => clients.delete(end));
      secure.emit('connection', socket);
    };
    if (options.proxyProtocol) takeProxyHeader(socket, greet, malformed);
    else greet(addressOf(socket));
  });
  await listening(tcp, options, 'syslog (TLS)', 'TAILRACE_SYSLOG_TLS_PORT');
  port = portOf(tcp);
  return {
    port,
    counters,
    close: () =>
      new Promise((resolve) => {
        tcp.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function endOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function makeSecure({ certificate, key, clientAuthority }: TlsFiles) {
  try {
    return createServer({
      cert: read(certificate, 'TAILRACE_SYSLOG_TLS_CERT'),
      key: read(key, 'TAILRACE_SYSLOG_TLS_KEY'),
      ca: clientAuthority ? read(clientAuthority, 'TAILRACE_SYSLOG_TLS_CLIENT_CA') : undefined,
      requestCert: clientAuthority !== undefined,
      rejectUnauthorized: false, // asked for, not demanded: those without one show a token
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_MS,
    });
  } catch (error) {
    if (error instanceof TailraceError) throw error;
    throw new TailraceError(
      'settings',
      `The certificate for syslog over TLS can't be used (${error instanceof Error ? error.message : error}): set TAILRACE_SYSLOG_TLS_CERT and TAILRACE_SYSLOG_TLS_KEY to a certificate and its key in PEM form.`,
      { cause: error },
    );
  }
}

function read(file: string, setting: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new TailraceError(
      'settings',
      `${setting} is "${file}", which can't be read (${systemCode(error)}): name a file in PEM form.`,
      { cause: error },
    );
  }
}

function readCertificate({ subject, fingerprint256 }: PeerCertificate): Certificate {
  const attributes = Object.entries(subject ?? {}).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}=${one}`),
  );
  const commonName = attributes.find((attribute) => attribute.startsWith('CN='))?.slice(3) ?? '';
  return { commonName, subject: attributes, fingerprint: fingerprint256.replaceAll(':', '').toLowerCase() };
}
