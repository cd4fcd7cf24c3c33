import type { Socket } from 'node:net';
import { TailraceError } from '../../../common/errors.ts';
import type { Log } from '../../../common/log.ts';
import type { LogRouter } from '../../router/log-router.ts';
import type { RateLimiter } from '../../router/rate-limiter.ts';
import { normalizeAddress } from '../../router/source-rules.ts';
import { type LogSource, WILDCARD_SOURCE } from '../../router/token-cache.ts';
import { BATCH_BYTES } from '../../syslog/batch.ts';
import { digestBody, type RetriableRequest, type RetryDeduplicator } from '../bodies/retry-dedup.ts';
import { checkLogplexBody, takeLogplexBody, takeLogplexBodyInSlices } from '../formats/logplex-body.ts';
import type { LineReceiver } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';
import { FastPathReader, type FastPathState, ReadStep } from './fast-path-reader.ts';
import { acceptedResponse, rejectedResponse } from './fast-path-response.ts';
import { type HeldRequests, isForNow } from './held-requests.ts';
import { rejectionFor } from './ingest-authorizer.ts';
import { RequestStorer, readFrameId, receiverForRequest } from './request-receiver.ts';

export interface FastPathOptions {
  readonly router: LogRouter;
  readonly rateLimiter: RateLimiter;
  readonly counters: ListenerCounters;
  readonly held: HeldRequests;
  readonly retryDedup: RetryDeduplicator;
  /** Called after every request, to check the counters. */
  readonly onResponse: () => void;
  readonly log: Log;
}

/** What a connection reports to its server. */
export interface FastPathHooks {
  /** How long a connection without a request stays open, ms. */
  readonly keepAliveMs: number;
  /** It is closed, or was given to Node's server. */
  readonly onDetached: () => void;
  /** Gives the socket to Node's server. */
  readonly handOverToNode: () => void;
}

/** A connection on which only fast-path requests have come so far: executes what its {@link FastPathReader} decides. */
export class FastPathConnection {
  readonly socket: Socket;
  /** Since when it waits for what the reader waits for, on the clock of `performance.now()`. */
  waitingSinceMs = performance.now();
  private readonly reader = new FastPathReader();
  private readonly options: FastPathOptions;
  private readonly hooks: FastPathHooks;
  private readonly host: string;
  private logSource: LogSource | undefined;
  /** Why the lines of the request won't be taken. */
  private rejection: TailraceError | undefined;
  /** No request comes behind this one. */
  private isLastRequest = false;
  private handedOver = false;
  /** Reused for the requests without a frame id. */
  private receiver: LineReceiver | undefined;
  /** Of the request that is stored now: when that began, about what its lines take, and how they are stored under a name. */
  private storingSinceMs = 0;
  private batchBytes = 0;
  private storer: RequestStorer | undefined;
  private retriable: RetriableRequest | undefined;
  /** Its lines were given to a receiver. */
  private isTaken = false;

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

  get waitsFor(): FastPathState {
    return this.reader.waitsFor;
  }

  /** Closes it, after the response if a request is being answered. */
  close(): void {
    this.isLastRequest = true;
    if (!this.reader.isBusy) this.socket.destroy();
  }

  private readonly onData = (bytes: Buffer): void => this.execute(this.reader.receive(bytes));

  private readonly onEnd = (): void => {
    this.isLastRequest = true;
    if (!this.reader.isBusy) this.socket.end();
  };

  private execute(step: ReadStep): void {
    switch (step) {
      case ReadStep.headRead:
        this.resolveSource();
        return;
      case ReadStep.requestRead:
        if (this.reader.hasPipelined) this.socket.pause();
        this.storeRequest();
        return;
      case ReadStep.notFastPath:
        this.handOverToNode();
        return;
      case ReadStep.pipelined:
        this.socket.pause();
        return;
    }
  }

  /** Goes on with the request whose head was read, once its token is known. */
  private resolveSource(): void {
    const { reader } = this;
    const { router } = this.options;
    const logSource = router.lookupToken(reader.token);
    if (logSource === undefined) {
      this.socket.pause();
      router.loadToken(reader.token).then(this.onTokenLoaded, this.onTokenNotLoaded);
    } else if (logSource === null || logSource.source === WILDCARD_SOURCE) this.handOverToNode();
    else {
      this.logSource = logSource;
      this.rejection = rejectionFor(logSource, reader.head.msgCount, this.options);
      this.waitingSinceMs = performance.now();
      this.execute(reader.acceptHead());
    }
  }

  private readonly onTokenLoaded = (): void => {
    if (this.isLastRequest || this.socket.destroyed) {
      this.socket.destroy();
      return;
    }
    this.resolveSource();
    this.resumeReading();
  };

  private readonly onTokenNotLoaded = (): void => this.handOverToNode();

