import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { Answer, type Progress } from './answer.ts';
import type { Waiter } from './boot-queue.ts';
import { ATTEMPTS_MAX, choose } from './choose.ts';
import type { ProxyApp, Upstream } from './directory.ts';
import { DynoConnection, type DynoUser } from './dyno-connection.ts';
import { type Failure, failures } from './failure.ts';
import { routerLine } from './http/line.ts';
import { kept } from './http/read.ts';
import { forwardedFor, headForDyno, type RequestHead } from './http/request-head.ts';
import { failurePage, type Page } from './page.ts';
import type { Parts } from './parts.ts';
import { Upload } from './upload.ts';

/** What an exchange needs of the connection that the request came on. */
export interface ExchangeClient {
  readonly socket: Socket;
  /** The client's address, without the prefix of an IPv4 address in IPv6. */
  readonly address: string;
  deadlineMs: number;
  /** From now on all bytes go to the exchange, those that came early first. */
  tunnel(): void;
  /** The exchange is over. @param keep may the connection be used for another request? */
  finished(keep: boolean, nowMs?: number): void;
  /** Sends a page as the whole response and ends the exchange. */
  sendPage(page: Page, status: number, head: RequestHead | undefined, keep: boolean): void;
}

/**
 * One request from its head to its line: finds a dyno, sends it the request, passes the response on, and when
 * something fails decides between another attempt and an error page. Writes exactly one line.
 */
export class Exchange implements DynoUser, Waiter {
  readonly #parts: Parts;
  readonly #client: ExchangeClient;
  readonly #head: RequestHead;
  readonly #app: ProxyApp;
  readonly #requestId: string;
  readonly #upload: Upload;
  #phase: 'waiting' | 'connecting' | 'sent' | 'tunnel' | 'over' = 'waiting';
  #dyno: Upstream | undefined;
  #connection: DynoConnection | undefined;
  #answer: Answer | undefined;
  #tried: string[] = [];
  #attempts = 0;
  #lastFailure: Failure = failures.refused;
  /** 0 if it never had to wait for a dyno. */
  #bootDeadlineMs = 0;
  #attemptStartMs = 0;
  #connectMs = -1;
  #sentMs = -1;

  constructor(parts: Parts, client: ExchangeClient, head: RequestHead, app: ProxyApp) {
    this.#parts = parts;
    this.#client = client;
    this.#head = head;
    this.#app = app;
    this.#requestId = head.requestId ?? randomUUID();
    this.#upload = new Upload(head.body);
  }

