import type { RoutedApp } from './app-lookup.ts';
import { type Failure, failures } from './error-codes.ts';
import type { RequestHead } from './http/request-head.ts';
import type { RelayProgress } from './response-relay.ts';
import type { HttpRouterTimeouts } from './timeouts.ts';
import { ATTEMPTS_MAX, pickUpstream, type UpstreamChoice } from './upstream/pick-upstream.ts';

/** What comes next: nothing, the end, a tunnel, an attempt on a new connection, or the failure to end with. */
export type ExchangeStep = RelayProgress | 'retry';

/** How much of the request's body has arrived. */
interface RequestBodyProgress {
  /** All of it? */
  readonly done: boolean;
  /** Can another dyno be sent the same? */
  readonly replayable: boolean;
}

/** How far the response is, and which connections may be used again after it. */
interface ResponseProgress {
  readonly started: boolean;
  readonly keepDynoConnection: boolean;
  readonly keepClientConnection: boolean;
  /** What the dyno's closing means for it: its end, or that a part is missing. */
  dynoEnded(): RelayProgress;
}

const NONE_TRIED: readonly string[] = [];

/**
 * The decisions of an exchange: a state machine that takes what happened and returns what to do next, without sockets,
 * timers and clocks. Times are on `performance.now`'s clock.
 *
 * waiting → connecting → sent → tunnel → finished; any of them may be the last, and a failed attempt leads back to
 * waiting or connecting.
 */
export class ExchangeState {
  phase: 'waiting' | 'connecting' | 'sent' | 'tunnel' | 'finished' = 'waiting';
  /** 0 if it never had to wait for a dyno. */
  bootDeadlineMs = 0;
  /** Set when the dyno's first byte arrives. */
  response: ResponseProgress | undefined;
  private readonly request: Pick<RequestHead, 'failure' | 'idempotent' | 'keepAlive'>;
  private readonly body: RequestBodyProgress;
  private readonly timeouts: HttpRouterTimeouts;
  private attempts = 0;
  private dynoName = '';
  /** Replaced, never changed: most requests share the empty one. */
  private triedDynos = NONE_TRIED;
  private lastFailure: Failure = failures.refused;

  constructor(
    request: Pick<RequestHead, 'failure' | 'idempotent' | 'keepAlive'>,
    body: RequestBodyProgress,
    timeouts: HttpRouterTimeouts,
  ) {
    this.request = request;
    this.body = body;
    this.timeouts = timeouts;
  }

  /** Has the client got a part of the response? Then there is no way back. */
  get responseStarted(): boolean {
    return this.response?.started === true;
  }

  // --- finding a dyno ---

  /** Where to send the request. @param random gives a number from 0 (inclusive) to 1 (exclusive) */
  route(
    app: RoutedApp,
    quarantine: { isQuarantined(port: number): boolean },
    random: () => number,
  ): UpstreamChoice {
    if (this.request.failure !== undefined) return this.request.failure;
    if (app.maintenance) return failures.maintenance;
    if (app.isBlank) return failures.blank;
    return pickUpstream(app, this.triedDynos, this.lastFailure, quarantine, random);
  }

  /** It waits for a dyno to boot. @returns the deadline for that, the same however often it has to wait */
  bootWaitStarted(nowMs: number): number {
    this.phase = 'waiting';
    if (this.bootDeadlineMs === 0) this.bootDeadlineMs = nowMs + this.timeouts.bootMs;
    return this.bootDeadlineMs;
  }

  /** The app's dynos are others now: those that failed may be tried again. */
  dynosChanged(): void {
    this.triedDynos = NONE_TRIED;
  }

  /** An attempt with a dyno begins. @returns the deadline for the connection */
  attemptStarted(dynoName: string, nowMs: number): number {
    this.phase = 'connecting';
    this.attempts++;
    this.dynoName = dynoName;
    return nowMs + this.timeouts.connectMs;
  }

  /** The request's head has been sent to the dyno. */
  requestSent(): void {
    this.phase = 'sent';
  }