  /** Takes the lines, and responds when they are stored. */
  private storeRequest(): void {
    this.storingSinceMs = performance.now();
    this.isTaken = false;
    try {
      this.takeLines().then(this.onStored, this.onNotStored);
    } catch (error) {
      this.onNotStored(error);
    }
  }

  private takeLines(): Promise<unknown> {
    const { rejection, logSource, host, reader } = this;
    if (rejection) throw rejection;
    const { head, body } = reader;
    const { router, rateLimiter, counters } = this.options;
    const frameId = readFrameId(head.frameId);
    const bytes = checkLogplexBody(body, { msgCount: head.msgCount, tokenPerLine: false, counters });
    this.batchBytes = bytes;
    this.isTaken = true;
    if (frameId !== undefined || bytes > BATCH_BYTES) {
      this.storer = this.namedStorer(frameId ?? this.nameForRetries());
      return this.storer.store();
    }
    const receiver = receiverForRequest(
      { router, rateLimiter, counters, host, logSource, bytes, frameId },
      this.receiver,
    );
    this.receiver = receiver;
    const loadingTokens = takeLogplexBody(body, receiver);
    return loadingTokens ? loadingTokens.then(() => receiver.whenStored()) : receiver.whenStored();
  }

  private namedStorer(frameId: string | undefined): RequestStorer {
    const { logSource, host, reader, batchBytes: bytes } = this;
    const { router, rateLimiter, counters } = this.options;
    const options = { msgCount: undefined, tokenPerLine: false, counters };
    return new RequestStorer(
      { router, rateLimiter, counters, host, logSource, bytes, frameId },
      (receiver) =>
        bytes > BATCH_BYTES
          ? takeLogplexBodyInSlices(reader.body, receiver, options)
          : takeLogplexBody(reader.body, receiver),
    );
  }

  /** Of many short lines: they need several batches. */
  private nameForRetries(): string {
    const digest = digestBody(`${this.logSource?.token} /logs application/logplex-1`, this.reader.body);
    this.retriable = this.options.retryDedup.frameIdFor(digest);
    return this.retriable.frameId;
  }

  private readonly onStored = (): void => {
    // A sender that has disconnected doesn't know, and sends it again.
    if (!this.socket.destroyed) this.retriable?.forget();
    this.retriable = undefined;
    this.respond(acceptedResponse(this.keepAliveMs));
  };

  /** The first attempt failed. */
  private readonly onNotStored = (error: unknown): void => {
    this.receiver = undefined;
    if (!isForNow(error)) {
      this.onRejected(error);
      return;
    }
    const { held } = this.options;
    const request = held.begin(() => this.socket.destroyed);
    request.restMs -= performance.now() - this.storingSinceMs;
    request.bytes = this.reader.body.length;
    held.retry(request, this.storeAgain, error).then(this.onStored, this.onRejected);
  };

  private readonly storeAgain = (): Promise<unknown> => {
    if (!this.isTaken) {
      if (this.logSource)
        this.rejection = rejectionFor(this.logSource, this.reader.head.msgCount, this.options);
      return this.takeLines();
    }
    this.storer ??= this.namedStorer(undefined);
    return this.storer.storeAgain();
  };

  private readonly onRejected = (error: unknown): void => {
    this.receiver = undefined;
    if (!(error instanceof TailraceError))
      this.options.log.warn({ err: error, method: 'POST', url: '/logs' }, 'a request failed unexpectedly');
    this.respond(rejectedResponse(error, this.keepAliveMs));
  };

  private get keepAliveMs(): number {
    return this.isLastRequest ? 0 : this.hooks.keepAliveMs;
  }

  private respond(text: string): void {
    const { socket } = this;
    this.storer = undefined;
    this.reader.releaseBody();
    this.options.onResponse();
    socket.write(text, 'latin1');
    if (this.isLastRequest) {
      // Both directions: nothing is read any more, so the end of the other one would never be seen.
      socket.destroySoon();
      return;
    }
    if (socket.destroyed) return;
    this.waitingSinceMs = performance.now();
    this.execute(this.reader.next());
    this.resumeReading();
  }

  private resumeReading(): void {
    if (!this.handedOver && !this.reader.isBusy && this.socket.isPaused()) this.socket.resume();
  }

  /** Gives the connection to Node's server, with what has come and isn't answered. */
  private handOverToNode(): void {
    const { socket, hooks } = this;
    if (socket.destroyed) return;
    this.handedOver = true;
    socket.pause();
    socket.off('data', this.onData);
    socket.off('end', this.onEnd);
    socket.off('error', ignore);
    socket.off('close', hooks.onDetached);
    hooks.onDetached();
    socket.unshift(this.reader.unread);
    hooks.handOverToNode();
    socket.resume();
  }
}

/** Of a socket: `close` follows. */
function ignore(): void {}
