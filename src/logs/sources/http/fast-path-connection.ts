import type { Socket } from 'node:net';
import { TailraceError } from '../../../common/errors.ts';
import type { TrustedProxies } from '../../../common/http/trusted-proxies.ts';
import { eventLoopBudget } from '../../../common/limits/turns.ts';
import type { Log } from '../../../common/log.ts';
import type { LogRouter } from '../../router/log-router.ts';
import type { RateLimiter } from '../../router/rate-limiter.ts';
import { normalizeAddress } from '../../router/source-rules.ts';
import { type LogSource, WILDCARD_SOURCE } from '../../router/token-cache.ts';
import type { AppId } from '../../store/contract.ts';
import { BATCH_BYTES } from '../../syslog/batch.ts';
import { digestRequest } from '../bodies/digest.ts';
import { checkLogplexBody, takeLogplexBody, takeLogplexBodyInSlices } from '../formats/logplex-body.ts';
import type { LineReceiver } from '../line-receiver.ts';
import type { ListenerCounters } from '../listener-counters.ts';
import { FastPathReader, type FastPathState, ReadStep } from './fast-path-reader.ts';
import { acceptedResponse, rejectedResponse } from './fast-path-response.ts';
import { type HeldRequests, isForNow } from './held-requests.ts';
import { rejectionFor } from './ingest-authorizer.ts';
import { appsStoredInSpite, type RefusedRequests } from './refused-requests.ts';
import {
  type RequestReceiverOptions,
  readFrameId,
  receiverForRequest,
  sharesBatches,
} from './request-receiver.ts';
import { RequestStorer } from './request-storer.ts';

/** As Node's path has it, so that either recognizes what the other has refused. */
const URL_AND_TYPE = '/logs application/logplex-1';

export interface FastPathOptions {
  readonly router: LogRouter;
  readonly rateLimiter: RateLimiter;
  readonly counters: ListenerCounters;
  readonly held: HeldRequests;
  readonly refusedRequests: RefusedRequests;
  /** Left out: none. */
  readonly trustedProxies?: TrustedProxies;
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
  /** The connection's, and whether it is a proxy's, which says itself who sends. */
  private readonly peer: string;
  private readonly isProxied: boolean;
  private host: string;
  private logSource: LogSource | undefined;
  /** Why the lines of the request won't be taken. */
  private rejection: TailraceError | undefined;
  /** No request comes behind this one. */
  private isLastRequest = false;
  private handedOver = false;
  /** Reused for the requests without a frame id. */
  private receiver: LineReceiver | undefined;
  /** Of the request that is stored now: when that began. */
  private storingSinceMs = 0;
  /** What its lines are taken with, once they are. */
  private taken: RequestReceiverOptions | undefined;
  /** When it may have been refused before although it is stored. */
  private digest: string | undefined;

  constructor(socket: Socket, options: FastPathOptions, hooks: FastPathHooks) {
    this.socket = socket;
    this.options = options;
    this.hooks = hooks;
    this.peer = normalizeAddress(socket.remoteAddress ?? 'unknown');
    this.host = this.peer;
    this.isProxied = options.trustedProxies?.has(this.peer) ?? false;
    socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.on('error', ignore);
    socket.on('close', hooks.onDetached);
  }

  get waitsFor(): FastPathState {
    return this.reader.waitsFor;
  }

  /** It is closed after the response to the request that is being answered, or that comes next. */
  expectLastRequest(): void {
    this.isLastRequest = true;
  }

  /** Closes it unless a request has begun to come. */
  closeIfIdle(): void {
    const { waitsFor } = this.reader;
    if (waitsFor === 'first request' || waitsFor === 'next request') this.socket.destroy();
  }

  private readonly onData = (bytes: Buffer): void => this.execute(this.reader.receive(bytes));

  private readonly onEnd = (): void => {
    this.isLastRequest = true;
    if (!this.reader.isBusy) this.socket.end();
  };

