import type { Socket } from 'node:net';
import { eventLoopBudget } from '../../common/limits/turns.ts';
import { badRequestPage, type ErrorPage, errorPageResponse, unknownHostPage } from './error-pages.ts';
import { Exchange, type ExchangeClient } from './exchange.ts';
import type { ClientHop } from './http/forwarded-client.ts';
import { findHeadEnd, HEAD_BYTES_MAX, HEADER_LINE_BYTES_MAX } from './http/header-cursor.ts';
import { isRequestBeginning, parseRequestHead, type RequestHead } from './http/request-head.ts';
import { copyIfShared, readShared } from './http/shared-read-buffer.ts';
import type { HttpRouterContext } from './router-context.ts';

const CR = 13;
const LF = 10;

/** One client's connection: parses its requests, one after the other, and gives each to an exchange. */
export class ClientConnection implements ExchangeClient {
  readonly socket: Socket;
  readonly hop: ClientHop;
  deadlineMs: number;
  private readonly context: HttpRouterContext;
  private exchange: Exchange | undefined;
  /** Bytes that belong to no request yet. */
  private unparsed: Buffer | undefined;
  /** So many of them, from their start on, have been looked at: they are the beginning of a head, and not its end. */
  private scannedBytes = 0;
  /** True after the last response: what the client still sends is dropped. */
  private lingering = false;
  private dispatching = false;
  /** The next request has its turn later: others get theirs, or the client reads first. */
  private isPostponed = false;
  private waitsForDrain = false;

  constructor(context: HttpRouterContext, socket: Socket, hop: ClientHop) {
    this.context = context;
    readShared(socket, (bytes) => this.onBytes(bytes));
    this.socket = socket;
    this.hop = hop;
    this.deadlineMs = performance.now() + context.timeouts.headMs;
    context.deadlines.add(this);
    socket.on('drain', () => this.onDrain());
    socket.on('end', () => this.exchange?.clientEnded());
    // Always followed by 'close'.
    socket.on('error', () => {});
    socket.on('close', () => {
      context.deadlines.delete(this);
      this.exchange?.clientClosed();
    });
    socket.resume();
  }

  /** From now on all bytes go to the exchange, those that came early first. */
  startTunnel(): void {
    const rest = this.unparsed;
    this.unparsed = undefined;
    if (rest !== undefined) this.exchange?.clientData(rest, 0);
    this.socket.resume();
  }

  /** The exchange is finished. @param keep may the connection be used for another request? */
  exchangeFinished(keep: boolean, nowMs = performance.now()): void {
    this.exchange = undefined;
    if (keep && (!this.context.closing || this.context.keepsIdle)) {
      this.deadlineMs = nowMs + this.context.timeouts.keepAliveMs;
      this.dispatchNext();
    } else this.linger();
  }

  /** Sends a page as the whole response and ends the exchange. */
  sendErrorPage(page: ErrorPage, status: number, head: RequestHead | undefined, keep: boolean): void {
    const keepOpen = keep && !this.context.closing;
    const connection = !keepOpen ? 'close' : head?.http11 === false ? 'keep-alive' : '';
    const headOnly = head?.method === 'HEAD';
    this.socket.write(errorPageResponse(page, status, head?.acceptsHtml === true, headOnly, connection));
    this.exchangeFinished(keepOpen);
  }

  /** Called when the deadline has passed. */
  expire(): void {
    if (this.exchange !== undefined) this.exchange.expire();
    else if (this.unparsed !== undefined && !this.lingering)
      this.sendErrorPage(badRequestPage, 408, undefined, false);
    else this.socket.destroy();
  }

  /** Closes when the request in flight, if any, is finished. */
  close(): void {
    if (this.exchange === undefined && this.unparsed === undefined) this.linger();
  }

  /** Closes now. */
  abort(): void {
    this.exchange?.abort();
    this.socket.destroy();
  }

  private onBytes(bytes: Buffer): void {
    if (this.lingering) return;
    const exchange = this.exchange;
    let at = 0;
    if (exchange !== undefined) {
      at = exchange.clientData(bytes, 0);
      if (at === bytes.length || this.lingering) return;
    }
    const more = at === 0 ? bytes : bytes.subarray(at);
    this.unparsed = this.unparsed === undefined ? more : Buffer.concat([this.unparsed, more]);
    // A client that pipelines has to wait: its requests are served in order, one at a time.
    if (this.exchange !== undefined || this.isPostponed) this.socket.pause();
    else this.dispatchNext();
    if (this.unparsed !== undefined) this.unparsed = copyIfShared(this.unparsed);
  }

