import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { RoutedApp, Upstream } from './app-lookup.ts';
import { type Failure, failures } from './error-codes.ts';
import { type ErrorPage, failurePage } from './error-pages.ts';
import { routerLogLine } from './http/access-log.ts';
import { forwardedFor, headForDyno, type RequestHead } from './http/request-head.ts';
import { copyIfShared } from './http/shared-read-buffer.ts';
import { RequestBodyRelay } from './request-body-relay.ts';
import { type RelayProgress, ResponseRelay } from './response-relay.ts';
import type { HttpRouterContext } from './router-context.ts';
import type { WaitingRequest } from './upstream/boot-queue.ts';
import { DynoConnection, type DynoConnectionHandler } from './upstream/dyno-connection.ts';
import { ATTEMPTS_MAX, pickUpstream } from './upstream/pick-upstream.ts';

/** What an exchange needs of the connection that the request came on. */
export interface ExchangeClient {
  readonly socket: Socket;
  /** The client's address, without the prefix of an IPv4 address in IPv6. */
  readonly address: string;
  deadlineMs: number;
  /** From now on all bytes go to the exchange, those that came early first. */
  startTunnel(): void;
  /** The exchange is over. @param keep may the connection be used for another request? */
  exchangeFinished(keep: boolean, nowMs?: number): void;
  /** Sends a page as the whole response and ends the exchange. */
  sendErrorPage(page: ErrorPage, status: number, head: RequestHead | undefined, keep: boolean): void;
}

/**
 * One request from its head to its line: finds a dyno, sends it the request, passes the response on, and when
 * something fails decides between another attempt and an error page. Writes exactly one line.
 */
export class Exchange implements DynoConnectionHandler, WaitingRequest {
  readonly #context: HttpRouterContext;
  readonly #client: ExchangeClient;
  readonly #head: RequestHead;
  readonly #app: RoutedApp;
  readonly #requestId: string;
  readonly #requestBody: RequestBodyRelay;
  #phase: 'waiting' | 'connecting' | 'sent' | 'tunnel' | 'over' = 'waiting';
  #dyno: Upstream | undefined;
  #connection: DynoConnection | undefined;
  #response: ResponseRelay | undefined;
  #triedDynos: string[] = [];
  #attempts = 0;
  #lastFailure: Failure = failures.refused;
  /** 0 if it never had to wait for a dyno. */
  #bootDeadlineMs = 0;
  #attemptStartMs = 0;
  #connectMs = -1;
  #sentAtMs = -1;

  constructor(context: HttpRouterContext, client: ExchangeClient, head: RequestHead, app: RoutedApp) {
    this.#context = context;
    this.#client = client;
    this.#head = head;
    this.#app = app;
    this.#requestId = head.requestId ?? randomUUID();
    this.#requestBody = new RequestBodyRelay(head.body);
  }

