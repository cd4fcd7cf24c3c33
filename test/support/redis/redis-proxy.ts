/** A network between routers and a Redis that is long, loses answers, holds up what is sent, or breaks. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** The next answer is lost, and the connection with it. */
  losesAnswer: boolean;
  /** Resolves when what was sent so far has been passed on; undefined as long as nothing was delayed. */
  delayed: Promise<unknown> | undefined;
}

export class RedisProxy {
  readonly port: number;
  private readonly server: Server;
  private readonly links = new Set<Link>();
  private lossPattern: string | undefined;
  private onLost: (() => void) | undefined;
  private holding = false;
  private refusing = false;
  /** Connections that were refused since it was broken. */
  refusedCount = 0;
  /** How long a request takes to Redis, ms. */
  delayMs = 0;
  /** Every chunk that clients have sent, as text, is shown to it. */
  onRequest: (text: string) => void = () => {};

  private constructor(server: Server, port: number) {
    this.server = server;
    this.port = port;
  }

  /** Starts a proxy in front of the Redis on a port of this machine. */
  static async start(redisPort: number): Promise<RedisProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const proxy = new RedisProxy(server, typeof address === 'object' && address ? address.port : 0);
    server.on('connection', (client) => proxy.accept(client, redisPort));
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /**
   * The next request that has this text in it reaches Redis, and its answer doesn't come back: the connection breaks. Resolves when
   * that has happened.
   */
  loseAnswerTo(text: string): Promise<void> {
    this.lossPattern = text;
    return new Promise((resolve) => (this.onLost = resolve));
  }

  /** From now on nothing is passed on to Redis; it isn't lost either. */
  hold(): void {
    this.holding = true;
    for (const { client } of this.links) client.pause();
  }

  /** What was held up is passed on, also of connections whose clients have gone. */
  release(): void {
    this.holding = false;
    for (const { client } of this.links) client.resume();
  }

  /** Breaks all connections, and every new one, until {@link restore}. */
  breakDown(): void {
    this.refusing = true;
    for (const link of this.links) this.cut(link);
  }

  get isBroken(): boolean {
    return this.refusing;
  }

  restore(): void {
    this.refusing = false;
  }

  async close(): Promise<void> {
    this.breakDown();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private accept(client: Socket, redisPort: number): void {
    if (this.refusing) {
      this.refusedCount++;
      client.destroy();
      return;
    }
    const server = connect({ port: redisPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const link: Link = { client, server, losesAnswer: false, delayed: undefined };
    this.links.add(link);
    if (this.holding) client.pause();
    client.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1');
      this.onRequest(text);
      if (this.refusing) return;
      if (this.lossPattern !== undefined && text.includes(this.lossPattern)) {
        this.lossPattern = undefined;
        link.losesAnswer = true;
      }
      if (this.delayMs > 0) link.delayed = Promise.all([link.delayed, sleep(this.delayMs)]);
      // In order, also when the way has become shorter.
      if (link.delayed) link.delayed = link.delayed.then(() => void server.write(bytes));
      else server.write(bytes);
    });
    server.on('data', (bytes: Buffer) => {
      if (!link.losesAnswer) {
        client.write(bytes);
        return;
      }
      this.cut(link);
      this.onLost?.();
    });
    client.on('end', () => server.end());
    for (const socket of [client, server]) {
      socket.on('error', () => this.cut(link));
      socket.on('close', () => this.links.delete(link));
    }
    server.on('close', () => client.destroy());
    // Of a client that has gone, what it sent is still on its way.
    client.on('close', () => server.end());
  }

  private cut({ client, server }: Link): void {
    client.destroy();
    server.destroy();
  }
}
