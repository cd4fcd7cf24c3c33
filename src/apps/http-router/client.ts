import type { Socket } from 'node:net';
import { Exchange, type ExchangeClient } from './exchange.ts';
import { HEAD_BYTES_MAX, headEnd, LINE_BYTES_MAX } from './http/field-cursor.ts';
import { acceptedSocket, kept } from './http/read.ts';
import { parseRequestHead, type RequestHead } from './http/request-head.ts';
import { badRequestPage, type Page, pageResponse, unknownHostPage } from './page.ts';
import type { Parts } from './parts.ts';

const CR = 13;
const LF = 10;

/** One client's connection: takes requests out of it, one after the other, and hands each to an exchange. */
export class Client implements ExchangeClient {
  readonly socket: Socket;
  /** The client's address, without the prefix of an IPv4 address in IPv6. */
  readonly address: string;
  deadlineMs: number;
  readonly #parts: Parts;
  #exchange: Exchange | undefined;
  /** Bytes that belong to no request yet. */
  #rest: Buffer | undefined;
  /** True after the last response: the client may still be sending, but nobody listens. */
  #lingering = false;
  #dispatching = false;

  constructor(parts: Parts, accepted: Socket) {
    this.#parts = parts;
    const socket = acceptedSocket(accepted, (bytes) => this.#data(bytes));
    this.socket = socket;
    this.address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.deadlineMs = performance.now() + parts.timeouts.headMs;
    parts.deadlines.add(this);
    socket.on('drain', () => this.#exchange?.clientDrained());
    socket.on('end', () => this.#exchange?.clientEnded());
    // Always followed by 'close'.
    socket.on('error', () => {});
    socket.on('close', () => {
      parts.deadlines.delete(this);
      this.#exchange?.clientClosed();
    });
    socket.resume();
  }

  /** From now on all bytes go to the exchange, those that came early first. */
  tunnel(): void {
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.#exchange?.fromClient(rest, 0);
    this.socket.resume();
  }

  /** The exchange is over. @param keep may the connection be used for another request? */
  finished(keep: boolean, nowMs = performance.now()): void {
    this.#exchange = undefined;
    if (keep && !this.#parts.closing) {
      this.deadlineMs = nowMs + this.#parts.timeouts.keepAliveMs;
      this.#dispatch();
    } else this.#linger();
  }

  /** Sends a page as the whole response and ends the exchange. */
  sendPage(page: Page, status: number, head: RequestHead | undefined, keep: boolean): void {
    const kept = keep && !this.#parts.closing;
    const connection = !kept ? 'close' : head?.http11 === false ? 'keep-alive' : '';
    const bodiless = head?.method === 'HEAD';
    this.socket.write(pageResponse(page, status, head?.wantsHtml === true, bodiless, connection));
    this.finished(kept);
  }

  /** Called when the deadline has passed. */
  expire(): void {
    if (this.#exchange !== undefined) this.#exchange.expire();
    else if (this.#rest !== undefined && !this.#lingering)
      this.sendPage(badRequestPage, 408, undefined, false);
    else this.socket.destroy();
  }

  /** Goes when the request in progress, if any, is finished. */
  close(): void {
    if (this.#exchange === undefined && this.#rest === undefined) this.#linger();
  }

  /** Goes now. */
  abort(): void {
    this.#exchange?.abort();
    this.socket.destroy();
  }

  #data(bytes: Buffer): void {
    if (this.#lingering) return;
    const exchange = this.#exchange;
    let at = 0;
    if (exchange !== undefined) {
      at = exchange.fromClient(bytes, 0);
      if (at === bytes.length || this.#lingering) return;
    }
    const more = at === 0 ? bytes : bytes.subarray(at);
    this.#rest = this.#rest === undefined ? more : Buffer.concat([this.#rest, more]);
    // A client that pipelines has to wait: its requests are answered in order, one at a time.
    if (this.#exchange !== undefined) this.socket.pause();
    else this.#dispatch();
    if (this.#rest !== undefined) this.#rest = kept(this.#rest);
  }

  /** Begins with the next request, if its head is there. A loop, since some are answered at once. */
  #dispatch(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    while (this.#exchange === undefined && this.#rest !== undefined && !this.#lingering) {
      const bytes = this.#rest;
      let start = 0;
      // Some clients send an empty line too many behind a body (RFC 9112 section 2.2).
      while (bytes[start] === CR && bytes[start + 1] === LF) start += 2;
      const end = headEnd(bytes, start);
      if (end === -1 && !this.#tooLong(bytes.subarray(start))) {
        if (bytes.length === start) this.#rest = undefined;
        else this.deadlineMs = Math.min(this.deadlineMs, performance.now() + this.#parts.timeouts.headMs);
        break;
      }
      this.#rest = undefined;
      this.#request(bytes, start, end);
    }
    this.#dispatching = false;
    if (this.#exchange === undefined && this.socket.isPaused()) this.socket.resume();
  }

  #tooLong(bytes: Buffer): boolean {
    return bytes.length > HEAD_BYTES_MAX || (bytes.length > LINE_BYTES_MAX + 2 && !bytes.includes('\r\n'));
  }

  #request(bytes: Buffer, start: number, end: number): void {
    const stop = end === -1 ? bytes.length : end - 2;
    const head = parseRequestHead(bytes.toString('latin1', start, stop), end !== -1);
    const app =
      head.host === '' && head.failure !== undefined
        ? undefined
        : this.#parts.directory.appForHost(head.host);
    if (app === undefined) {
      const keep = head.keepAlive && head.body === 0 && head.failure === undefined;
      if (keep && end < bytes.length) this.#rest = bytes.subarray(end);
      if (head.failure !== undefined) this.sendPage(badRequestPage, head.failure.status, head, keep);
      else this.sendPage(unknownHostPage, 404, head, keep);
      return;
    }
    // It may be paused because of this very request; the exchange pauses it again if it has to.
    if (this.socket.isPaused()) this.socket.resume();
    const exchange = new Exchange(this.#parts, this, head, app);
    this.#exchange = exchange;
    const at = head.failure !== undefined ? bytes.length : exchange.fromClient(bytes, end);
    if (at < bytes.length) {
      this.#rest = bytes.subarray(at);
      this.socket.pause();
    }
    exchange.start();
  }

  /**
   * Half-closes. Closing at once while the client still sends would reset the connection, and the reset could
   * overtake the response (RFC 9112 section 9.6).
   */
  #linger(): void {
    this.#lingering = true;
    this.#rest = undefined;
    const { idleMs, lingerMs } = this.#parts.timeouts;
    // A slow client may have to fetch the end of its response first.
    this.deadlineMs = performance.now() + (this.socket.writableLength > 0 ? idleMs : lingerMs);
    this.socket.end();
    this.socket.resume();
  }
}
