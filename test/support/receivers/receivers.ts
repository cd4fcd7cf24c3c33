/** Destinations of drains: real servers that accept everything, or fail as planned. */
import { once } from 'node:events';
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { createServer as createTlsServer, TLSSocket, type TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import { GrowingMessages } from '../senders/frames.ts';

/** One request as it was received. */
export interface ReceivedRequest {
  readonly frameId: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly path: string;
  readonly status: number;
}

/** The response to one request: a status, or a failure. */
export type PlannedResponse =
  | number
  | 'reset'
  | 'reset-after-body'
  | 'hang'
  | { status: number; headers: Record<string, string>; body?: string | Uint8Array };

/** An HTTP receiver, over TLS if it has a certificate: `plan` gives the response to each request, by its number from 0. */
export class HttpReceiver {
  readonly requests: ReceivedRequest[] = [];
  plan: (attempt: number) => PlannedResponse | Promise<PlannedResponse> = () => 200;
  private readonly tls: TlsOptions | undefined;
  private server: HttpServer | undefined;
  private attempts = 0;
  private readonly parsed = new WeakMap<ReceivedRequest, readonly string[]>();
  port = 0;

  constructor(tls?: TlsOptions) {
    this.tls = tls;
  }

  async listen(port = this.port): Promise<this> {
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      void this.onRequest(request, response);
    this.server = this.tls ? createHttpsServer(this.tls, onRequest) : createServer(onRequest);
    this.server.listen({ host: '127.0.0.1', port });
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
    return this;
  }

  async close(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  }

  get url(): string {
    return `http${this.tls ? 's' : ''}://127.0.0.1:${this.port}/lines`;
  }

  /** Connections that are open now. */
  connectionCount(): Promise<number> {
    return countConnections(this.server);
  }

  /** Messages of all accepted requests, in order of arrival. */
  acceptedMessages(): string[] {
    return this.requests
      .filter(({ status }) => status >= 200 && status < 300)
      .flatMap((request) => this.messagesOf(request));
  }

  /** Each is parsed once, however often somebody looks whether all have come. */
  private messagesOf(request: ReceivedRequest): readonly string[] {
    const messages = this.parsed.get(request) ?? new GrowingMessages().of(request.body);
    this.parsed.set(request, messages);
    return messages;
  }

  private async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const planned = await this.plan(this.attempts++);
    if (planned === 'reset') return void resetConnection(request.socket);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // the sender is gone in the middle
    }
    const status = typeof planned === 'number' ? planned : typeof planned === 'object' ? planned.status : 0;
    this.requests.push({
      frameId: String(request.headers['logplex-frame-id']),
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
      path: request.url ?? '',
      status,
    });
    if (planned === 'reset-after-body') return void resetConnection(request.socket);
    if (planned === 'hang') return;
    const { headers = {}, body = undefined } = typeof planned === 'object' ? planned : {};
    response.writeHead(status, headers).end(body);
  }
}

/** An HTTP receiver for one test. */
export async function startHttpReceiver(plan?: HttpReceiver['plan']): Promise<HttpReceiver> {
  const receiver = await new HttpReceiver().listen();
  if (plan) receiver.plan = plan;
  onTestFinished(() => receiver.close());
  return receiver;
}

/** A syslog receiver over TCP, or TLS if it has a certificate, that keeps what it reads, connection by connection. */
export class TcpReceiver {
  readonly connections: { text: string }[] = [];
  /** Called with what a connection has received so far; may close it. */
  onBytes: (socket: Socket, connection: { text: string }) => void = () => {};
  /** Called with each new connection. */
  onConnection: (socket: Socket) => void = () => {};
  private readonly parsed = new WeakMap<{ text: string }, GrowingMessages>();
  private readonly sockets = new Set<Socket>();
  private readonly tls: TlsOptions | undefined;
  private server: TcpServer | undefined;
  port = 0;

  constructor(tls?: TlsOptions) {
    this.tls = tls;
  }

  async listen(port = this.port): Promise<this> {
    const onConnection = (socket: Socket): void => {
      const connection = { text: '' };
      this.connections.push(connection);
      this.sockets.add(socket);
      socket.setEncoding('utf8');
      socket.on('data', (text) => {
        connection.text += text;
        this.onBytes(socket, connection);
      });
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.sockets.delete(socket));
      this.onConnection(socket);
    };
    this.server = this.tls ? createTlsServer(this.tls, onConnection) : createTcpServer(onConnection);
    this.server.listen({ host: '127.0.0.1', port });
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
    return this;
  }

  async close(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  }

  /** Resets all connections; new ones are accepted. */
  resetAll(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  get url(): string {
    return `syslog${this.tls ? '+tls' : ''}://127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  connectionCount(): Promise<number> {
    return countConnections(this.server);
  }

  get text(): string {
    return this.connections.map(({ text }) => text).join('');
  }

  /** Messages of the complete frames of all connections, in order of arrival. */
  messages(): string[] {
    return this.connections.flatMap((connection) => {
      const messages = this.parsed.get(connection) ?? new GrowingMessages();
      this.parsed.set(connection, messages);
      return messages.of(connection.text);
    });
  }
}

/** Breaks a connection: with a RST where Node.js can. */
function resetConnection(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

function countConnections(server: TcpServer | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    if (server) server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    else resolve(0);
  });
}

/** A syslog receiver for one test. */
export async function startTcpReceiver(): Promise<TcpReceiver> {
  const receiver = await new TcpReceiver().listen();
  onTestFinished(() => receiver.close());
  return receiver;
}
