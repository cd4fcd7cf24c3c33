/** Receivers of drains: real servers that accept what comes, or fail as planned. */
import { once } from 'node:events';
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { onTestFinished } from 'vitest';
import { messageOf, parseFrames } from '../senders/frames.ts';

/** One received request. */
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
  | { status: number; headers: Record<string, string> };

/** An HTTP receiver: `plan` returns the response to each request, by its number from 0. */
export class HttpReceiver {
  readonly requests: ReceivedRequest[] = [];
  plan: (attempt: number) => PlannedResponse | Promise<PlannedResponse> = () => 200;
  private server: HttpServer | undefined;
  private attempts = 0;
  port = 0;

  async listen(port = this.port): Promise<this> {
    this.server = createServer((request, response) => void this.onRequest(request, response));
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
    return `http://127.0.0.1:${this.port}/lines`;
  }

  /** Messages of all accepted requests, in order of arrival. */
  acceptedMessages(): string[] {
    return this.requests
      .filter(({ status }) => status >= 200 && status < 300)
      .flatMap(({ body }) => parseFrames(body).map(messageOf));
  }

  private async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const planned = await this.plan(this.attempts++);
    if (planned === 'reset') return void request.socket.resetAndDestroy();
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
    if (planned === 'reset-after-body') return void request.socket.resetAndDestroy();
    if (planned === 'hang') return;
    response.writeHead(status, typeof planned === 'object' ? planned.headers : {}).end();
  }
}

/** An HTTP receiver for one test. */
export async function startHttpReceiver(plan?: HttpReceiver['plan']): Promise<HttpReceiver> {
  const receiver = await new HttpReceiver().listen();
  if (plan) receiver.plan = plan;
  onTestFinished(() => receiver.close());
  return receiver;
}

/** A syslog receiver over TCP that records what each connection sends. */
export class TcpReceiver {
  readonly connections: { text: string }[] = [];
  /** Called with what a connection has received so far; may close it. */
  onBytes: (socket: Socket, connection: { text: string }) => void = () => {};
  private readonly sockets = new Set<Socket>();
  private server: TcpServer | undefined;
  port = 0;

  async listen(port = this.port): Promise<this> {
    this.server = createTcpServer((socket) => {
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
    });
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

  get url(): string {
    return `syslog://127.0.0.1:${this.port}`;
  }

  get text(): string {
    return this.connections.map(({ text }) => text).join('');
  }

  /** Messages of the complete frames of all connections, in order of arrival. */
  messages(): string[] {
    return this.connections.flatMap(({ text }) => parseFrames(text).map(messageOf));
  }
}

/** A syslog receiver for one test. */
export async function startTcpReceiver(): Promise<TcpReceiver> {
  const receiver = await new TcpReceiver().listen();
  onTestFinished(() => receiver.close());
  return receiver;
}