  /** Begins. The body's beginning has been handed to `fromClient` before. */
  start(): void {
    if (this.#phase === 'over') return;
    if (this.#head.failure !== undefined) this.#fail(this.#head.failure);
    else this.#route(false);
  }

  // --- from the client ---

  /** Takes bytes of the body, or of the tunnel; gives the position of the first that belongs to neither. */
  fromClient(bytes: Buffer, start: number): number {
    const dyno = this.#connection?.socket;
    const client = this.#client.socket;
    this.#touch();
    if (this.#phase === 'tunnel') {
      if (dyno?.write(kept(bytes.subarray(start))) === false) client.pause();
      return bytes.length;
    }
    const end = this.#upload.take(bytes, start, client, this.#phase === 'sent' ? dyno : undefined);
    // The last byte of the body starts the dyno's time.
    if (this.#upload.done) this.#touch();
    if (end !== -1) return end;
    this.#fail(failures.badChunk);
    return bytes.length;
  }

  /** The client takes bytes again. */
  clientDrained(): void {
    this.#touch();
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
    this.#leave();
    this.#line(failure);
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
    else if (this.#answer?.started === true) this.#fail(failures.idle);
    // A dyno that doesn't take the body is as slow as one that doesn't answer it.
    else if (this.#upload.done || this.#connection?.socket.writableNeedDrain === true) {
      this.#fail(failures.timeout);
    } else this.#fail(failures.clientIdle);
  }

  // --- finding a dyno ---

  dynosChanged(): void {
    this.#tried = [];
    this.#route(false);
  }

  /** @param fresh on a new connection, since one that had waited failed */
  #route(fresh: boolean): void {
    const { pool, random } = this.#parts;
    const choice = choose(this.#app, this.#tried, this.#lastFailure, pool, random);
    if (this.#app.maintenance) this.#fail(failures.maintenance);
    else if (choice === 'wait') this.#wait();
    else if ('code' in choice) this.#fail(choice);
    else this.#attempt(choice, fresh);
  }

  #wait(): void {
    this.#phase = 'waiting';
    this.#bootDeadlineMs ||= performance.now() + this.#parts.timeouts.bootMs;
    this.#client.deadlineMs = this.#bootDeadlineMs;
    if (!this.#parts.queue.join(this.#app, this)) this.#fail(failures.backlog);
  }

  #attempt(dyno: Upstream, fresh: boolean): void {
    const { pool, queue, timeouts } = this.#parts;
    if (this.#bootDeadlineMs !== 0) queue.leave(this.#app, this);
    this.#attempts++;
    this.#dyno = dyno;
    pool.enter(dyno.port);
    const nowMs = performance.now();
    this.#attemptStartMs = nowMs;
    this.#sentMs = -1;
    const waiting = fresh ? undefined : pool.take(dyno.port, this, this.#head.idempotent, nowMs);
    if (waiting !== undefined) {
      this.#connection = waiting;
      this.#send(waiting, nowMs);
    } else {
      this.#phase = 'connecting';
      this.#client.deadlineMs = nowMs + timeouts.connectMs;
      this.#connection = new DynoConnection(dyno.port, this);
    }
  }

  #connectFailed(failure: Failure): void {
    this.#connectMs = performance.now() - this.#attemptStartMs;
    if (this.#dyno !== undefined)
      this.#parts.pool.quarantine(this.#dyno.port, this.#parts.timeouts.quarantineMs);
    this.#again(failure, true);
  }

  /** Another attempt, unless there were too many. @param elsewhere not with this dyno */
  #again(failure: Failure, elsewhere: boolean): void {
    this.#lastFailure = failure;
    if (elsewhere && this.#dyno !== undefined) this.#tried.push(this.#dyno.name);
    this.#release();
    if (this.#attempts >= ATTEMPTS_MAX) this.#fail(failure);
    else this.#route(true);
  }

  // --- from the dyno ---

  dynoConnected(connection: DynoConnection): void {
    this.#send(connection, performance.now());
  }

  #send(connection: DynoConnection, nowMs: number): void {
    this.#connectMs = nowMs - this.#attemptStartMs;
    this.#sentMs = nowMs;
    this.#phase = 'sent';
    this.#touch(nowMs);
    const { address, socket } = this.#client;
    const hop = { address, port: this.#parts.port, requestId: this.#requestId, startedMs: Date.now() };
    this.#upload.send(headForDyno(this.#head, hop), socket, connection.socket);
  }

  dynoData(bytes: Buffer): void {
    if (this.#answer === undefined) {
      this.#answer = new Answer(this.#client.socket, this.#head, this.#parts.closing);
      this.#upload.forget();
    }
    const progress = this.#answer.push(bytes);
    if (progress !== 'done') this.#touch();
    if (this.#answer.full && progress !== 'done') this.#connection?.socket.pause();
    this.#proceed(progress);
  }

  dynoDrained(): void {
    if (this.#phase === 'tunnel' || !this.#upload.done) this.#client.socket.resume();
    this.#touch();
  }

  dynoEnded(): void {
    if (this.#phase === 'tunnel') this.#finish();
    else if (this.#answer === undefined) this.#dynoGone('');
    else this.#proceed(this.#answer.end());
  }

  dynoClosed(code: string): void {
    if (this.#phase === 'connecting') this.#connectFailed(failures.refused);
    else if (this.#phase === 'tunnel') this.#finish();
    else if (this.#answer === undefined) this.#dynoGone(code);
    // A reset isn't the orderly close that could be the end of a body.
    else this.#fail(this.#answer.started ? failures.interrupted : failures.noResponse);
  }

  /**
   * The dyno has gone without a byte of a response. If its connection had been waiting for a request it was
   * probably just tired of that, and if it reset a new one it probably never accepted it: both deserve another
   * attempt, if it does no harm when the guess is wrong. A dyno that read the request and hung up doesn't.
   */
  #dynoGone(code: string): void {
    const reused = this.#connection?.reused === true;
    const harmless = this.#upload.repeatable && this.#head.idempotent;
    if (harmless && (reused || code !== '')) this.#again(failures.noResponse, !reused);
    else this.#fail(failures.noResponse);
  }

  #proceed(progress: Progress): void {
    if (progress === 'done') this.#finish();
    else if (progress === 'switched') {
      this.#phase = 'tunnel';
      this.#client.tunnel();
    } else if (progress !== 'more') this.#fail(progress);
  }

  // --- the end ---

  /** Sets the deadline anew, after a sign of life. */
  #touch(nowMs = performance.now()): void {
    if (this.#phase !== 'sent' && this.#phase !== 'tunnel') return;
    const { firstByteMs, idleMs } = this.#parts.timeouts;
    const flowing = this.#answer?.started === true || !this.#upload.done;
    this.#client.deadlineMs = nowMs + (flowing ? idleMs : firstByteMs);
  }

  #finish(): void {
    const keep = this.#upload.done && this.#phase === 'sent';
    const nowMs = performance.now();
    this.#leave(keep && this.#answer?.keepDyno === true ? nowMs : undefined);
    this.#line(undefined, nowMs);
    this.#client.finished(keep && this.#answer?.keepClient === true, nowMs);
  }

  #fail(failure: Failure): void {
    if (this.#phase === 'over') return;
    this.#leave();
    this.#line(failure);
    if (this.#answer?.started === true) {
      // Half a response must not look like a whole one.
      this.#client.socket.destroy();
    } else {
      const keep = this.#upload.done && this.#head.keepAlive && this.#head.failure === undefined;
      const page = failurePage(failure, this.#app.name, this.#requestId, this.#app.pages);
      this.#client.sendPage(page, failure.status, this.#head, keep);
    }
  }

  /** Lets go of everything shared. @param keptMs when the dyno's connection became free for others, if it may be kept */
  #leave(keptMs?: number): void {
    this.#phase = 'over';
    if (this.#bootDeadlineMs !== 0) this.#parts.queue.leave(this.#app, this);
    this.#release(keptMs);
  }

  #release(keptMs?: number): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined || this.#dyno === undefined) return;
    if (keptMs === undefined) connection.drop();
    else this.#parts.pool.release(this.#dyno.port, connection, this.#answer?.keepAliveS, keptMs);
    this.#parts.pool.leave(this.#dyno.port);
  }

  #line(failure: Failure | undefined, nowMs = performance.now()): void {
    const facts = {
      method: this.#head.method,
      path: this.#head.target,
      host: this.#head.host,
      requestId: this.#requestId,
      forwardedFor: forwardedFor(this.#head, this.#client.address),
      dyno: this.#dyno?.name ?? '',
      connectMs: this.#connectMs,
      serviceMs: this.#sentMs < 0 ? -1 : nowMs - this.#sentMs,
      status: failure?.status ?? this.#answer?.status ?? 0,
      byteCount: this.#answer?.byteCount ?? 0,
    };
    this.#app.line(routerLine(facts, failure));
  }
}
