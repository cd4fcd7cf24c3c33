/**
 * Posts bodies to one destination over HTTP/1.1, one at a time, on a connection that stays as long as the destination keeps it. A library
 * does the same for any request; here a body goes to the socket as it is, in one piece with what is in front of it.
 */
import type { Socket } from 'node:net';
import { Deadline, unlessSomethingCame } from '../../../common/limits/deadline.ts';
import { LastHead, ResponseParser } from './response-parser.ts';

export interface HttpLimits {
  /** So long nothing may come, and nothing of the request be taken; and a response may take so long from its first byte on. */
  readonly responseMs: number;
  /** A response that ends with the connection has ended when nothing of it has come for so long; a body that nobody reads may take so long. */
  readonly restMs: number;
  /** Beyond so much of a body that isn't kept, the rest isn't waited for. */
  readonly unreadBytes: number;
}

const LIMITS: HttpLimits = { responseMs: 20_000, restMs: 2_000, unreadBytes: 1_048_576 };
/** A connection that isn't used is closed before most destinations do; `Keep-Alive: timeout=` may say that it's sooner. */
const IDLE_MS = 4_000;
const IDLE_EARLIER_MS = 1_000;
/** A timer may fire this much early by another clock. */
const TIMER_EARLY_MS = 2;
const NOTHING = Buffer.alloc(0);

interface Exchange {
  /** The request. */
  readonly parts: readonly Buffer[];
  readonly bytesMax: number;
  /** The response's body says what became of the request; else its status does. */
  readonly readsBody: boolean;
  readonly parser: ResponseParser;
  readonly resolve: (response: ResponseParser | Promise<ResponseParser>) => void;
  readonly reject: (error: Error) => void;
  /** The connection was used before, and nothing has come yet: when it breaks, the destination had most likely closed it already. */
  mayBeStale: boolean;
  /** Runs while a part of the response has come. */
  timer: Deadline | undefined;
  /** Responses that had come when it was started, those that only inform as well. */
  heads: number;
  /** It was accepted before all of it was sent: what is left is sent nevertheless. */
  isFinishing: boolean;
}

export class HttpConnection {
  private readonly dial: () => Promise<Socket>;
  private readonly limits: HttpLimits;
  private socket: Socket | undefined;
  private exchange: Exchange | undefined;
  private closed: Error | undefined;
  private lastHead = new LastHead();
  /** Closes the connection when it isn't used: one timer for the requests of some seconds. On the clock of `performance.now()`. */
  private idleTimer: { readonly timer: NodeJS.Timeout; readonly atMs: number } | undefined;
  private idleUntilMs = 0;

  /** @param dial connects to the destination, including TLS */
  constructor(dial: () => Promise<Socket>, limits: HttpLimits = LIMITS) {
    this.dial = dial;
    this.limits = limits;
  }

  /**
   * Sends a request; resolves when all of the response has come. Once more, on another connection, when the one that was idle turns out to
   * be closed. However it ends, nobody reads the request any more: all of it was sent, or the connection is destroyed.
   * @param parts of the request, one behind the other
   * @param bytesMax of the response's body that are kept
   * @param readsBody the body counts as well: without it, all of it isn't waited for as long
   */
  post(parts: readonly Buffer[], bytesMax: number, readsBody = true): Promise<ResponseParser> {
    const { socket } = this;
    return socket
      ? this.send(socket, parts, bytesMax, readsBody, true)
      : this.postAnew(parts, bytesMax, readsBody);
  }

  /** On a connection that wasn't used before. */
  private async postAnew(
    parts: readonly Buffer[],
    bytesMax: number,
    readsBody: boolean,
  ): Promise<ResponseParser> {
    return this.send(this.open(await this.dial()), parts, bytesMax, readsBody, false);
  }

  /** Closes the connection; a request in progress ends with the error. */
  close(error: Error): void {
    this.closed = error;
    this.lose(error);
  }

  private send(
    socket: Socket,
    parts: readonly Buffer[],
    bytesMax: number,
    readsBody: boolean,
    mayBeStale: boolean,
  ): Promise<ResponseParser> {
    if (this.closed) {
      this.drop();
      return Promise.reject(this.closed);
    }
    const response = new Promise<ResponseParser>((resolve, reject) => {
      const parser = new ResponseParser(bytesMax, this.lastHead);
      this.exchange = {
        parts,
        bytesMax,
        readsBody,
        parser,
        resolve,
        reject,
        mayBeStale,
        timer: undefined,
        heads: 0,
        isFinishing: false,
      };
    });
    socket.ref();
    if (parts.length > 1) socket.cork();
    for (const part of parts) socket.write(part);
    if (parts.length > 1) socket.uncork();
    return response;
  }

