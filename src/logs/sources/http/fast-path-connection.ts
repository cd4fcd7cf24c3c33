import type { Socket } from 'node:net';
import { readAuthorization } from '../../../common/authorization.ts';
import { detachBuffer } from '../../../common/detach-buffer.ts';
import { TailraceError } from '../../../common/errors.ts';
import type { LogRouter } from '../../router/log-router.ts';
import type { RateLimiter } from '../../router/rate-limiter.ts';
import { normalizeAddress } from '../../router/source-rules.ts';
import { type LogSource, WILDCARD_SOURCE } from '../../router/token-cache.ts';
import { BATCH_BYTES } from '../../syslog/batch.ts';
import { estimateLogplexBatchBytes, takeLogplexBody } from '../formats/logplex-body.ts';
import type { LineReceiver } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';
import { type FastPathHead, readFastPathHead } from './fast-path-head.ts';
import { acceptedResponse, rejectedResponse } from './fast-path-response.ts';
import { rejectionFor } from './ingest-authorizer.ts';
import { readFrameId, receiverForRequest } from './request-receiver.ts';

export interface FastPathOptions {
  readonly router: LogRouter;
  readonly rateLimiter: RateLimiter;
  readonly counters: ListenerCounters;
  /** Called after every request: to look at the counters. */
  readonly onResponse: () => void;
  readonly warn: (fields: object, message: string) => void;
}

/** What a connection is part of. */
export interface FastPathHooks {
  /** How long a connection without a request stays open, ms. */
  readonly keepAliveMs: number;
  /** It is closed, or somebody else's. */
  readonly onDetached: () => void;
  /** Gives the socket to Node's server. */
  readonly handOverToNode: () => void;
}

/** A request of which the head has come. */
interface PendingRequest {
  readonly head: FastPathHead;
  readonly logSource: LogSource;
  /** About what its lines take in a batch. */
  readonly batchBytes: number;
  /** Why its lines won't be taken. */
  readonly rejection: TailraceError | undefined;
}

/** A connection on which only usual requests have come so far. It reads the next one when the one before is answered. */
export class FastPathConnection {
  readonly socket: Socket;
  waitsFor: 'first request' | 'body' | 'answer' | 'next request' = 'first request';
  /** Since when, on the clock of `performance.now()`. */
  waitingSinceMs = performance.now();
  private readonly options: FastPathOptions;
  private readonly hooks: FastPathHooks;
  private readonly host: string;
  private request: PendingRequest | undefined;
  private bodyChunks: Buffer[] = [];
  private missingBytes = 0;
  /** What came behind the request that is being answered. */
  private pipelined: Buffer | undefined;
  /** No request comes behind this one. */
  private isLastRequest = false;
  private handedOver = false;
  /** For the requests without a name, one after the other. */
  private receiver: LineReceiver | undefined;

  constructor(socket: Socket, options: FastPathOptions, hooks: FastPathHooks) {
    this.socket = socket;
    this.options = options;
    this.hooks = hooks;
    this.host = normalizeAddress(socket.remoteAddress ?? 'unknown');
    socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.on('error', ignore);
    socket.on('close', hooks.onDetached);
  }

  /** Closes it when what it is at is answered. */
  close(): void {
    this.isLastRequest = true;
    if (this.waitsFor !== 'answer') this.socket.destroy();
  }

  private readonly onData = (bytes: Buffer): void => {
    if (this.waitsFor === 'answer') {
      this.pipelined = this.pipelined ? Buffer.concat([this.pipelined, bytes]) : bytes;
      this.socket.pause();
    } else if (this.request) this.collectBody(this.request, bytes, bytes);
    else this.startRequest(bytes);
  };

  private readonly onEnd = (): void => {
    this.isLastRequest = true;
    if (this.waitsFor !== 'answer') this.socket.end();
  };

  /** `bytes` start with a request. */
  private startRequest(bytes: Buffer): void {
    const head = readFastPathHead(bytes);
    const credentials = readAuthorization(head?.authorization);
    const batchBytes = head ? estimateLogplexBatchBytes(head.length, head.msgCount) : 0;
    if (!head || credentials.kind !== 'token' || !(batchBytes <= BATCH_BYTES)) {
      this.handOverToNode(bytes);
      return;
    }
    const logSource = this.options.router.lookupToken(credentials.token);
    if (logSource === undefined) this.loadToken(credentials.token, bytes);
    else if (logSource === null || logSource.source === WILDCARD_SOURCE) this.handOverToNode(bytes);
    else {
      const rejection = rejectionFor(logSource, head.msgCount, this.options);
      this.request = { head, logSource, batchBytes, rejection };
      this.missingBytes = head.length;
      this.waitFor('body');
      this.collectBody(this.request, bytes.subarray(head.end), bytes);
    }
  }