  /** The dyno agreed to switch protocols: both sides may send until one of them closes. */
  tunnelStarted(): void {
    this.phase = 'tunnel';
  }

  finished(): void {
    this.phase = 'finished';
  }

  // --- what went wrong, and what follows from it ---

  /** The dyno half-closed its connection. @param reused had the connection served another request before? */
  dynoEnded(reused: boolean): ExchangeStep {
    if (this.phase === 'tunnel') return 'done';
    return this.response === undefined ? this.dynoClosedEarly(reused, '') : this.response.dynoEnded();
  }

  /** The dyno's connection is closed. @param code the system's error, '' if there was none */
  dynoClosed(reused: boolean, code: string): ExchangeStep {
    if (this.phase === 'connecting') return this.retry(failures.refused, true);
    if (this.phase === 'tunnel') return 'done';
    if (this.response === undefined) return this.dynoClosedEarly(reused, code);
    // A reset isn't the orderly close that could be the end of a body.
    return this.responseStarted ? failures.interrupted : failures.noResponse;
  }

  /** The deadline has passed. @param dynoBlocked does the dyno not take what was written to it? */
  expired(dynoBlocked: boolean): ExchangeStep {
    if (this.phase === 'waiting') return failures.boot;
    if (this.phase === 'connecting') return this.retry(failures.connectTimeout, true);
    if (this.responseStarted) return failures.idle;
    // A dyno that doesn't take the body is as slow as one that doesn't respond to it.
    return this.body.done || dynoBlocked ? failures.timeout : failures.clientIdle;
  }

  /** The client has closed its connection. @returns undefined if that is how a tunnel ends */
  clientClosed(): Failure | undefined {
    return this.phase === 'tunnel' ? undefined : failures.clientGone;
  }

  /** The router stops and can't wait any longer. */
  aborted(): ExchangeStep {
    return this.phase === 'tunnel' ? 'done' : failures.stopped;
  }

  /**
   * The dyno has closed without a byte of a response. If the connection had served another request, the dyno probably
   * closed it for being idle; if it reset a new one, it probably never accepted it: both deserve another attempt, if it
   * does no harm when the guess is wrong. A dyno that read the request and hung up doesn't.
   */
  private dynoClosedEarly(reused: boolean, code: string): ExchangeStep {
    const repeatable = this.body.replayable && this.request.idempotent;
    if (repeatable && (reused || code !== '')) return this.retry(failures.noResponse, !reused);
    return failures.noResponse;
  }

  /** Another attempt, unless there were too many. @param otherDyno not with this dyno */
  private retry(failure: Failure, otherDyno: boolean): ExchangeStep {
    this.lastFailure = failure;
    if (otherDyno) this.triedDynos = [...this.triedDynos, this.dynoName];
    return this.attempts >= ATTEMPTS_MAX ? failure : 'retry';
  }

  // --- deadlines and connections ---

  /** The deadline after a sign of life from either side. @param currentMs what it was */
  deadlineAfterActivity(nowMs: number, currentMs: number): number {
    if (this.phase !== 'sent' && this.phase !== 'tunnel') return currentMs;
    const streaming = this.responseStarted || !this.body.done;
    return nowMs + (streaming ? this.timeouts.idleMs : this.timeouts.firstByteMs);
  }

  /** May the dyno's connection serve another request, now that the response is complete? */
  mayKeepDynoConnection(): boolean {
    return this.isComplete() && this.response?.keepDynoConnection === true;
  }

  /** May the client send another request, now that the response is complete? */
  mayKeepClientConnection(): boolean {
    return this.isComplete() && this.response?.keepClientConnection === true;
  }

  /** May the client send another request after an error page? */
  mayKeepClientAfterFailure(): boolean {
    // What follows a head or a body that couldn't be read isn't the next request.
    return this.body.done && this.request.keepAlive && this.request.failure === undefined;
  }

  private isComplete(): boolean {
    return this.body.done && this.phase === 'sent';
  }
}
