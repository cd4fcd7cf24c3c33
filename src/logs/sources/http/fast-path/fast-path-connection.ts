import type { Socket } from 'node:net';
import { readIntoBuffer } from '../../../../common/buffers/read-into-buffer.ts';
import { TailraceError } from '../../../../common/errors.ts';
import type { TrustedProxies } from '../../../../common/http/trusted-proxies.ts';
import { eventLoopBudget } from '../../../../common/limits/turns.ts';
import type { Log } from '../../../../common/log.ts';
import type { LogRouter } from '../../../router/log-router.ts';
import type { RateLimiter } from '../../../router/rate-limiter.ts';
import { normalizeAddress } from '../../../router/source-rules.ts';
import { type LogSource, WILDCARD_SOURCE } from '../../../router/token-cache.ts';
import type { AppId } from '../../../store/contract.ts';
import { BATCH_BYTES } from '../../../syslog/batch.ts';
import { requestBuffer } from '../../../syslog/wasm/wasm-codec.ts';
import type { BodyMemory, BodyReservation } from '../../bodies/body-memory.ts';
import { digestRequest } from '../../bodies/digest.ts';
import type { RecordForm } from '../../formats/wasm/wasm-records.ts';
import type { LineReceiver } from '../../line-receiver.ts';
import type { ListenerCounters } from '../../listener-counters.ts';
import { isHerokuDrainForm } from '../body-formats.ts';
import { type HeldRequests, isForNow } from '../held-requests.ts';
import { rejectionFor, type SourceForSender } from '../ingest-authorizer.ts';
import { appsStoredInSpite, type RefusedRequests, refusalOf } from '../refused-requests.ts';
import { LogplexLines, type RequestLines } from '../request-lines.ts';
import {
  type RequestReceiverOptions,
  readFrameId,
  receiverForRequest,
  recordFormFor,
  sharesBatches,
} from '../request-receiver.ts';
import { RequestStorer } from '../request-storer.ts';
import { readFastPathLines, unpackFastPathBody } from './fast-path-body.ts';
import { FastPathReader, type FastPathState, ReadStep } from './fast-path-reader.ts';
import { acceptanceOf, acceptedResponse, rejectedResponse } from './fast-path-response.ts';

const NOTHING = Buffer.alloc(0);

export interface FastPathOptions {
  readonly router: LogRouter;
  readonly rateLimiter: RateLimiter;
  readonly counters: ListenerCounters;
  readonly otlpCounters: ListenerCounters;
  readonly sourceForSender: SourceForSender | undefined;
  /** Left out: none. */
  readonly trustedProxies?: TrustedProxies;
  readonly bodyMemory: BodyMemory;
  readonly held: HeldRequests;
  readonly refusedRequests: RefusedRequests;
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
  /** The sender has ended its side in the middle of a request. */
  readonly onCutOff: () => void;
}