  private onDrain(): void {
    this.exchange?.clientDrained();
    if (!this.waitsForDrain) return;
    this.waitsForDrain = false;
    this.goOnInTurn();
  }

  /** Some requests are finished at once, and hundreds may have come together: the next one begins in another turn, and not before the client reads. */
  private postpone(): void {
    this.isPostponed = true;
    this.socket.pause();
    if (this.socket.writableNeedDrain) this.waitsForDrain = true;
    else setImmediate(this.goOnInTurn);
  }

  private readonly goOnInTurn = (): void => eventLoopBudget.run(this.goOn);

  private readonly goOn = (): void => {
    this.isPostponed = false;
    if (!this.socket.destroyed) this.dispatchNext();
  };

  /** Starts the next request, if its head is complete. */
  private dispatchNext(): void {
    if (this.dispatching || this.isPostponed) return;
    this.dispatching = true;
    for (
      let isFirst = true;
      this.exchange === undefined && this.unparsed !== undefined && !this.lingering;
      isFirst = false
    ) {
      if (!isFirst) {
        this.postpone();
        break;
      }
      const bytes = this.unparsed;
      let start = 0;
      // Some clients send an empty line too many behind a body (RFC 9112 section 2.2).
      while (bytes[start] === CR && bytes[start + 1] === LF) start += 2;
      // The end may have begun in what has been looked at.
      const end = findHeadEnd(bytes, Math.max(start, this.scannedBytes - 3));
      if (end === -1 && this.waitsForRest(bytes, start)) break;
      this.unparsed = undefined;
      this.scannedBytes = 0;
      this.startExchange(bytes, start, end);
    }
    this.dispatching = false;
    if (this.exchange === undefined && !this.isPostponed && this.socket.isPaused()) this.socket.resume();
  }

  /** There is no end of a head in these bytes yet: can it still come? Then it has so long. */
  private waitsForRest(bytes: Buffer, start: number): boolean {
    const length = bytes.length - start;
    if (length === 0) {
      this.unparsed = undefined;
      this.scannedBytes = 0;
      return true;
    }
    const request = bytes.subarray(start);
    if (length > HEAD_BYTES_MAX || !isRequestBeginning(request, Math.max(0, this.scannedBytes - start)))
      return false;
    if (length > HEADER_LINE_BYTES_MAX + 2 && !request.includes('\r\n')) return false;
    // Empty lines before it would be counted again.
    this.unparsed = request;
    this.scannedBytes = length;
    this.deadlineMs = Math.min(this.deadlineMs, performance.now() + this.context.timeouts.headMs);
    return true;
  }

  private startExchange(bytes: Buffer, start: number, end: number): void {
    const stop = end === -1 ? bytes.length : end - 2;
    const head = parseRequestHead(bytes.toString('latin1', start, stop), end !== -1);
    const app =
      head.host === '' && head.failure !== undefined ? undefined : this.context.apps.appForHost(head.host);
    if (app === undefined) {
      const keep = head.keepAlive && head.body === 0 && head.failure === undefined;
      if (keep && end < bytes.length) this.unparsed = bytes.subarray(end);
      if (head.failure !== undefined) this.sendErrorPage(badRequestPage, head.failure.status, head, keep);
      else this.sendErrorPage(unknownHostPage, 404, head, keep);
      return;
    }
    // It may be paused because of this very request; the exchange pauses it again if it has to.
    if (this.socket.isPaused()) this.socket.resume();
    const exchange = new Exchange(this.context, this, head, app);
    this.exchange = exchange;
    const at = head.failure !== undefined ? bytes.length : exchange.clientData(bytes, end);
    if (at < bytes.length) {
      this.unparsed = bytes.subarray(at);
      this.socket.pause();
    }
    exchange.start();
  }

  /**
   * Half-closes. Closing at once while the client still sends would reset the connection, and the reset could
   * overtake the response (RFC 9112 section 9.6).
   */
  private linger(): void {
    this.lingering = true;
    this.unparsed = undefined;
    const { idleMs, lingerMs } = this.context.timeouts;
    // A slow client may have to read the end of its response first.
    this.deadlineMs = performance.now() + (this.socket.writableLength > 0 ? idleMs : lingerMs);
    this.socket.end();
    this.socket.resume();
  }
}