  private execute(step: ReadStep): void {
    switch (step) {
      case ReadStep.headRead:
        if (this.isProxied) this.findSender();
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

  /** The requests of a proxy's connection come from different senders. */
  private findSender(): void {
    const { forwardedFor = '' } = this.reader.head;
    const host = normalizeAddress(
      this.options.trustedProxies?.clientOf(forwardedFor, this.peer) ?? this.peer,
    );
    if (host === this.host) return;
    this.host = host;
    this.receiver = undefined;
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
    if (this.socket.destroyed) return;
    this.resolveSource();
    this.resumeReading();
  };

  private readonly onTokenNotLoaded = (): void => this.handOverToNode();

  /** Takes the lines, and responds when they are stored. */
  private storeRequest(): void {
    this.storingSinceMs = performance.now();
    this.taken = undefined;
    eventLoopBudget.run(this.storeInTurn);
  }

  private readonly storeInTurn = (): void => {
    try {
      this.takeLines().then(this.onStored, this.onNotStored);
    } catch (error) {
      this.onNotStored(error);
    }
  };

  private takeLines(): Promise<unknown> {
    const { rejection, reader } = this;
    if (rejection) throw rejection;
    const { refusedRequests, counters } = this.options;
    const { msgCount } = reader.head;
    const bytes = checkLogplexBody(reader.body, { msgCount, tokenPerLine: false, counters });
    const frameId = readFrameId(reader.head.frameId);
    if (frameId !== undefined || refusedRequests.isEmpty) return this.takeNow(bytes, frameId, undefined);
    this.digest = this.makeDigest();
    return refusedRequests
      .storedAppsOf(this.digest)
      .then((storedBefore) => this.takeNow(bytes, undefined, storedBefore));
  }

  /** @param storedBefore of an attempt of this request that was refused. */
  private takeNow(
    bytes: number,
    frameId: string | undefined,
    storedBefore: ReadonlySet<AppId> | undefined,
  ): Promise<unknown> {
    const { logSource, host } = this;
    const { router, rateLimiter, counters } = this.options;
    const options = { router, rateLimiter, counters, host, logSource, bytes, frameId, storedBefore };
    this.taken = options;
    const receiver = receiverForRequest(options, this.receiver);
    if (sharesBatches(options)) this.receiver = receiver;
    const taking = this.giveTo(receiver, options);
    return taking ? taking.then(() => receiver.whenStored()) : receiver.whenStored();
  }

  /** Gives the lines to a receiver, at once where they share batches with others. */
  private giveTo(
    receiver: LineReceiver,
    { bytes, counters }: RequestReceiverOptions,
  ): Promise<void> | undefined {
    const { body } = this.reader;
    return bytes > BATCH_BYTES
      ? takeLogplexBodyInSlices(body, receiver, { msgCount: undefined, tokenPerLine: false, counters })
      : takeLogplexBody(body, receiver);
  }

  private makeDigest(): string {
    return digestRequest(`${this.logSource?.token} ${URL_AND_TYPE}`, this.reader.body);
  }

  private readonly onStored = (): void => {
    if (this.digest !== undefined) this.options.refusedRequests.forget(this.digest);
    this.respond(acceptedResponse(this.keepAliveMs));
  };

  /** The first attempt failed: it is made again for a while. */
  private readonly onNotStored = (error: unknown): void => {
    this.receiver = undefined;
    if (isForNow(error)) {
      this.hold(error);
      return;
    }
    this.rememberStored(appsStoredInSpite(error, this.logSource?.app));
    this.onRejected(error);
  };

  private hold(error: unknown): void {
    const { held } = this.options;
    const request = held.begin(() => this.socket.destroyed);
    request.restMs -= performance.now() - this.storingSinceMs;
    request.bytes = this.reader.body.length;
    let storer = this.storerAfter(error);
    const again = async (): Promise<unknown> => {
      if (storer) return storer.store();
      if (this.logSource)
        this.rejection = rejectionFor(this.logSource, this.reader.head.msgCount, this.options);
      try {
        return await this.takeLines();
      } catch (next) {
        storer = this.storerAfter(next);
        throw next;
      }
    };
    held.retry(request, again, error).then(this.onStored, (last: unknown) => {
      if (storer) this.rememberStored(storer.storedInSpite);
      this.onRejected(last);
    });
  }

  /** Stores lines that were taken once, and not stored. */
  private storerAfter(error: unknown): RequestStorer | undefined {
    const { taken } = this;
    return taken && new RequestStorer(taken, (receiver) => this.giveTo(receiver, taken), error);
  }

  /** The request is refused, although lines of it are stored or may be. */
  private rememberStored(storedApps: Promise<ReadonlySet<AppId>> | undefined): void {
    if (storedApps && readFrameId(this.reader.head.frameId) === undefined)
      this.options.refusedRequests.remember(this.digest ?? this.makeDigest(), storedApps);
  }

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
    this.digest = undefined;
    this.taken = undefined;
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
