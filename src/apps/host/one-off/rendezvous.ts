/** Where clients meet attached dynos: TLS, then a line with a secret, then the terminal, both ways. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Certificates } from './certificates.ts';

/** A client that has shown the secret. */
export interface Visitor {
  readonly socket: TLSSocket;
  /** It sends frames (see `FramedInput`); others send bytes as they are, and 0x04 (Ctrl-D) at the end of their input. */
  readonly framed: boolean;
}

type Visit = (visitor: Visitor) => void;

/** Time to show the secret. */
const SECRET_MS = 15_000;
const SECRET_LINE = /^\/?([A-Za-z0-9_-]{32})(;framed)?\r?\n/;
const LINE_MAX = 256;

export class Rendezvous {
  private readonly server: Server;
  private readonly expected = new Map<string, Visit>();
  private readonly sockets = new Set<TLSSocket>();

  constructor({ certificate, key }: Certificates) {
    this.server = createServer({ cert: certificate, key }, (socket) => this.greet(socket));
    this.server.on('tlsClientError', (_error, socket) => socket.destroy());
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

  /** Waits for one client. @returns the secret it has to show, and how to stop waiting */
  expect(visit: Visit): { secret: string; forget: () => void } {
    const secret = randomBytes(24).toString('base64url');
    this.expected.set(secret, visit);
    return { secret, forget: () => this.expected.delete(secret) };
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private greet(socket: TLSSocket): void {
    let seen = Buffer.alloc(0);
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
    const timer = setTimeout(() => socket.destroy(), SECRET_MS);
    const read = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      const match = SECRET_LINE.exec(seen.subarray(0, LINE_MAX).toString('latin1'));
      if (!match && seen.length < LINE_MAX && !seen.includes(10)) return;
      clearTimeout(timer);
      socket.off('data', read);
      const visit = match ? this.expected.get(match[1]) : undefined;
      if (!match || !visit) return void socket.end();
      this.expected.delete(match[1]);
      socket.pause();
      const rest = seen.subarray(match[0].length);
      if (rest.length > 0) socket.unshift(rest);
      socket.write('rendezvous\r\n');
      visit({ socket, framed: match[2] !== undefined });
    };
    socket.on('data', read);
  }
}
