import type { Socket } from 'node:net';
import { readAuthorization } from '../../../common/authorization.ts';
import { TailraceError } from '../../../common/errors.ts';
import { release } from '../../../common/release.ts';
import type { Limits } from '../../router/limits.ts';
import type { Router } from '../../router/router.ts';
import { plainAddress } from '../../router/rules.ts';
import { ANY_SOURCE, type Tenant } from '../../router/tenants.ts';
import { BATCH_BYTES } from '../../syslog/batch.ts';
import type { SourceCounters } from '../counters.ts';
import { logplexBatchBytes, takeLogplex } from '../formats/logplex-body.ts';
import type { Intake } from '../intake.ts';
import { turnedAway } from './http-sender.ts';
import { accepted, refused } from './plain-answer.ts';
import { readUsualHead, type UsualHead } from './usual-head.ts';
import { frameName, intakeOf } from './whole-request.ts';

export interface UsualConnectionOptions {
  readonly router: Router;
  readonly limits: Limits;
  readonly counters: SourceCounters;
  /** Called after every request: to look at the counters. */
  readonly answered: () => void;
  readonly warn: (fields: object, message: string) => void;
}

/** What a connection is part of. */
export interface Surroundings {
  /** How long a connection without a request stays open, ms. */
  readonly keepAliveMs: number;
  /** It is closed, or somebody else's. */
  readonly left: () => void;
  /** Gives the socket to Node's server. */
  readonly handOver: () => void;
}

/** A request of which the head has come. */
interface Request {
  readonly head: UsualHead;
  readonly tenant: Tenant;
  /** About what its lines take in a batch. */
  readonly batchBytes: number;
  /** Why its lines won't be taken. */
  readonly refusal: TailraceError | undefined;
}

/** A connection on which only usual requests have come so far. It reads the next one when the one before is answered. */
export class UsualConnection {
  readonly socket: Socket;
  waitsFor: 'first request' | 'body' | 'answer' | 'next request' = 'first request';
  /** Since when, on the clock of `performance.now()`. */
  sinceMs = performance.now();
  private readonly options: UsualConnectionOptions;
  private readonly surroundings: Surroundings;
  private readonly host: string;
  private request: Request | undefined;
  private parts: Buffer[] = [];
  private missing = 0;
  /** What came behind the request that is being answered. */
  private behind: Buffer | undefined;
  /** No request comes behind this one. */
  private last = false;
  private gone = false;
  /** For the requests without a name, one after the other. */
  private intake: Intake | undefined;

  constructor(socket: Socket, options: UsualConnectionOptions, surroundings: Surroundings) {
    this.socket = socket;
    this.options = options;
    this.surroundings = surroundings;
    this.host = plainAddress(socket.remoteAddress ?? 'unknown');
    socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.on('error', ignore);
    socket.on('close', surroundings.left);
  }

  /** Closes it when what it is at is answered. */
  close(): void {
    this.last = true;
    if (this.waitsFor !== 'answer') this.socket.destroy();
  }

  private readonly onData = (bytes: Buffer): void => {
    if (this.waitsFor === 'answer') {
      this.behind = this.behind ? Buffer.concat([this.behind, bytes]) : bytes;
      this.socket.pause();
    } else if (this.request) this.collect(this.request, bytes, bytes);
    else this.begin(bytes);
  };

  private readonly onEnd = (): void => {
    this.last = true;
    if (this.waitsFor !== 'answer') this.socket.end();
  };

  /** `bytes` start with a request. */
  private begin(bytes: Buffer): void {
    const head = readUsualHead(bytes);
    const shown = readAuthorization(head?.authorization);
    const batchBytes = head ? logplexBatchBytes(head.length, head.claimed) : 0;
    if (!head || shown.kind !== 'token' || !(batchBytes <= BATCH_BYTES)) {
      this.leave(bytes);
      return;
    }
    const tenant = this.options.router.findTenant(shown.token);
    if (tenant === undefined) this.load(shown.token, bytes);
    else if (tenant === null || tenant.source === ANY_SOURCE) this.leave(bytes);
    else {
      const refusal = turnedAway(tenant, head.claimed, this.options);
      this.request = { head, tenant, batchBytes, refusal };
      this.missing = head.length;
      this.waitFor('body');
      this.collect(this.request, bytes.subarray(head.end), bytes);
    }
  }

