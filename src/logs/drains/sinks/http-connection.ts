/**
 * Posts bodies to one destination over HTTP/1.1, one at a time, on a connection that stays as long as the destination keeps it. A library
 * does the same for any request; here a body goes to the socket as it is, in one piece with what is in front of it.
 */
import type { Socket } from 'node:net';
import { ResponseParser } from './response-parser.ts';

/** So long nothing may come, and nothing of the request be taken. */
const RESPONSE_TIMEOUT_MS = 20_000;
/** A connection that isn't used is closed before most destinations do; `Keep-Alive: timeout=` may say that it's sooner. */
const IDLE_MS = 4_000;
const IDLE_EARLIER_MS = 1_000;

interface Exchange {
  readonly parser: ResponseParser;
  readonly resolve: (response: ResponseParser) => void;
  readonly reject: (error: Error) => void;
}

export class HttpConnection {
  private readonly dial: () => Promise<Socket>;
  private socket: Socket | undefined;
  private exchange: Exchange | undefined;
  private closed: Error | undefined;

  /** @param dial connects to the destination, including TLS */
  constructor(dial: () => Promise<Socket>) {
    this.dial = dial;
  }

  /** Nothing of a request is left in the socket. */
  get isFlushed(): boolean {
    return this.socket?.writableLength === 0;
  }

  /**
   * Sends a request; resolves when all of the response has come.
   * @param parts of the request, one behind the other
   * @param bytesMax of the response's body that are kept
   */
  async post(parts: readonly Buffer[], bytesMax: number): Promise<ResponseParser> {
    const socket = this.socket ?? this.open(await this.dial());
    if (this.closed) {
      this.drop();
      throw this.closed;
    }
    const response = new Promise<ResponseParser>((resolve, reject) => {
      this.exchange = { parser: new ResponseParser(bytesMax), resolve, reject };
    });
    socket.ref();
    socket.setTimeout(RESPONSE_TIMEOUT_MS);
    if (parts.length > 1) socket.cork();
    for (const part of parts) socket.write(part);
    if (parts.length > 1) socket.uncork();
    return response;
  }

  /** Closes the connection; a request in progress ends with the error. */
  close(error: Error): void {
    this.closed = error;
    this.lose(error);
  }

  private open(socket: Socket): Socket {
    this.socket = socket;
    const lose = (error: Error): void => {
      socket.destroy();
      if (this.socket === socket) this.lose(error);
    };
    socket.on('data', (chunk) => {
      if (this.socket === socket) this.onData(chunk);
    });
    socket.on('error', lose);
    socket.on('timeout', () =>
      lose(new Error(`the destination didn’t answer for ${RESPONSE_TIMEOUT_MS / 1_000} s`)),
    );
    socket.on('end', () => lose(new Error('the destination closed the connection')));
    socket.on('close', () => lose(new Error('the connection was closed')));
    return socket;
  }

  private onData(chunk: Buffer): void {
    const { exchange } = this;
    if (!exchange || exchange.parser.isComplete) {
      // Nobody asked for it.
      this.drop();
      return;
    }
    const { parser } = exchange;
    try {
      parser.feed(chunk);
    } catch (error) {
      this.lose(error as Error);
      return;
    }
    // In the next turn it is known that all was sent (TLS says so late), and whether the destination has closed the connection.
    if (parser.isComplete) setImmediate(() => this.settle(exchange));
  }

  private settle(exchange: Exchange): void {
    const { parser } = exchange;
    if (this.exchange === exchange) {
      this.exchange = undefined;
      // Of a request that was answered before all of it was sent, the rest would be in front of the next.
      if (parser.isReusable && this.isFlushed) this.idle(parser);
      else this.drop();
    }
    exchange.resolve(parser);
  }

  /** The connection isn't used for now. */
  private idle(parser: ResponseParser): void {
    const { socket } = this;
    const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(parser.headers.get('keep-alive') ?? '')?.[1];
    const hintMs = seconds === undefined ? IDLE_MS : Number(seconds) * 1_000 - IDLE_EARLIER_MS;
    if (hintMs <= 0) this.drop();
    else socket?.setTimeout(Math.min(IDLE_MS, hintMs)).unref();
  }

  private drop(): void {
    this.socket?.destroy();
    this.socket = undefined;
  }

  private lose(error: Error): void {
    const { exchange } = this;
    this.exchange = undefined;
    this.drop();
    if (!exchange) return;
    const { parser } = exchange;
    // Once the status has come, the rest of the response doesn't matter.
    if (parser.finish() || parser.status > 0) exchange.resolve(parser);
    else exchange.reject(error);
  }
}
