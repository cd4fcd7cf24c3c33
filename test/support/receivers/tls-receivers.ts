/** Receivers over TLS: syslog and HTTPS, with any certificate. */
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import { messageOf, parseFrames } from '../senders/frames.ts';

export interface TlsReceiver {
  readonly port: number;
  /** Server names that clients sent (SNI). */
  readonly serverNames: (string | false | null)[];
  /** Common names of the certificates that clients presented. */
  readonly clientNames: (string | undefined)[];
  readonly text: () => string;
  readonly messages: () => string[];
  close(): Promise<void>;
}

/** A syslog receiver over TLS for one test. */
export async function tlsSyslogReceiver(options: TlsOptions): Promise<TlsReceiver> {
  let text = '';
  const serverNames: TlsReceiver['serverNames'] = [];
  const clientNames: TlsReceiver['clientNames'] = [];
  const sockets = new Set<TLSSocket>();
  const server = createServer(options, (socket) => {
    serverNames.push(socket.servername);
    clientNames.push(commonName(socket));
    sockets.add(socket);
    socket.setEncoding('utf8').on('data', (more) => {
      text += more;
    });
    socket.on('error', () => socket.destroy());
  });
  server.on('tlsClientError', () => {});
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(close);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    serverNames,
    clientNames,
    text: () => text,
    messages: () => parseFrames(text).map(messageOf),
    close,
  };
}

/** An HTTPS receiver for one test; accepts everything. */
export async function httpsReceiver(options: TlsOptions, port = 0): Promise<TlsReceiver> {
  const bodies: string[] = [];
  const serverNames: TlsReceiver['serverNames'] = [];
  const clientNames: TlsReceiver['clientNames'] = [];
  const server = createHttpsServer(options, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    bodies.push(Buffer.concat(chunks).toString('utf8'));
    const socket = request.socket as TLSSocket;
    serverNames.push(socket.servername);
    clientNames.push(commonName(socket));
    response.writeHead(200).end();
  });
  server.on('tlsClientError', () => {});
  server.listen({ host: '127.0.0.1', port });
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(close);
  const messages = () => bodies.flatMap((body) => parseFrames(body).map(messageOf));
  return {
    port: (server.address() as AddressInfo).port,
    serverNames,
    clientNames,
    text: () => bodies.join(''),
    messages,
    close,
  };
}

function commonName(socket: TLSSocket): string | undefined {
  const name = socket.getPeerCertificate()?.subject?.CN;
  return Array.isArray(name) ? name[0] : name;
}