  /** Asks for the token, and begins again. */
  private load(token: string, bytes: Buffer): void {
    this.waitFor('answer');
    this.socket.pause();
    this.options.router.loadTenant(token).then(
      () => this.goOn(bytes),
      () => this.leave(bytes),
    );
  }

  /** `bytes`, which came in `chunk`, are the rest of the request's body, or some of it, and what comes behind it. */
  private collect(request: Request, bytes: Buffer, chunk: Buffer): void {
    const { missing } = this;
    if (bytes.length < missing) {
      this.parts.push(bytes);
      this.missing -= bytes.length;
      return;
    }
    let body = bytes.length === missing ? bytes : bytes.subarray(0, missing);
    if (this.parts.length > 0) {
      body = Buffer.concat([...this.parts, body], request.head.length);
      this.parts = [];
    }
    this.request = undefined;
    this.waitFor('answer');
    if (bytes.length > missing) {
      this.behind = bytes.subarray(missing);
      this.socket.pause();
    }
    this.take(request, body, bytes.length > missing ? body : chunk);
  }

  /** Hands the lines over, and answers when they are stored. @param held holds the body, and nothing that is read later. */
  private take(request: Request, body: Buffer, held: Buffer): void {
    try {
      this.takeLines(request, body, held).then(this.onStored, this.onRefused);
    } catch (error) {
      this.onRefused(error);
    }
  }

  private takeLines(
    { refusal, head, tenant, batchBytes }: Request,
    body: Buffer,
    held: Buffer,
  ): Promise<unknown> {
    if (refusal) throw refusal;
    const { host } = this;
    const { router, limits, counters } = this.options;
    const name = frameName(head.name);
    const intake = intakeOf({ router, limits, counters, host, tenant, bytes: batchBytes, name }, this.intake);
    if (!name) this.intake = intake;
    const asking = takeLogplex(body, intake, { claimed: head.claimed, ownTokens: false, counters });
    if (asking) return asking.then(() => intake.stored());
    release(held);
    return intake.stored();
  }

  private readonly onStored = (): void => this.answer(accepted(this.keepAliveMs));

  private readonly onRefused = (error: unknown): void => {
    this.intake = undefined;
    if (!(error instanceof TailraceError))
      this.options.warn({ err: error, method: 'POST', url: '/logs' }, 'a request failed unexpectedly');
    this.answer(refused(error, this.keepAliveMs));
  };

  private get keepAliveMs(): number {
    return this.last ? 0 : this.surroundings.keepAliveMs;
  }

  private answer(text: string): void {
    const { socket, behind } = this;
    this.options.answered();
    socket.write(text, 'latin1');
    if (this.last) {
      // Not only its half: nothing is read any more, so the other end's would never be seen to close.
      socket.destroySoon();
      return;
    }
    this.behind = undefined;
    if (behind) this.goOn(behind);
    else {
      this.waitFor('next request');
      if (socket.isPaused()) socket.resume();
    }
  }

  /** Reads on, what is there already first: it starts with a request. */
  private goOn(bytes: Buffer): void {
    if (this.last || this.socket.destroyed) {
      this.socket.destroy();
      return;
    }
    this.waitFor('next request');
    this.begin(bytes);
    if (!this.gone && this.waitsFor !== 'answer') this.socket.resume();
  }

  /** Gives the connection to Node's server, with what has come and isn't answered. */
  private leave(bytes: Buffer): void {
    const { socket, surroundings } = this;
    if (socket.destroyed) return;
    this.gone = true;
    socket.pause();
    socket.off('data', this.onData);
    socket.off('end', this.onEnd);
    socket.off('error', ignore);
    socket.off('close', surroundings.left);
    surroundings.left();
    socket.unshift(bytes);
    surroundings.handOver();
    socket.resume();
  }

  private waitFor(what: UsualConnection['waitsFor']): void {
    this.waitsFor = what;
    this.sinceMs = performance.now();
  }
}

/** Of a socket: `close` follows. */
function ignore(): void {}
