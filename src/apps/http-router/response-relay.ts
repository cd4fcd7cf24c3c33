import type { Socket } from 'node:net';
import { type Failure, failures } from './error-codes.ts';
import type { BodyFraming } from './http/body-framing.ts';
import { UntilCloseBody } from './http/body-framing.ts';
import { findHeadEnd, HEAD_BYTES_MAX, hasForbiddenByte } from './http/header-cursor.ts';
import type { RequestHead } from './http/request-head.ts';
import { headForClient, parseResponseHead, type ResponseHead, responseBody } from './http/response-head.ts';
import { copyIfShared } from './http/shared-read-buffer.ts';
import { isOffered } from './http/upgrade-header.ts';
import { subarrayOrWhole, writeWithHead } from './http/write-with-head.ts';

/** How far the response is: more to come, all of it relayed, a tunnel from now on, or failed. */
export type RelayProgress = 'more' | 'done' | 'switched' | Failure;

const HTTP = Buffer.from('HTTP/1.');

/** Relays one dyno's response to the client while it arrives. */
export class ResponseRelay {
  /** Has the client got a part of it? Then there is no way back. */
  started = false;
  status = 0;
  /** Did the last write fill the client's buffer? Then its `drain` event follows. */
  needsDrain = false;
  /** May the dyno's connection be used again, and for how many seconds? */
  keepDynoConnection = false;
  keepAliveS: number | undefined;
  /** May the client's connection be used again? */
  keepClientConnection = false;
  private readonly client: Socket;
  private readonly request: RequestHead;
  private readonly mayKeepClientConnection: boolean;
  private headBytes: Buffer | undefined;
  private body: BodyFraming | undefined;
  private dechunked: Buffer[] | undefined;

  /** @param closing is the client's connection to be closed in any case? */
  constructor(client: Socket, request: RequestHead, closing: boolean) {
    this.client = client;
    this.request = request;
    this.mayKeepClientConnection = request.keepAlive && !closing;
  }

  /** Bytes of content relayed so far. */
  get byteCount(): number {
    return this.body === undefined ? 0 : this.body.byteCount;
  }

  /** Takes the next bytes from the dyno; they may be overwritten as soon as it returns. */
  push(received: Buffer): RelayProgress {
    if (this.body !== undefined) return this.relay(this.body, received, 0, '');
    const bytes = this.headBytes === undefined ? received : Buffer.concat([this.headBytes, received]);
    // So much has been looked at before.
    const scanned = this.headBytes?.length ?? 0;
    this.headBytes = undefined;
    let at = 0;
    while (at < bytes.length) {
      const end = findHeadEnd(bytes, Math.max(at, scanned - 3));
      if (end === -1) return this.bufferPartialHead(bytes.subarray(at), scanned - at);
      const head = parseResponseHead(bytes.toString('latin1', at, end - 2), this.request.method);
      if (head.failure !== undefined) return head.failure;
      if (head.status === 101) return this.switchProtocols(head, bytes.subarray(end));
      if (head.status >= 200) return this.startResponse(head, bytes, end);
      // 100 Continue, 103 Early Hints: relayed at once; HTTP/1.0 doesn't know them.
      if (this.request.http11) this.needsDrain = !this.client.write(headForClient(head, false, ''), 'latin1');
      at = end;
    }
    return 'more';
  }

  /** The dyno has closed the connection: is that the end of the response, or is a part of it missing? */
  dynoEnded(): RelayProgress {
    if (this.body instanceof UntilCloseBody) return 'done';
    return this.started ? failures.interrupted : failures.noResponse;
  }

  private bufferPartialHead(bytes: Buffer, scanned: number): RelayProgress {
    // Something else than HTTP may never send an empty line; no need to wait for one.
    const known = Math.min(bytes.length, HTTP.length);
    if (bytes.compare(HTTP, 0, known, 0, known) !== 0) return failures.malformed;
    if (hasForbiddenByte(bytes, Math.max(0, scanned - 1))) return failures.malformed;
    if (bytes.length > HEAD_BYTES_MAX) return failures.oversizedHeader;
    this.headBytes = copyIfShared(bytes);
    return 'more';
  }

  private switchProtocols(head: ResponseHead, first: Buffer): RelayProgress {
    const offered = this.request.upgrade;
    if (offered === undefined || !isOffered(head.upgrade, offered)) return failures.malformed;
    this.started = true;
    this.status = 101;
    this.body = new UntilCloseBody();
    this.relay(this.body, first, 0, headForClient(head, false, `Upgrade\r\nUpgrade: ${head.upgrade}`));
    return 'switched';
  }

  private startResponse(head: ResponseHead, bytes: Buffer, at: number): RelayProgress {
    const request = this.request;
    const chunked = head.body === 'chunked';
    if (chunked && !request.http11) this.dechunked = [];
    const framed = head.body !== 'close' && (!chunked || request.http11);
    this.status = head.status;
    this.keepDynoConnection = head.keepAlive;
    this.keepAliveS = head.keepAliveS;
    this.keepClientConnection = framed && this.mayKeepClientConnection;
    this.body = responseBody(head, this.dechunked);
    const connection = !this.keepClientConnection ? 'close' : request.http11 ? '' : 'keep-alive';
    return this.relay(this.body, bytes, at, headForClient(head, chunked && request.http11, connection));
  }

  /** @param head to send before the bytes, '' when it has been sent */
  private relay(body: BodyFraming, bytes: Buffer, start: number, head: string): RelayProgress {
    const end = body.take(bytes, start);
    if (end === -1) return failures.malformed;
    let content = subarrayOrWhole(bytes, start, end);
    if (this.dechunked !== undefined) {
      content = Buffer.concat(this.dechunked);
      this.dechunked.length = 0;
    }
    this.started = true;
    this.needsDrain =
      head === '' ? !this.client.write(copyIfShared(content)) : !writeWithHead(this.client, head, content);
    if (!body.done) return 'more';
    // Bytes behind the end belong to no request.
    if (end < bytes.length) this.keepDynoConnection = false;
    return 'done';
  }
}