  /** Begins. The body's beginning has been handed to `fromClient` before. */
  start(): void {
    if (this.#phase === 'over') return;
    if (this.#head.failure !== undefined) this.#fail(this.#head.failure);
    else this.#pickDyno(false);
  }

  // --- from the client ---

  /** Takes bytes of the body, or of the tunnel; gives the position of the first that belongs to neither. */
  clientData(bytes: Buffer, start: number): number {
    const dyno = this.#connection?.socket;
    const client = this.#client.socket;
    this.#extendDeadline();
    if (this.#phase === 'tunnel') {
      if (dyno?.write(copyIfShared(bytes.subarray(start))) === false) client.pause();
      return bytes.length;
    }
    const end = this.#requestBody.take(bytes, start, client, this.#phase === 'sent' ? dyno : undefined);
    // The last byte of the body starts the dyno's time.
    if (this.#requestBody.done) this.#extendDeadline();
    if (end !== -1) return end;
    this.#fail(failures.badChunk);
    return bytes.length;
  }

  /** The client takes bytes again. */
  clientDrained(): void {
    this.#extendDeadline();
    this.#connection?.socket.resume();
  }

  /** The client sends nothing more. In a tunnel that is for the dyno to know, before that it is the end. */
  clientEnded(): void {
    if (this.#phase === 'tunnel') this.#connection?.socket.end();
    else this.#client.socket.destroy();
  }

  clientClosed(): void {
    if (this.#phase === 'over') return;
    const failure = this.#phase === 'tunnel' ? undefined : failures.clientGone;
    this.#cleanUp();
    this.#writeLogLine(failure);
  }

  /** The proxy stops and can't wait any longer. */
  abort(): void {
    if (this.#phase === 'tunnel') this.#finish();
    else this.#fail(failures.stopped);
  }

  /** The deadline has passed; what that means depends on what was being waited for. */
  expire(): void {
    if (this.#phase === 'waiting') this.#fail(failures.boot);
    else if (this.#phase === 'connecting') this.#connectFailed(failures.connectTimeout);
    else if (this.#response?.started === true) this.#fail(failures.idle);
    // A dyno that doesn't take the body is as slow as one that doesn't answer it.
    else if (this.#requestBody.done || this.#connection?.socket.writableNeedDrain === true) {
      this.#fail(failures.timeout);
    } else this.#fail(failures.clientIdle);
  }

  // --- finding a dyno ---

  dynosChanged(): void {
    this.#triedDynos = [];
    this.#pickDyno(false);
  }

  /** @param newConnection on a new connection, since one that had waited failed */
  #pickDyno(newConnection: boolean): void {
    const { pool, random } = this.#context;
    const choice = pickUpstream(this.#app, this.#triedDynos, this.#lastFailure, pool, random);
    if (this.#app.maintenance) this.#fail(failures.maintenance);
    else if (choice === 'wait') this.#waitForBoot();
    else if ('code' in choice) this.#fail(choice);
    else this.#startAttempt(choice, newConnection);
  }

  #waitForBoot(): void {
    this.#phase = 'waiting';
    this.#bootDeadlineMs ||= performance.now() + this.#context.timeouts.bootMs;
    this.#client.deadlineMs = this.#bootDeadlineMs;
    if (!this.#context.queue.join(this.#app, this)) this.#fail(failures.backlog);
  }

  #startAttempt(dyno: Upstream, newConnection: boolean): void {
    const { pool, queue, timeouts } = this.#context;
    if (this.#bootDeadlineMs !== 0) queue.leave(this.#app, this);
    this.#attempts++;
    this.#dyno = dyno;
    pool.requestStarted(dyno.port);
    const nowMs = performance.now();
    this.#attemptStartMs = nowMs;
    this.#sentAtMs = -1;
    const idle = newConnection ? undefined : pool.acquire(dyno.port, this, this.#head.idempotent, nowMs);
    if (idle !== undefined) {
      this.#connection = idle;
      this.#send(idle, nowMs);
    } else {
      this.#phase = 'connecting';
      this.#client.deadlineMs = nowMs + timeouts.connectMs;
      this.#connection = new DynoConnection(dyno.port, this);
    }
  }

  #connectFailed(failure: Failure): void {
    this.#connectMs = performance.now() - this.#attemptStartMs;
    if (this.#dyno !== undefined)
      this.#context.pool.quarantine(this.#dyno.port, this.#context.timeouts.quarantineMs);
    this.#retry(failure, true);
  }

  /** Another attempt, unless there were too many. @param otherDyno not with this dyno */
  #retry(failure: Failure, otherDyno: boolean): void {
    this.#lastFailure = failure;
    if (otherDyno && this.#dyno !== undefined) this.#triedDynos.push(this.#dyno.name);
    this.#releaseDyno();
    if (this.#attempts >= ATTEMPTS_MAX) this.#fail(failure);
    else this.#pickDyno(true);
  }

  // --- from the dyno ---

  dynoConnected(connection: DynoConnection): void {
    this.#send(connection, performance.now());
  }

  #send(connection: DynoConnection, nowMs: number): void {
    this.#connectMs = nowMs - this.#attemptStartMs;
    this.#sentAtMs = nowMs;
    this.#phase = 'sent';
    this.#extendDeadline(nowMs);
    const { address, socket } = this.#client;
    const hop = { address, port: this.#context.port, requestId: this.#requestId, startedMs: Date.now() };
    this.#requestBody.sendHead(headForDyno(this.#head, hop), socket, connection.socket);
  }

  dynoData(bytes: Buffer): void {
    if (this.#response === undefined) {
      this.#response = new ResponseRelay(this.#client.socket, this.#head, this.#context.closing);
      this.#requestBody.discardBuffer();
    }
    const progress = this.#response.push(bytes);
    if (progress !== 'done') this.#extendDeadline();
    if (this.#response.needsDrain && progress !== 'done') this.#connection?.socket.pause();
    this.#handleProgress(progress);
  }

  dynoDrained(): void {
    if (this.#phase === 'tunnel' || !this.#requestBody.done) this.#client.socket.resume();
    this.#extendDeadline();
  }

  dynoEnded(): void {
    if (this.#phase === 'tunnel') this.#finish();
    else if (this.#response === undefined) this.#dynoClosedEarly('');
    else this.#handleProgress(this.#response.dynoEnded());
  }

  dynoClosed(code: string): void {
    if (this.#phase === 'connecting') this.#connectFailed(failures.refused);
    else if (this.#phase === 'tunnel') this.#finish();
    else if (this.#response === undefined) this.#dynoClosedEarly(code);
    // A reset isn't the orderly close that could be the end of a body.
    else this.#fail(this.#response.started ? failures.interrupted : failures.noResponse);
  }

  /**
   * The dyno has gone without a byte of a response. If its connection had been waiting for a request it was
   * probably just tired of that, and if it reset a new one it probably never accepted it: both deserve another
   * attempt, if it does no harm when the guess is wrong. A dyno that read the request and hung up doesn't.
   */
  #dynoClosedEarly(code: string): void {
    const reused = this.#connection?.reused === true;
    const retryable = this.#requestBody.replayable && this.#head.idempotent;
    if (retryable && (reused || code !== '')) this.#retry(failures.noResponse, !reused);
    else this.#fail(failures.noResponse);
  }

  #handleProgress(progress: RelayProgress): void {
    if (progress === 'done') this.#finish();
    else if (progress === 'switched') {
      this.#phase = 'tunnel';
      this.#client.startTunnel();
    } else if (progress !== 'more') this.#fail(progress);
  }

  // --- the end ---

  /** Sets the deadline anew, after a sign of life. */
  #extendDeadline(nowMs = performance.now()): void {
    if (this.#phase !== 'sent' && this.#phase !== 'tunnel') return;
    const { firstByteMs, idleMs } = this.#context.timeouts;
    const streaming = this.#response?.started === true || !this.#requestBody.done;
    this.#client.deadlineMs = nowMs + (streaming ? idleMs : firstByteMs);
  }

  #finish(): void {
    const keep = this.#requestBody.done && this.#phase === 'sent';
    const nowMs = performance.now();
    this.#cleanUp(keep && this.#response?.keepDynoConnection === true ? nowMs : undefined);
    this.#writeLogLine(undefined, nowMs);
    this.#client.exchangeFinished(keep && this.#response?.keepClientConnection === true, nowMs);
  }

  #fail(failure: Failure): void {
    if (this.#phase === 'over') return;
    this.#cleanUp();
    this.#writeLogLine(failure);
    if (this.#response?.started === true) {
      // Half a response must not look like a whole one.
      this.#client.socket.destroy();
    } else {
      const keep = this.#requestBody.done && this.#head.keepAlive && this.#head.failure === undefined;
      const page = failurePage(failure, this.#app.name, this.#requestId, this.#app.errorPages);
      this.#client.sendErrorPage(page, failure.status, this.#head, keep);
    }
  }

  /** Lets go of everything shared. @param reusableSinceMs when the dyno's connection became free for others, if it may be kept */
  #cleanUp(reusableSinceMs?: number): void {
    this.#phase = 'over';
    if (this.#bootDeadlineMs !== 0) this.#context.queue.leave(this.#app, this);
    this.#releaseDyno(reusableSinceMs);
  }

  #releaseDyno(reusableSinceMs?: number): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined || this.#dyno === undefined) return;
    if (reusableSinceMs === undefined) connection.destroy();
    else this.#context.pool.release(this.#dyno.port, connection, this.#response?.keepAliveS, reusableSinceMs);
    this.#context.pool.requestFinished(this.#dyno.port);
  }

  #writeLogLine(failure: Failure | undefined, nowMs = performance.now()): void {
    const entry = {
      method: this.#head.method,
      path: this.#head.target,
      host: this.#head.host,
      requestId: this.#requestId,
      forwardedFor: forwardedFor(this.#head, this.#client.address),
      dyno: this.#dyno?.name ?? '',
      connectMs: this.#connectMs,
      serviceMs: this.#sentAtMs < 0 ? -1 : nowMs - this.#sentAtMs,
      status: failure?.status ?? this.#response?.status ?? 0,
      byteCount: this.#response?.byteCount ?? 0,
    };
    this.#app.log(routerLogLine(entry, failure));
  }
}