  /** Asks for the token, and begins again. */
  private loadToken(token: string, bytes: Buffer): void {
    this.waitFor('answer');
    this.socket.pause();
    this.options.router.loadToken(token).then(
      () => this.continueWith(bytes),
      () => this.handOverToNode(bytes),
    );
  }

  /** `bytes`, which came in `chunk`, are the rest of the request's body, or some of it, and what comes behind it. */
  private collectBody(request: PendingRequest, bytes: Buffer, chunk: Buffer): void {
    const { missingBytes } = this;
    if (bytes.length < missingBytes) {
      this.bodyChunks.push(bytes);
      this.missingBytes -= bytes.length;
      return;
    }
    let body = bytes.length === missingBytes ? bytes : bytes.subarray(0, missingBytes);
    if (this.bodyChunks.length > 0) {
      body = Buffer.concat([...this.bodyChunks, body], request.head.length);
      this.bodyChunks = [];
    }
    this.request = undefined;
    this.waitFor('answer');
    if (bytes.length > missingBytes) {
      this.pipelined = bytes.subarray(missingBytes);
      this.socket.pause();
    }
    this.storeBody(request, body, bytes.length > missingBytes ? body : chunk);
  }

  /** Hands the lines over, and answers when they are stored. @param held holds the body, and nothing that is read later. */
  private storeBody(request: PendingRequest, body: Buffer, held: Buffer): void {
    try {
      this.takeLines(request, body, held).then(this.onStored, this.onRejected);
    } catch (error) {
      this.onRejected(error);
    }
  }

  private takeLines(
    { rejection, head, logSource, batchBytes }: PendingRequest,
    body: Buffer,
    held: Buffer,
  ): Promise<unknown> {
    if (rejection) throw rejection;
    const { host } = this;
    const { router, rateLimiter, counters } = this.options;
    const frameId = readFrameId(head.frameId);
    const receiver = receiverForRequest(
      { router, rateLimiter, counters, host, logSource, bytes: batchBytes, frameId },
      this.receiver,
    );
    if (!frameId) this.receiver = receiver;
    const loadingTokens = takeLogplexBody(body, receiver, {
      msgCount: head.msgCount,
      tokenPerLine: false,
      counters,
    });
    if (loadingTokens) return loadingTokens.then(() => receiver.whenStored());
    detachBuffer(held);
    return receiver.whenStored();
  }

  private readonly onStored = (): void => this.respond(acceptedResponse(this.keepAliveMs));

  private readonly onRejected = (error: unknown): void => {
    this.receiver = undefined;
    if (!(error instanceof TailraceError))
      this.options.warn({ err: error, method: 'POST', url: '/logs' }, 'a request failed unexpectedly');
    this.respond(rejectedResponse(error, this.keepAliveMs));
  };

  private get keepAliveMs(): number {
    return this.isLastRequest ? 0 : this.hooks.keepAliveMs;
  }

  private respond(text: string): void {
    const { socket, pipelined } = this;
    this.options.onResponse();
    socket.write(text, 'latin1');
    if (this.isLastRequest) {
      // Not only its half: nothing is read any more, so the other end's would never be seen to close.
      socket.destroySoon();
      return;
    }
    this.pipelined = undefined;
    if (pipelined) this.continueWith(pipelined);
    else {
      this.waitFor('next request');
      if (socket.isPaused()) socket.resume();
    }
  }

  /** Reads on, what is there already first: it starts with a request. */
  private continueWith(bytes: Buffer): void {
    if (this.isLastRequest || this.socket.destroyed) {
      this.socket.destroy();
      return;
    }
    this.waitFor('next request');
    this.startRequest(bytes);
    if (!this.handedOver && this.waitsFor !== 'answer') this.socket.resume();
  }

  /** Gives the connection to Node's server, with what has come and isn't answered. */
  private handOverToNode(bytes: Buffer): void {
    const { socket, hooks } = this;
    if (socket.destroyed) return;
    this.handedOver = true;
    socket.pause();
    socket.off('data', this.onData);
    socket.off('end', this.onEnd);
    socket.off('error', ignore);
    socket.off('close', hooks.onDetached);
    hooks.onDetached();
    socket.unshift(bytes);
    hooks.handOverToNode();
    socket.resume();
  }

  private waitFor(what: FastPathConnection['waitsFor']): void {
    this.waitsFor = what;
    this.waitingSinceMs = performance.now();
  }
}

/** Of a socket: `close` follows. */
function ignore(): void {}