  private open(socket: Socket): Socket {
    this.socket = socket;
    this.lastHead = new LastHead();
    // What is sent and what comes each begin it anew.
    socket.setTimeout(this.limits.responseMs);
    const lose = (error: Error): void => {
      if (this.socket === socket) this.lose(error);
      else socket.destroy();
    };
    socket.on('data', (chunk) => {
      if (this.socket === socket) this.onData(socket, chunk);
    });
    socket.on('error', lose);
    socket.on('timeout', () =>
      unlessSomethingCame(socket, () => {
        // It is there, and slow.
        if (this.socket === socket && this.exchange) this.exchange.mayBeStale = false;
        lose(new Error(`the destination didn't answer for ${this.limits.responseMs / 1_000} s`));
      }),
    );
    socket.on('end', () => {
      const { exchange } = this;
      // It may have closed its half only, and read on.
      if (this.socket === socket && exchange?.parser.finish() && this.mustFinish(socket, exchange))
        this.settle(exchange);
      else lose(new Error('the destination closed the connection'));
    });
    socket.on('close', () => lose(new Error('the connection was closed')));
    return socket;
  }

  private onData(socket: Socket, chunk: Buffer): void {
    const { exchange } = this;
    if (!exchange || exchange.parser.isComplete) {
      // Nobody asked for it.
      if (exchange && this.mustFinish(socket, exchange)) exchange.parser.finish();
      else this.drop();
      return;
    }
    exchange.mayBeStale = false;
    const { parser } = exchange;
    try {
      parser.feed(chunk);
    } catch (error) {
      this.lose(error as Error);
      return;
    }
    // In the next turn it is known that all was sent (TLS says so late), and whether the destination has closed the connection.
    if (parser.isComplete) setImmediate(() => this.settle(exchange));
    else this.watch(socket, exchange);
  }

  /** More of the response has to come: soon, and not without end. */
  private watch(socket: Socket, exchange: Exchange): void {
    const { parser } = exchange;
    const { responseMs, restMs, unreadBytes } = this.limits;
    if (parser.unreadBytes > unreadBytes) {
      this.lose(new Error("the destination's answer has no end"));
      return;
    }
    if (parser.endsWithConnection) socket.setTimeout(restMs);
    const isAnswered = parser.status > 0;
    const heads = parser.interim + (isAnswered ? 1 : 0);
    if (exchange.timer && exchange.heads === heads) return;
    exchange.timer?.clear();
    exchange.heads = heads;
    const ms = isAnswered && !exchange.readsBody ? restMs : responseMs;
    exchange.timer = new Deadline(ms, () => {
      if (this.exchange === exchange)
        this.lose(new Error(`the destination's answer took longer than ${ms / 1_000} s`));
    });
  }

  /** Was it accepted before all of it was sent? Then the destination may read the rest; whoever refuses it doesn't. */
  private mustFinish(socket: Socket, { parser }: Exchange): boolean {
    return parser.status >= 200 && parser.status < 300 && socket.writableLength > 0 && !socket.destroyed;
  }

  private settle(exchange: Exchange): void {
    const { parser } = exchange;
    const { socket } = this;
    if (this.exchange === exchange && socket && this.mustFinish(socket, exchange)) {
      if (exchange.isFinishing) return;
      exchange.isFinishing = true;
      exchange.timer?.clear();
      const finish = (): void => this.settle(exchange);
      // Behind what is left; one that is closed meanwhile settles it, too.
      if (socket.writableEnded) socket.once('finish', finish);
      else socket.write(NOTHING, finish);
      return;
    }
    if (this.exchange === exchange) {
      this.exchange = undefined;
      exchange.timer?.clear();
      // Of a request that was refused before all of it was sent, the rest would be in front of the next.
      if (parser.isReusable && this.socket?.writableLength === 0) this.idle(parser);
      else this.drop();
    }
    exchange.resolve(parser);
  }

  /** The connection isn't used for now. */
  private idle({ keepAliveS }: ResponseParser): void {
    const hintMs = keepAliveS === undefined ? IDLE_MS : keepAliveS * 1_000 - IDLE_EARLIER_MS;
    if (hintMs <= 0) {
      this.drop();
      return;
    }
    this.socket?.unref();
    this.idleUntilMs = performance.now() + Math.min(IDLE_MS, hintMs);
    if (!this.idleTimer || this.idleTimer.atMs > this.idleUntilMs) this.watchIdle();
  }

  private watchIdle(): void {
    clearTimeout(this.idleTimer?.timer);
    const atMs = this.idleUntilMs;
    const timer = setTimeout(() => {
      this.idleTimer = undefined;
      // While a request is on its way, the connection is used: what comes behind it begins another timer.
      if (!this.socket || this.exchange) return;
      if (performance.now() + TIMER_EARLY_MS < this.idleUntilMs) this.watchIdle();
      else this.drop();
    }, atMs - performance.now());
    this.idleTimer = { timer: timer.unref(), atMs };
  }

  private drop(): void {
    clearTimeout(this.idleTimer?.timer);
    this.idleTimer = undefined;
    this.socket?.destroy();
    this.socket = undefined;
  }

  private lose(error: Error): void {
    const { exchange, closed } = this;
    this.exchange = undefined;
    this.drop();
    if (!exchange) return;
    exchange.timer?.clear();
    const { parser } = exchange;
    // Once the status has come, the rest of the response doesn't matter.
    if (parser.finish() || parser.status > 0) exchange.resolve(parser);
    else if (exchange.mayBeStale && !closed)
      exchange.resolve(this.postAnew(exchange.parts, exchange.bytesMax, exchange.readsBody));
    else exchange.reject(error);
  }
}
