import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { ErrorPageUrls, RoutedApp, Upstream } from '../../../src/apps/http-router/app-lookup.ts';
import {
  type HttpRouter,
  type HttpRouterOptions,
  startHttpRouter,
} from '../../../src/apps/http-router/http-router.ts';
import type { HttpRouterTimeouts } from '../../../src/apps/http-router/timeouts.ts';

/** An app whose dynos the test sets, and whose lines it can wait for. */
export class TestApp implements RoutedApp {
  readonly name = 'myapp';
  isBlank = false;
  maintenance = false;
  errorPages: ErrorPageUrls = {};
  desiredCount = 1;
  dynos: Upstream[] = [];
  readonly lines: string[] = [];
  private readonly listeners = new Set<() => void>();
  private lineWaiters: { count: number; resolve: () => void }[] = [];
  private subscribed: (() => void)[] = [];

  webDynos(): readonly Upstream[] {
    return this.dynos;
  }

  desiredWebDynos(): number {
    return this.desiredCount;
  }

  onChange(changed: () => void): () => void {
    this.listeners.add(changed);
    for (const resolve of this.subscribed.splice(0)) resolve();
    return () => this.listeners.delete(changed);
  }

  log(message: string): void {
    this.lines.push(message);
    this.lineWaiters = this.lineWaiters.filter((waiter) => {
      if (this.lines.length < waiter.count) return true;
      waiter.resolve();
      return false;
    });
  }

  /** Sets the dynos and notifies the listeners. */
  setDynos(dynos: Upstream[]): void {
    this.dynos = dynos;
    for (const changed of [...this.listeners]) changed();
  }

  get listenerCount(): number {
    return this.listeners.size;
  }

  /** Resolves when a request waits for a dyno. */
  requestWaiting(): Promise<void> {
    if (this.listeners.size > 0) return Promise.resolve();
    return new Promise((resolve) => this.subscribed.push(resolve));
  }

  /** The line with this number, the first being 1, as soon as it has been written. */
  async waitForLine(count: number): Promise<string> {
    if (this.lines.length < count) {
      await new Promise<void>((resolve) => this.lineWaiters.push({ count, resolve }));
    }
    return this.lines[count - 1];
  }
}

export const upstreamUp = (port: number, name = 'web.1'): Upstream => ({ name, port, state: 'up' });

/** Starts an HTTP router for one app, whose hosts are `myapp.localhost` and 127.0.0.1. */
export async function startTestRouter(
  app: TestApp,
  options?: Partial<HttpRouterOptions>,
): Promise<HttpRouter> {
  const router = await startHttpRouter({
    host: '127.0.0.1',
    port: 0,
    apps: {
      appForHost: (host) => (['myapp.localhost', '127.0.0.1', ''].includes(host) ? app : undefined),
    },
    ...options,
  });
  onTestFinished(() => router.close(0));
  return router;
}

/** Starts an HTTP server as a dyno; gives its port. */
export async function startDyno(listener: RequestListener): Promise<number> {
  return portOf(await startDynoServer(listener));
}

export async function startDynoServer(listener: RequestListener): Promise<Server> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

/** Starts a dyno that sends whatever bytes the test wants; gives its port. */
export async function startRawDyno(connected: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    connected(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return portOf(server);
}

/** A dyno that responds to every request with these bytes, then may close the connection. */
export function startFixedResponseDyno(response: string, thenClose = false): Promise<number> {
  return startRawDyno((socket) =>
    socket.on('data', () => (thenClose ? socket.end(response, 'latin1') : socket.write(response, 'latin1'))),
  );
}

export function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}

/** Sends bytes and gives everything that is received until the HTTP router closes the connection. */
export async function sendAndReadAll(port: number, request: string): Promise<string> {
  const connection = new RawClient(port);
  connection.send(request);
  return connection.readToEnd();
}

/** A client that sends exactly the given bytes. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  private waiters: { text: string; resolve: () => void }[] = [];
  private readonly closed: Promise<void>;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.on('error', () => {});
    this.socket.on('data', (bytes) => {
      this.received += bytes.toString('latin1');
      this.waiters = this.waiters.filter((waiter) => {
        if (!this.received.includes(waiter.text)) return true;
        waiter.resolve();
        return false;
      });
    });
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()));
    onTestFinished(() => void this.socket.destroy());
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Resolves when this text has been received. */
  async waitForText(text: string): Promise<string> {
    if (!this.received.includes(text)) {
      await new Promise<void>((resolve) => this.waiters.push({ text, resolve }));
    }
    return this.received;
  }

  async readToEnd(): Promise<string> {
    await this.closed;
    return this.received;
  }
}

/** A GET whose connection is closed afterwards. */
export function getRequest(path = '/', headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: myapp.localhost\r\n${headers}Connection: close\r\n\r\n`;
}

export async function readAll(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

export function statusOf(response: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(response)?.[1]);
}

/** Sends one request to an app with one dyno at `port`; gives the response and the line about it. */
export async function requestThroughRouter(
  port: number,
  timeouts: Partial<HttpRouterTimeouts> = {},
  request = getRequest(),
) {
  const app = new TestApp();
  app.dynos = [upstreamUp(port)];
  const router = await startTestRouter(app, { timeouts });
  const response = await sendAndReadAll(router.port, request);
  return { response, line: await app.waitForLine(1), app };
}
