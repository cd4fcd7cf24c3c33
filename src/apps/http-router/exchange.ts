import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { RoutedApp, Upstream } from './app-lookup.ts';
import { type Failure, failures } from './error-codes.ts';
import { type ErrorPage, failurePage } from './error-pages.ts';
import { ExchangeState, type ExchangeStep } from './exchange-state.ts';
import { routerLogLine } from './http/access-log.ts';
import { type ClientHop, type ForwardedClient, forwardedClient } from './http/forwarded-client.ts';
import { headForDyno, type RequestHead } from './http/request-head.ts';
import { copyIfShared } from './http/shared-read-buffer.ts';
import { RequestBodyRelay } from './request-body-relay.ts';
import { ResponseRelay } from './response-relay.ts';
import type { HttpRouterContext } from './router-context.ts';
import type { WaitingRequest } from './upstream/boot-queue.ts';
import { DynoConnection, type DynoConnectionHandler } from './upstream/dyno-connection.ts';

/** What an exchange needs of the connection that the request came on. */
export interface ExchangeClient {
  readonly socket: Socket;
  readonly hop: ClientHop;
  deadlineMs: number;
  /** From now on all bytes go to the exchange, those that came early first. */
  startTunnel(): void;
  /** The exchange is finished. @param keep may the connection be used for another request? */
  exchangeFinished(keep: boolean, nowMs?: number): void;
  /** Sends a page as the whole response and ends the exchange. */
  sendErrorPage(page: ErrorPage, status: number, head: RequestHead | undefined, keep: boolean): void;
}

/**
 * One request from its head to its log line: finds a dyno, sends it the request, relays the response, and when something
 * fails makes another attempt or sends an error page, as `ExchangeState` decides. Writes exactly one line.
 */
export class Exchange implements DynoConnectionHandler, WaitingRequest {
  private readonly context: HttpRouterContext;
  private readonly client: ExchangeClient;
  private readonly head: RequestHead;
  private readonly origin: ForwardedClient;
  private readonly app: RoutedApp;
  private readonly requestId: string;
  private readonly requestBody: RequestBodyRelay;
  private readonly state: ExchangeState;
  private dyno: Upstream | undefined;
  private connection: DynoConnection | undefined;
  private response: ResponseRelay | undefined;
  private attemptStartMs = 0;
  private connectMs = -1;
  private sentAtMs = -1;

  constructor(context: HttpRouterContext, client: ExchangeClient, head: RequestHead, app: RoutedApp) {
    this.context = context;
    this.client = client;
    this.head = head;
    this.origin = forwardedClient(head, client.hop);
    this.app = app;
    this.requestId = head.requestId ?? randomUUID();
    this.requestBody = new RequestBodyRelay(head.body);
    this.state = new ExchangeState(head, this.requestBody, context.timeouts);
  }

  /** Begins. The beginning of the body has been given to `clientData` before. */
  start(): void {
    if (this.state.phase !== 'finished') this.route(false);
  }

  // --- from the client ---

  /** Takes bytes of the body, or of the tunnel; gives the position of the first that belongs to neither. */
  clientData(bytes: Buffer, start: number): number {
    const dyno = this.connection?.socket;
    const client = this.client.socket;
    this.extendDeadline();
    if (this.state.phase === 'tunnel') {
      if (dyno?.write(copyIfShared(bytes.subarray(start))) === false) client.pause();
      return bytes.length;
    }
    const end = this.requestBody.take(bytes, start, client, this.state.phase === 'sent' ? dyno : undefined);
    // The last byte of the body starts the dyno's time.
    if (this.requestBody.done) this.extendDeadline();
    if (end !== -1) return end;
    this.fail(failures.badChunk);
    return bytes.length;
  }

  /** The client takes bytes again. */
  clientDrained(): void {
    this.extendDeadline();
    this.connection?.socket.resume();
  }

  /** The client half-closed its connection. A tunnel passes that on to the dyno; before, it is the end. */
  clientEnded(): void {
    if (this.state.phase === 'tunnel') this.connection?.socket.end();
    else this.client.socket.destroy();
  }

  clientClosed(): void {
    if (this.state.phase === 'finished') return;
    const failure = this.state.clientClosed();
    this.cleanUp();
    this.writeLogLine(failure);
  }

  /** The router stops and can't wait any longer. */
  abort(): void {
    this.proceed(this.state.aborted());
  }

  /** The deadline has passed. */
  expire(): void {
    if (this.state.phase === 'connecting') this.connectFailed();
    this.proceed(this.state.expired(this.connection?.socket.writableNeedDrain === true));
  }

  // --- finding a dyno ---

  dynosChanged(): void {
    this.state.dynosChanged();
    this.route(false);
  }

  /** @param newConnection don't use one that is idle in the pool, since such a one may just have failed */
  private route(newConnection: boolean): void {
    const { pool, random } = this.context;
    const choice = this.state.route(this.app, pool, random);
    if (choice === 'wait') this.waitForBoot();
    else if ('code' in choice) this.fail(choice);
    else this.startAttempt(choice, newConnection);
  }

  private waitForBoot(): void {
    this.client.deadlineMs = this.state.bootWaitStarted(performance.now());
    if (!this.context.queue.join(this.app, this)) this.fail(failures.backlog);
  }