/** A connection on which only fast-path requests have come so far: executes what its {@link FastPathReader} decides. */
export class FastPathConnection {
  readonly socket: Socket;
  /** Since when it waits for what the reader waits for, on the clock of `performance.now()`. */
  waitingSinceMs = performance.now();
  private readonly reader = new FastPathReader(requestBuffer);
  private readonly options: FastPathOptions;
  private readonly hooks: FastPathHooks;
  /** The connection's, and whether it is a proxy's, which says itself who sends. */
  private readonly peer: string;
  private readonly isProxied: boolean;
  private host: string;
  private logSource: LogSource | undefined;
  /** Of these two, once it was asked for. */
  private form: RecordForm | undefined;
  /** Why the lines of the request won't be taken. */
  private rejection: TailraceError | undefined;
  /** No request comes behind this one. */
  private isLastRequest = false;
  private handedOver = false;
  private readonly memory: BodyReservation;
  /** Of the request that is stored now. */
  private lines: RequestLines | undefined;
  /** Its body, decompressed. */
  private body: Buffer = NOTHING;
  private isStoring = false;
  /** Reused for the requests without a frame id, and what it was made with besides the source. */
  private receiver: LineReceiver | undefined;
  private receiverCounters: ListenerCounters | undefined;
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
    this.memory = options.bodyMemory.reserve();
    if (readIntoBuffer(socket, requestBuffer, this.onRead)) socket.resume();
    else socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.on('error', ignore);
    socket.on('close', this.onClose);
  }

  /** What has to come before it goes on. */
  get waitsFor(): FastPathState {
    return this.reader.waitsFor;
  }

  /** It is closed after the response to the request that is being answered, or that comes next. */
  expectLastRequest(): void {
    this.isLastRequest = true;
  }

  /** Closes it unless a request has begun to come. */
  closeIfIdle(): void {
    if (this.isIdle) this.socket.destroy();
  }

  /** No request has begun to come. */
  private get isIdle(): boolean {
    const { waitsFor } = this.reader;
    return waitsFor === 'first request' || waitsFor === 'next request';
  }

  private readonly onData = (bytes: Buffer): void => this.execute(this.reader.receive(bytes));

  /** So many bytes are in the shared buffer, until the next read of whichever connection. */
  private readonly onRead = (count: number): boolean => {
    const bytes = requestBuffer.subarray(0, count);
    if (this.handedOver) return this.socket.push(Buffer.from(bytes));
    this.execute(this.reader.receive(bytes));
    this.keepBody();
    this.reader.keep();
    return true;
  };

  private readonly onEnd = (): void => {
    this.isLastRequest = true;
    if (this.reader.isBusy) return;
    if (this.isIdle) this.socket.end();
    else this.hooks.onCutOff();
  };

  private readonly onClose = (): void => {
    // What is being stored is in memory until it is answered.
    if (!this.reader.isBusy) this.memory.release();
    this.hooks.onDetached();
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
    this.form = undefined;
  }

  /** Goes on with the request whose head was read, once its token is known. */
  private resolveSource(): void {
    const { head } = this.reader;
    const { router, sourceForSender } = this.options;
    const logSource = router.lookupToken(head.token);
    if (logSource === undefined) {
      this.socket.pause();
      router.loadToken(head.token).then(this.onTokenLoaded, this.onNoSource);
    } else if (logSource === null) this.handOverToNode();
    else if (sourceForSender && (head.drainToken !== undefined || head.stream !== undefined)) {
      this.socket.pause();
      Promise.resolve(sourceForSender(logSource, head)).then(this.onSourceFound, this.onNoSource);
    } else this.acceptSource(logSource);
  }

  private acceptSource(logSource: LogSource): void {
    const { reader, memory } = this;
    const { head } = reader;
    const isRead = logSource.source !== WILDCARD_SOURCE && fits(memory, head.length);
    if (!isRead) {
      this.handOverToNode();
      return;
    }
    if (logSource !== this.logSource) this.form = undefined;
    this.logSource = logSource;
    this.rejection = rejectionFor(logSource, head.msgCount, this.limits);
    this.waitingSinceMs = performance.now();
    this.execute(reader.acceptHead());
    // It ended while the token was looked up.
    if (this.socket.readableEnded && reader.waitsFor === 'body') this.hooks.onCutOff();
  }

  private readonly onTokenLoaded = (): void => {
    if (this.socket.destroyed) return;
    this.resolveSource();
    this.resumeReading();
  };

  private readonly onSourceFound = (logSource: LogSource): void => {
    if (this.socket.destroyed) return;
    this.acceptSource(logSource);
    this.resumeReading();
  };

  private readonly onNoSource = (): void => this.handOverToNode();

  /** Of the kind of the request. */
  private get counters(): ListenerCounters {
    return this.reader.head.isOtlp ? this.options.otlpCounters : this.options.counters;
  }

  private get limits(): Parameters<typeof rejectionFor>[2] {
    const { rateLimiter, router } = this.options;
    return { rateLimiter, router, counters: this.counters };
  }

  /** Takes the lines, and responds when they are stored. */
  private storeRequest(): void {
    this.storingSinceMs = performance.now();
    this.isStoring = false;
    eventLoopBudget.run(this.storeInTurn);
    // Until then it may have to be given to Node, with what comes behind it, be it the end.
    if (!this.isStoring && !this.handedOver) this.socket.pause();
  }

  private readonly storeInTurn = (): void => {
    this.isStoring = true;
    try {
      const { rejection } = this;
      // What is refused whatever it has needn't be read.
      if (rejection && !isForNow(rejection)) throw rejection;
      // Others are read, and given to receivers, over more than this call.
      if (this.reader.head.format !== 'logplex') this.reader.keepBody();
      if (this.readLines()) this.takeLines().then(this.onStored, this.onNotStored);
      else {
        this.reader.putBack();
        this.handOverToNode();
      }
    } catch (error) {
      this.onNotStored(error);
    }
  };

  /** Reads the lines of the body, unless they are in logplex-1; false when Node has to do it. */
  private readLines(): boolean {
    const { head, body } = this.reader;
    const unpacked = unpackFastPathBody(head, body);
    if (!unpacked || (unpacked !== body && !fits(this.memory, unpacked.length))) return false;
    this.body = unpacked;
    if (head.format === 'logplex') return true;
    this.lines = readFastPathLines(head, unpacked, this.logSource?.source ?? '', this.recordForm);
    return this.lines !== undefined;
  }

  /** That of the request's records. */
  private get recordForm(): RecordForm | undefined {
    this.form ??= recordFormFor(this.logSource, this.host);
    return this.form;
  }

  /** The body is about to be overwritten where it was read: goes on with a copy. */
  private keepBody(): void {
    const { reader, body } = this;
    const isSame = body === reader.body;
    reader.keepBody();
    if (!isSame || body === reader.body) return;
    this.body = reader.body;
    this.lines?.moveTo?.(reader.body);
  }

  private takeLines(): Promise<unknown> {
    const { rejection, reader } = this;
    if (rejection) throw rejection;
    const { refusedRequests } = this.options;
    const { head } = reader;
    this.lines ??= this.readLogplexLines();
    const frameId = readFrameId(head.frameId);
    if (frameId !== undefined || refusedRequests.isEmpty) return this.takeNow(this.lines, frameId, undefined);
    this.keepBody();
    this.digest = this.makeDigest();
    const { lines } = this;
    return refusedRequests
      .storedAppsOf(this.digest)
      .then((storedBefore) => this.takeNow(lines, undefined, storedBefore));
  }

  private readLogplexLines(): LogplexLines {
    const { counters, body } = this;
    const { msgCount, type, drainToken } = this.reader.head;
    const options = { msgCount, tokenPerLine: false, counters };
    return new LogplexLines(body, options, this.recordForm, isHerokuDrainForm(type, drainToken));
  }

  /** @param storedBefore of an attempt of this request that was refused. */
  private takeNow(
    lines: RequestLines,
    frameId: string | undefined,
    storedBefore: ReadonlySet<AppId> | undefined,
  ): Promise<unknown> {
    const { logSource, host, counters, reader } = this;
    const { router, rateLimiter } = this.options;
    const bytes = lines.batchBytes;
    if (bytes > BATCH_BYTES) this.keepBody(); // they are taken in slices
    const fromHerokuDrain = isHerokuDrainForm(reader.head.type, reader.head.drainToken);
    const options = {
      router,
      rateLimiter,
      counters,
      host,
      logSource,
      bytes,
      frameId,
      storedBefore,
      fromHerokuDrain,
    };
    this.taken = options;
    const isSame = this.receiver?.dataless === fromHerokuDrain && this.receiverCounters === counters;
    const receiver = receiverForRequest(options, isSame ? this.receiver : undefined);
    if (sharesBatches(options)) {
      this.receiver = receiver;
      this.receiverCounters = counters;
    }
    const taking = giveTo(receiver, lines);
    return taking ? taking.then(() => receiver.whenStored()) : receiver.whenStored();
  }

  private makeDigest(): string {
    const { url, type } = this.reader.head;
    return digestRequest(`${this.logSource?.token} ${url} ${type}`, this.body);
  }

  private readonly onStored = (): void => {
    if (this.digest !== undefined) this.options.refusedRequests.forget(this.digest);
    this.respond(acceptedResponse(acceptanceOf(this.reader.head), this.keepAliveMs));
  };

  /** The first attempt failed: it is made again for a while. */
  private readonly onNotStored = (error: unknown): void => {
    this.receiver = undefined;
    if (isForNow(error)) {
      this.hold(error);
      return;
    }
    this.refuse(error, appsStoredInSpite(error, this.logSource?.app));
  };

  private hold(error: unknown): void {
    const { held } = this.options;
    const request = held.begin(() => this.socket.destroyed);
    request.restMs -= performance.now() - this.storingSinceMs;
    request.bytes = this.lines?.batchBytes ?? this.body.length;
    let storer = this.storerAfter(error);
    const again = async (): Promise<unknown> => {
      if (storer) return storer.store();
      if (this.logSource)
        this.rejection = rejectionFor(this.logSource, this.reader.head.msgCount, this.limits);
      try {
        return await this.takeLines();
      } catch (next) {
        storer = this.storerAfter(next);
        throw next;
      }
    };
    held.retry(request, again, error).then(this.onStored, (last: unknown) => {
      this.refuse(last, storer?.storedInSpite);
    });
  }

  /** Stores lines that were taken once, and not stored. */
  private storerAfter(error: unknown): RequestStorer | undefined {
    const { taken, lines } = this;
    return taken && lines && new RequestStorer(taken, (receiver) => giveTo(receiver, lines), error);
  }

  /** @param storedApps apps whose lines of it are stored all the same, or may be */
  private refuse(error: unknown, storedApps: Promise<ReadonlySet<AppId>> | undefined): void {
    if (storedApps && readFrameId(this.reader.head.frameId) === undefined)
      this.options.refusedRequests.remember(this.digest ?? this.makeDigest(), storedApps);
    this.onRejected(refusalOf(error, storedApps));
  }

  private readonly onRejected = (error: unknown): void => {
    this.receiver = undefined;
    const { isOtlp, refusedIn } = this.reader.head;
    if (!(error instanceof TailraceError))
      this.options.log.warn(
        { err: error, method: 'POST', url: isOtlp ? '/v1/logs' : '/logs' },
        'a request failed unexpectedly',
      );
    this.respond(rejectedResponse(error, refusedIn, this.keepAliveMs));
  };

  private get keepAliveMs(): number {
    return this.isLastRequest ? 0 : this.hooks.keepAliveMs;
  }

  /** The request is answered: nothing of it is kept. */
  private forget(): void {
    this.digest = undefined;
    this.taken = undefined;
    this.lines?.release();
    this.lines = undefined;
    this.body = NOTHING;
    this.reader.releaseBody();
    this.memory.release();
  }

  private respond(text: string): void {
    const { socket } = this;
    this.forget();
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

  /** Gives the connection to Node's server, with what has come and isn't answered, when it is its turn: a thousand may come at the same time. */
  private handOverToNode(): void {
    this.memory.release();
    this.handedOver = true;
    this.socket.pause();
    eventLoopBudget.run(this.handOverInTurn);
  }

  private readonly handOverInTurn = (): void => {
    const { socket, hooks } = this;
    if (socket.destroyed) return;
    socket.off('data', this.onData);
    socket.off('end', this.onEnd);
    socket.off('error', ignore);
    socket.off('close', this.onClose);
    hooks.onDetached();
    this.reader.keep();
    socket.unshift(this.reader.unread);
    hooks.handOverToNode();
    socket.resume();
  };
}

/** Gives lines to a receiver, at once where they share batches with others. */
function giveTo(receiver: LineReceiver, lines: RequestLines): Promise<void> | undefined {
  return lines.batchBytes > BATCH_BYTES ? lines.takeInSlices(receiver) : lines.take(receiver);
}

/** Reserves memory for a body; false when there is none. */
function fits(memory: BodyReservation, bytes: number): boolean {
  try {
    memory.add(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Of a socket: `close` follows. */
function ignore(): void {}
