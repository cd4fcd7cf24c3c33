import type { Socket } from 'node:net';
import { type Failure, failures } from './failure.ts';
import type { Body } from './http/body.ts';
import { UntilCloseBody } from './http/body.ts';
import { HEAD_BYTES_MAX, headEnd } from './http/field-cursor.ts';
import { kept } from './http/read.ts';
import type { RequestHead } from './http/request-head.ts';
import { headForClient, parseResponseHead, type ResponseHead, responseBody } from './http/response-head.ts';
import { part, writeWithHead } from './http/write.ts';

/** What has become of the response: more to come, all of it passed on, a tunnel from now on, or broken. */
export type Progress = 'more' | 'done' | 'switched' | Failure;

const HTTP = Buffer.from('HTTP/1.');

/** Passes one dyno's response on to the client while it comes. */
export class Answer {
  /** Has the client got a part of it? Then there is no way back. */
  started = false;
  status = 0;
  /** Did the client have no room for the last write? */
  full = false;
  /** May the dyno's connection be used again, and for how many seconds? */
  keepDyno = false;
  keepAliveS: number | undefined;
  /** May the client's connection be used again? */
  keepClient = false;
  readonly #client: Socket;
  readonly #request: RequestHead;
  readonly #mayKeepClient: boolean;
  #rest: Buffer | undefined;
  #body: Body | undefined;
  #pieces: Buffer[] | undefined;

  /** @param closing is the client's connection to be closed in any case? */
  constructor(client: Socket, request: RequestHead, closing: boolean) {
    this.#client = client;
    this.#request = request;
    this.#mayKeepClient = request.keepAlive && !closing;
  }

  /** Bytes of content passed on so far. */
  get byteCount(): number {
    return this.#body === undefined ? 0 : this.#body.byteCount;
  }

  /** Takes the next bytes from the dyno; they may become others as soon as it returns. */
  push(received: Buffer): Progress {
    if (this.#body !== undefined) return this.#passOn(this.#body, received, 0, '');
    const bytes = this.#rest === undefined ? received : Buffer.concat([this.#rest, received]);
    this.#rest = undefined;
    let at = 0;
    while (at < bytes.length) {
      const end = headEnd(bytes, at);
      if (end === -1) return this.#partialHead(bytes.subarray(at));
      const head = parseResponseHead(bytes.toString('latin1', at, end - 2), this.#request.method);
      if (head.failure !== undefined) return head.failure;
      if (head.status === 101) return this.#switch(head, bytes.subarray(end));
      if (head.status >= 200) return this.#start(head, bytes, end);
      // 100 Continue, 103 Early Hints: on their way; HTTP/1.0 doesn't know them.
      if (this.#request.http11) this.#client.write(headForClient(head, false, ''), 'latin1');
      at = end;
    }
    return 'more';
  }

  /** The dyno has closed the connection: is that the end of the response, or a part of it missing? */
  end(): Progress {
    if (this.#body instanceof UntilCloseBody) return 'done';
    return this.started ? failures.interrupted : failures.noResponse;
  }

  #partialHead(bytes: Buffer): Progress {
    // Something else than HTTP may never send an empty line; no need to wait for one.
    const known = Math.min(bytes.length, HTTP.length);
    if (bytes.compare(HTTP, 0, known, 0, known) !== 0) return failures.malformed;
    if (bytes.length > HEAD_BYTES_MAX) return failures.oversizedHeader;
    this.#rest = kept(bytes);
    return 'more';
  }

  #switch(head: ResponseHead, first: Buffer): Progress {
    if (this.#request.upgrade === undefined) return failures.malformed;
    this.started = true;
    this.status = 101;
    this.#body = new UntilCloseBody();
    const protocol = head.upgrade === '' ? '' : `\r\nUpgrade: ${head.upgrade}`;
    this.#passOn(this.#body, first, 0, headForClient(head, false, `Upgrade${protocol}`));
    return 'switched';
  }

  #start(head: ResponseHead, bytes: Buffer, at: number): Progress {
    const request = this.#request;
    const chunked = head.body === 'chunked';
    if (chunked && !request.http11) this.#pieces = [];
    const framed = head.body !== 'close' && (!chunked || request.http11);
    this.status = head.status;
    this.keepDyno = head.keepAlive;
    this.keepAliveS = head.keepAliveS;
    this.keepClient = framed && this.#mayKeepClient;
    this.#body = responseBody(head, this.#pieces);
    const connection = !this.keepClient ? 'close' : request.http11 ? '' : 'keep-alive';
    return this.#passOn(this.#body, bytes, at, headForClient(head, chunked && request.http11, connection));
  }

  /** @param head to send before the bytes, '' when it has been sent */
  #passOn(body: Body, bytes: Buffer, start: number, head: string): Progress {
    const end = body.take(bytes, start);
    if (end === -1) return failures.malformed;
    let content = part(bytes, start, end);
    if (this.#pieces !== undefined) {
      content = Buffer.concat(this.#pieces);
      this.#pieces.length = 0;
    }
    this.started = true;
    this.full =
      head === '' ? !this.#client.write(kept(content)) : !writeWithHead(this.#client, head, content);
    if (!body.done) return 'more';
    // Bytes behind the end belong to no request.
    if (end < bytes.length) this.keepDyno = false;
    return 'done';
  }
}