  private startAttempt(dyno: Upstream, newConnection: boolean): void {
    const { pool } = this.context;
    this.leaveBootQueue();
    this.dyno = dyno;
    pool.requestStarted(dyno.port);
    const nowMs = performance.now();
    this.attemptStartMs = nowMs;
    this.sentAtMs = -1;
    this.client.deadlineMs = this.state.attemptStarted(dyno.name, nowMs);
    const idle = newConnection ? undefined : pool.acquire(dyno.port, this, this.head.idempotent, nowMs);
    if (idle !== undefined) {
      this.connection = idle;
      this.send(idle, nowMs);
    } else this.connection = new DynoConnection(dyno.port, this);
  }

  private connectFailed(): void {
    this.connectMs = performance.now() - this.attemptStartMs;
    if (this.dyno !== undefined)
      this.context.pool.quarantine(this.dyno.port, this.context.timeouts.quarantineMs);
  }

  // --- from the dyno ---

  dynoConnected(connection: DynoConnection): void {
    this.send(connection, performance.now());
  }

  private send(connection: DynoConnection, nowMs: number): void {
    this.connectMs = nowMs - this.attemptStartMs;
    this.sentAtMs = nowMs;
    this.state.requestSent();
    this.extendDeadline(nowMs);
    const info = { client: this.origin, requestId: this.requestId, startedMs: Date.now() };
    this.requestBody.sendHead(headForDyno(this.head, info), this.client.socket, connection.socket);
  }

  dynoData(bytes: Buffer): void {
    if (this.response === undefined) {
      this.response = new ResponseRelay(this.client.socket, this.head, this.context.closing);
      this.state.response = this.response;
      this.requestBody.discardBuffer();
    }
    const progress = this.response.push(bytes);
    if (progress !== 'done') this.extendDeadline();
    if (this.response.needsDrain && progress !== 'done') this.connection?.socket.pause();
    this.proceed(progress);
  }

  dynoDrained(): void {
    if (this.state.phase === 'tunnel' || !this.requestBody.done) this.client.socket.resume();
    this.extendDeadline();
  }

  dynoEnded(): void {
    this.proceed(this.state.dynoEnded(this.connection?.reused === true));
  }

  dynoClosed(code: string): void {
    if (this.state.phase === 'connecting') this.connectFailed();
    this.proceed(this.state.dynoClosed(this.connection?.reused === true, code));
  }

  // --- what comes next ---

  private proceed(step: ExchangeStep): void {
    if (step === 'done') this.finish();
    else if (step === 'switched') {
      this.state.tunnelStarted();
      this.client.startTunnel();
    } else if (step === 'retry') {
      this.releaseDyno();
      this.route(true);
    } else if (step !== 'more') this.fail(step);
  }

  /** Sets the deadline anew, after a sign of life. */
  private extendDeadline(nowMs = performance.now()): void {
    this.client.deadlineMs = this.state.deadlineAfterActivity(nowMs, this.client.deadlineMs);
  }

  private finish(): void {
    const keepDyno = this.state.mayKeepDynoConnection();
    const keepClient = this.state.mayKeepClientConnection();
    const nowMs = performance.now();
    this.cleanUp(keepDyno ? nowMs : undefined);
    this.writeLogLine(undefined, nowMs);
    this.client.exchangeFinished(keepClient, nowMs);
  }

  private fail(failure: Failure): void {
    if (this.state.phase === 'finished') return;
    this.cleanUp();
    this.writeLogLine(failure);
    if (this.state.responseStarted) {
      // Half a response must not look like a whole one.
      this.client.socket.destroy();
    } else {
      const keep = this.state.mayKeepClientAfterFailure();
      const page = failurePage(failure, this.app.name, this.requestId, this.app.errorPages);
      this.client.sendErrorPage(page, failure.status, this.head, keep);
    }
  }

  /** Releases everything shared. @param reusableSinceMs when the dyno's connection became free for others, if it may be kept */
  private cleanUp(reusableSinceMs?: number): void {
    this.state.finished();
    this.leaveBootQueue();
    this.releaseDyno(reusableSinceMs);
  }

  private leaveBootQueue(): void {
    if (this.state.bootDeadlineMs !== 0) this.context.queue.leave(this.app, this);
  }

  private releaseDyno(reusableSinceMs?: number): void {
    const connection = this.connection;
    this.connection = undefined;
    if (connection === undefined || this.dyno === undefined) return;
    if (reusableSinceMs === undefined) connection.destroy();
    else this.context.pool.release(this.dyno.port, connection, this.response?.keepAliveS, reusableSinceMs);
    this.context.pool.requestFinished(this.dyno.port);
  }

  private writeLogLine(failure: Failure | undefined, nowMs = performance.now()): void {
    const entry = {
      method: this.head.method,
      path: this.head.target,
      host: this.head.host,
      requestId: this.requestId,
      forwardedFor: this.origin.chain,
      protocol: this.origin.protocol,
      dyno: this.dyno?.name ?? '',
      connectMs: this.connectMs,
      serviceMs: this.sentAtMs < 0 ? -1 : nowMs - this.sentAtMs,
      status: failure?.status ?? this.response?.status ?? 0,
      byteCount: this.response?.byteCount ?? 0,
    };
    this.app.log(routerLogLine(entry, failure));
  }
}
