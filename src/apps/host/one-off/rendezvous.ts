/** Where clients connect to attached dynos: TLS, then a line with a secret, then the terminal, both ways. */
import { randomBytes } from 'node:crypto';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { Deadline } from '../../../common/limits/deadline.ts';
import { TLS_SERVER_OPTIONS } from '../../../common/tls/certificate-files.ts';
import { beginHandshake, HANDSHAKE_TIMEOUT_MS } from '../../../common/tls/handshake-turns.ts';
import type { ServerCertificates } from '../server-certificates.ts';

/** A client that has sent the secret. */
export interface AttachedClient {
  readonly socket: TLSSocket;
  /** It sends frames (see `FramedInput`); others send bytes as they are, and 0x04 (Ctrl-D) at the end of their input. */
  readonly framed: boolean;
}

type OnAttach = (client: AttachedClient) => void;

/** Time to send the secret. */
const SECRET_TIMEOUT_MS = 15_000;
const SECRET_LINE = /^\/?([A-Za-z0-9_-]{32})(;framed)?\r?\n/;
const LINE_MAX = 256;
/** Those above are closed at once. */
const CONNECTIONS_MAX = 1_000;

export class RendezvousServer {
  private readonly server: Server;
  private readonly expectedClients = new Map<string, OnAttach>();
  private readonly sockets = new Set<TLSSocket>();
  /** Below those with TLS, and of those that aren't so far. */
  private readonly connections = new Set<Socket>();

  /** @param connectionsMax how many it takes */
  constructor({ certificate, key }: ServerCertificates, connectionsMax = CONNECTIONS_MAX) {
    const options = { cert: certificate, key, handshakeTimeout: HANDSHAKE_TIMEOUT_MS };
    const secure = createServer({ ...TLS_SERVER_OPTIONS, ...options }, (socket) => this.accept(socket));
    secure.on('tlsClientError', (_error, socket) => socket.destroy());
    this.server = createTcpServer({ noDelay: true }, (socket) => {
      if (this.connections.size >= connectionsMax) {
        socket.destroy();
        return;
      }
      this.connections.add(socket);
      socket.on('close', () => this.connections.delete(socket));
      beginHandshake(socket, secure);
    });
  }

  /** @returns the port */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => resolve());
    });
    const address = this.server.address();
    return typeof address === 'object' && address ? address.port : port;
  }

  /** Waits for one client. @returns the secret that it has to send, and how to stop waiting */
  expectClient(onAttach: OnAttach): { secret: string; cancel: () => void } {
    const secret = randomBytes(24).toString('base64url');
    this.expectedClients.set(secret, onAttach);
    return { secret, cancel: () => this.expectedClients.delete(secret) };
  }

  /** Cuts terminals that are connected. */
  close(): void {
    this.server.close();
    for (const sockets of [this.sockets, this.connections]) for (const socket of sockets) socket.destroy();
  }

  private accept(socket: TLSSocket): void {
    let received = Buffer.alloc(0);
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
    const deadline = new Deadline(SECRET_TIMEOUT_MS, () => socket.destroy());
    const read = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      const match = SECRET_LINE.exec(received.subarray(0, LINE_MAX).toString('latin1'));
      if (!match && received.length < LINE_MAX && !received.includes(10)) return;
      deadline.clear();
      socket.off('data', read);
      const onAttach = match ? this.expectedClients.get(match[1]) : undefined;
      if (!match || !onAttach) return void socket.end();
      this.expectedClients.delete(match[1]);
      socket.pause();
      const rest = received.subarray(match[0].length);
      if (rest.length > 0) socket.unshift(rest);
      socket.write('rendezvous\r\n');
      onAttach({ socket, framed: match[2] !== undefined });
    };
    socket.on('data', read);
  }
}
