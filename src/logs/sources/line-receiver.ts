/**
 * What all listeners share: the log source of a frame's line is determined, and the line goes to the batcher of its app.
 * One receiver per connection or request, so that a token that comes line after line is recognized by its bytes.
 *
 * No sockets, no timers, and of the router only the token table and the batchers: {@link SourceMatcher} and {@link SourceResolver}
 * decide where a line belongs, the rate limiter whether it may pass.
 */

import type { LogSource, TokenLookup } from '../router/token-cache.ts';
import type { AppId } from '../store/contract.ts';
import { RECORD_HEADER } from '../syslog/batch.ts';
import { withDefaultHeader } from '../syslog/default-header.ts';
import { HOSTNAME_BYTES_MAX, storedHeaderField } from '../syslog/fields/header-field.ts';
import { maskTokens } from '../syslog/fields/token-text.ts';
import { hasByteOrderMark, hasPriority, MARK_BYTES } from '../syslog/frame-boundary.ts';
import { Framing } from '../syslog/framing.ts';
import {
  ODD_TIME_BYTES_MAX,
  ODD_TIME_BYTES_MIN,
  repairHeader,
  SyslogHeader,
  scanHeader,
  scanHerokuDrainHeader,
} from '../syslog/header.ts';
import { rfc3164ToRfc5424 } from '../syslog/rfc3164.ts';
import {
  decodeFrames,
  type FrameSink,
  type KnownOwner,
  type OpenCell,
  type OwnerKey,
} from '../syslog/wasm/wasm-codec.ts';
import { type AppCounters, countersByApp, countersForApp } from './app-counters.ts';
import { FollowUpHeader } from './follow-up-header.ts';
import { KnownOwners } from './known-owners.ts';
import type { ListenerCounters } from './listener-counters.ts';
import { readHeaderField } from './rewrite-header.ts';
import { SourceMatcher } from './source-matcher.ts';
import { resolveToken, type SourceResolution, type SourceResolver } from './source-resolver.ts';
import { sourceForAppName } from './wildcard-token.ts';

/** What became of a frame. */
export const FrameOutcome = {
  /** It was added to its app's batcher. */
  accepted: 0,
  /** Its log source is unknown: counted, dropped. */
  unknownSource: 1,
  /** It is no syslog line, as far as can be seen: counted, dropped. */
  malformed: 2,
  /** Its token has to be looked up: await {@link LineReceiver.loadToken}, then take the frame again. */
  needsTokenLookup: 3,
  /** Its token or app has sent more than it may: counted, dropped. */
  rateLimited: 4,
  /** Nothing more of its app may wait to be stored, and who brings it can't wait: counted, dropped. */
  heldUp: 5,
} as const;
export type FrameOutcome = (typeof FrameOutcome)[keyof typeof FrameOutcome];

/** Where lines of one app go. */
export interface LineTarget {
  add(
    bytes: Uint8Array,
    start: number,
    end: number,
    header: SyslogHeader,
    logSource: LogSource,
    host: Uint8Array,
  ): void;
  addRecords(records: Uint8Array, count: number): void;
  flushInBackground(lingerMs?: number): void;
  whenStored(): Promise<unknown>;
  /** Lines of its app go to another one now. Left out: never. */
  readonly isDiscarded?: boolean;
  /** For receivers: the last one that has to flush it. */
  pendingOf?: object;
  /** Where its next lines may be appended: nobody needs to flush these. */
  readonly openCell?: OpenCell;
  /** Where lines are counted that come so. */
  appendedCounters?: AppCounters;
  /** Its app's lines can't be stored, and no more of them may wait. */
  readonly isHeldUp?: boolean;
  /** Calls `resume` once, as soon as that is over. */
  whenReleased?(resume: () => void): void;
  /** So many lines couldn't wait. */
  countLost?(lines: number): void;
}

/** Where lines of a source went last, and where they are counted. */
interface SourceRoute {
  readonly router: LineRouter;
  readonly countsByApp: Map<AppId, AppCounters>;
  readonly counters: AppCounters;
  target: LineTarget;
}

/** Decides which lines may pass: see `RateLimiter`. */
export interface LineAdmission {
  /** Nothing is limited now: nobody needs to ask. */
  readonly disabled: boolean;
  /** How many of some lines may pass. */
  admit(logSource: LogSource, lines: number, bytes: number): number;
  /** Takes lines off the budget that were admitted before. */
  charge(logSource: LogSource, lines: number, bytes: number): void;
}

/** What a receiver needs of the router. */
export interface LineRouter extends TokenLookup {
  batcher(app: AppId): LineTarget;
}

export interface LineReceiverOptions {
  readonly router: LineRouter;
  readonly counters: ListenerCounters;
  /** What to write as HOSTNAME when a line has none: the sender's address. */
  readonly host: string;
  /** The source of all lines, when the sender authenticated with a token. */
  readonly authenticatedSource?: LogSource;
  /** Finds the source of lines that don't have their token as APP-NAME. */
  readonly sourceResolver?: SourceResolver;
  /** Asked line by line; a request that is taken whole was admitted before, and is only charged here. */
  readonly rateLimiter?: LineAdmission;
  /** The lines are in the form of Heroku's HTTPS drains: without structured data. */
  readonly fromHerokuDrain?: boolean;
  /**
   * The lines come one behind the other from one sender, over a connection: one without a header is of the source of the line before,
   * and of its host and dyno. When the line before was nobody's, so is what follows it.
   */
  readonly keepsFollowUps?: boolean;
  /** Nobody waits for its lines to be stored: those of an app may be appended to the batch that others have begun. */
  readonly isFireAndForget?: boolean;
  /** Its sender can't be held up: lines are lost of which no more may wait. */
  readonly isLossy?: boolean;
  /** Where an app's lines go: its batcher, unless they must stay together. */
  readonly targetFor?: (app: AppId) => LineTarget;
}

export class LineReceiver implements FrameSink<LogSource> {
  private readonly router: LineRouter;
  private readonly counters: ListenerCounters;
  private readonly countsByApp: Map<AppId, AppCounters>;
  readonly host: Uint8Array;
  private readonly header = new SyslogHeader();
  private readonly scan: typeof scanHeader;
  private readonly matcher: SourceMatcher;
  private readonly sourceResolver: SourceResolver | undefined;
  private readonly rateLimiter: LineAdmission | undefined;
  private readonly targetFor: LineReceiverOptions['targetFor'];
  private readonly isFireAndForget: boolean;
  private readonly isLossy: boolean;
  /** What got lines before the last {@link flushInBackground}, and no more of which may wait: who brings lines waits for it. */
  heldUp: LineTarget | undefined;
  /** The lines are in the form of Heroku's drains: see {@link LineReceiverOptions.fromHerokuDrain}. */
  readonly dataless: boolean;
  /** For the fast path. */
  private readonly known: KnownOwners;
  private target: LineTarget | undefined;
  private appCounters: AppCounters | undefined;
  private tokenToLoad = '';
  /** The header of lines that follow the last one; undefined when they don't come one behind the other. */
  private readonly followUp: FollowUpHeader | undefined;
  /** The last line was taken: of {@link SourceMatcher.current}. */
  private isKnown = false;
  /** The version of the rules when the last line's source was found. */
  private rulesVersion = 0;
  /**
   * What got lines since the last {@link flushInBackground} or {@link whenStored}. One may be in it twice, when another receiver had lines
   * for it in between.
   */
  private pendingTargets: LineTarget[] = [];

  constructor(options: LineReceiverOptions) {
    const {
      router,
      counters,
      host,
      authenticatedSource,
      sourceResolver,
      rateLimiter,
      fromHerokuDrain,
      keepsFollowUps,
      targetFor,
      isFireAndForget = false,
      isLossy = false,
    } = options;
    this.router = router;
    this.counters = counters;
    this.countsByApp = countersByApp(counters);
    this.host = storedHeaderField(host, HOSTNAME_BYTES_MAX);
    this.matcher = new SourceMatcher(authenticatedSource);
    this.sourceResolver = sourceResolver;
    this.rateLimiter = rateLimiter;
    this.scan = fromHerokuDrain ? scanHerokuDrainHeader : scanHeader;
    this.dataless = fromHerokuDrain === true;
    this.known = new KnownOwners(router, sourceResolver, authenticatedSource);
    this.followUp = keepsFollowUps ? new FollowUpHeader() : undefined;
    this.targetFor = targetFor;
    this.isFireAndForget = isFireAndForget;
    this.isLossy = isLossy;
  }

  /** The source of all lines, when the sender authenticated with a token. */
  get authenticatedSource(): LogSource | undefined {
    return this.matcher.authenticated;
  }

  /** What records of its lines have, when all are of one source: see {@link takeRecords}. */
  get recordForm(): { readonly source: Uint8Array; readonly host: Uint8Array } | undefined {
    const { common } = this.matcher;
    return common && { source: common.sourceBytes, host: this.host };
  }

  /** The app of the last line, when that was taken. */
  get lastApp(): AppId | undefined {
    return this.isKnown ? this.matcher.current?.app : undefined;
  }

  /** Takes the frame `bytes[start, end)`. */
  take(bytes: Uint8Array, start: number, end: number): FrameOutcome {
    if (!this.scan(bytes, start, end, this.header)) return this.takeLegacy(bytes, start, end);
    return this.takeScanned(bytes, start, end);
  }

  /**
   * Takes frames from `bytes[pos, …)` on the WebAssembly fast path, as long as they are common lines whose source is known; returns
   * where it stopped. What is there is for {@link take}.
   */
  takeFastPath(bytes: Uint8Array, pos: number, framing: Framing = Framing.counted): number {
    // What is in the place of structured data may be read as the token's element.
    if (this.dataless && !this.matcher.common) return pos;
    this.known.refresh();
    return decodeFrames(bytes, pos, framing, this);
  }

  // What the fast path asks for, and calls.

  get owner(): LogSource | undefined {
    return this.matcher.common;
  }

  get tokens(): number {
    return this.known.tokens;
  }

  get names(): number {
    return this.known.names;
  }

  get rules(): number {
    return this.known.rules;
  }

  /** What may pass is counted by token. */
  get perSource(): boolean {
    return this.rateLimiter?.disabled === false;
  }

  findOwner(key: OwnerKey, tag: string, host: string, token: string): KnownOwner<LogSource> | undefined {
    return this.known.find(key, tag, host, token);
  }

  /**
   * Takes lines of the authenticated source that are records already, with its name and {@link host} in them.
   * @param lineBytes that they had as lines
   */
  takeRecords(records: Uint8Array, count: number, lineBytes: number): void {
    const { authenticated } = this.matcher;
    if (!authenticated) throw new Error('records need a source');
    this.addRecords(records, count, lineBytes, authenticated);
  }

  addRecords(records: Uint8Array, count: number, lineBytes: number, logSource: LogSource): void {
    const lines = this.admit(logSource, count, lineBytes);
    if (lines === 0) return;
    if (!this.target || logSource !== this.matcher.current) this.selectTarget(logSource);
    if (this.isLossy && this.target?.isHeldUp) {
      this.lose(this.target, lines);
      return;
    }
    this.target?.addRecords(lines === count ? records : firstRecords(records, lines), lines);
    this.countLines(lines, lines === count ? lineBytes : Math.round((lineBytes * lines) / count));
  }

  get mayAppend(): boolean {
    return this.isFireAndForget && !this.targetFor && !this.perSource;
  }

  get openCell(): OpenCell | undefined {
    return this.target?.openCell;
  }

  onAppended(lines: number, lineBytes: number): void {
    this.counters.lines += lines;
    this.counters.bytes += lineBytes;
  }

  noteLast(bytes: Uint8Array, start: number, end: number, isStamped: boolean): void {
    this.followUp?.noteCopy(bytes, start, end, isStamped);
  }

  /** Looks up the token of the frame whose outcome was `needsTokenLookup`. */
  async loadToken(): Promise<void> {
    // Others may flush the lines taken so far meanwhile, before anybody waits for them to be stored: have them kept.
    for (const target of this.pendingTargets) target.flushInBackground();
    await this.router.loadToken(this.tokenToLoad);
  }

  /** The bytes of the lines taken so far are about to be given back: what is needed of them is kept. */
  letGoOfBytes(): void {
    this.followUp?.letGo();
  }

  /** The same for `bytes`, whose end, from `offset` on, is a copy of `chunk`, which stays. */
  letGoOfCopy(bytes: Uint8Array, chunk: Uint8Array, offset: number): void {
    this.followUp?.moveTo(chunk, bytes, offset);
  }

  /**
   * The lines taken so far are fire-and-forget: kept and retried until they are stored.
   *
   * @param lingerMs they may wait for others until so long after the lines before them were stored
   */
  flushInBackground(lingerMs = 0): void {
    this.heldUp = undefined;
    for (const target of this.pendingTargets) {
      target.flushInBackground(lingerMs);
      if (target.isHeldUp) this.heldUp = target;
    }
    this.resetTargets();
  }

  /** Lines were taken that nobody has asked to be stored. */
  get hasTaken(): boolean {
    return this.pendingTargets.length > 0;
  }

  /** Resolves when the lines taken so far are stored; rejects when they couldn't be. */
  whenStored(): Promise<unknown> {
    const targets = this.pendingTargets;
    this.resetTargets();
    return targets.length === 1
      ? targets[0].whenStored()
      : Promise.all(targets.map((target) => target.whenStored()));
  }

  /** Takes a line without an RFC 5424 header: one of RFC 3164, or, when the sender's source is known, any bytes. */
  private takeLegacy(bytes: Uint8Array, start: number, end: number): FrameOutcome {
    if (end - start > MARK_BYTES && hasByteOrderMark(bytes, start))
      return this.takeBehindMark(bytes, start, end);
    const isPriority = end > start && hasPriority(bytes, start) === true;
    const converted = rfc3164ToRfc5424(bytes, start, end, Date.now());
    let outcome: FrameOutcome = FrameOutcome.malformed;
    if (converted && scanHeader(converted, 0, converted.length, this.header))
      outcome = this.takeConverted(converted);
    // Without a PRI it may as well be a line that begins with a time.
    if (outcome === FrameOutcome.malformed || (outcome === FrameOutcome.unknownSource && !isPriority)) {
      const asMessage = this.takeHeaderless(bytes, start, end, isPriority);
      if (asMessage !== FrameOutcome.malformed) outcome = asMessage;
    }
    if (outcome === FrameOutcome.malformed || outcome === FrameOutcome.unknownSource) this.refuse(outcome);
    return outcome;
  }

  private takeConverted(line: Buffer): FrameOutcome {
    const logSource = this.matcher.match(line, this.header, line.length, this.router.tokensVersion);
    return logSource ? this.add(line, 0, line.length, logSource) : this.resolveAndAdd(line, 0, line.length);
  }

  private takeBehindMark(bytes: Uint8Array, start: number, end: number): FrameOutcome {
    const line = start + MARK_BYTES;
    if (this.scan(bytes, line, end, this.header)) return this.takeScanned(bytes, line, end);
    return this.takeLegacy(bytes, line, end);
  }

  /** Takes a message without a header. One with a PRI should have had one: it isn't the rest of the line before. */
  private takeHeaderless(bytes: Uint8Array, start: number, end: number, isPriority: boolean): FrameOutcome {
    const { authenticated } = this.matcher;
    const before = isPriority || authenticated || end === start ? 'unknown' : this.sourceBefore();
    if (before !== 'unknown' && 'tokenToLoad' in before) {
      this.tokenToLoad = before.tokenToLoad;
      return FrameOutcome.needsTokenLookup;
    }
    let logSource: LogSource | undefined;
    let header: Buffer | undefined;
    if (before !== 'unknown') {
      logSource = before.logSource;
      header = this.followUp?.header;
    } else {
      const known = authenticated ?? (end > start ? this.sourceResolver?.resolveHeaderless() : undefined);
      logSource = known && sourceForAppName(known, '');
    }
    if (!logSource) return FrameOutcome.malformed;
    // What should have been a header may hold a token.
    const line = withDefaultHeader(maskTokens(bytes, start, end), header);
    scanHeader(line, 0, line.length, this.header);
    const outcome = this.add(line, 0, line.length, logSource);
    if (outcome === FrameOutcome.accepted) this.counters.headerless++;
    return outcome;
  }

  /** The source of the line before, as far as a line without a header may be of it too. */
  private sourceBefore(): SourceResolution {
    const { matcher, router, sourceResolver } = this;
    const { current } = matcher;
    if (!this.followUp || !this.isKnown || !current) return 'unknown';
    if (matcher.isCurrent(router.tokensVersion)) return { logSource: current };
    // Tokens were made or revoked since.
    if (current.token === '')
      return sourceResolver?.rulesVersion === this.rulesVersion ? { logSource: current } : 'unknown';
    const resolution = resolveToken(router, current.token);
    if (resolution === 'unknown' || 'tokenToLoad' in resolution) return resolution;
    return { logSource: sourceForAppName(resolution.logSource, current.source) };
  }

  /** Counts a line that isn't taken. What follows it isn't either, if it was somebody else's. */
  private refuse(outcome: FrameOutcome): void {
    if (outcome === FrameOutcome.malformed) this.counters.malformed++;
    else this.counters.unknownToken++;
    this.isKnown = false;
    this.target = undefined; // the next line has it selected
    this.followUp?.clear();
  }

  /** Takes a line whose header has been scanned. */
  private takeScanned(bytes: Uint8Array, start: number, end: number): FrameOutcome {
    const { header } = this;
    const timeBytes = header.hostStart - header.timeStart;
    if (timeBytes >= ODD_TIME_BYTES_MIN && timeBytes <= ODD_TIME_BYTES_MAX && !this.dataless) {
      const mended = repairHeader(bytes, start, end, header);
      if (mended) return this.takeScanned(mended, 0, mended.length);
    }
    const logSource = this.matcher.match(bytes, header, end, this.router.tokensVersion);
    if (logSource) return this.add(bytes, start, end, logSource);
    const outcome = this.resolveAndAdd(bytes, start, end);
    if (outcome === FrameOutcome.unknownSource) this.refuse(outcome);
    return outcome;
  }

  private resolveAndAdd(bytes: Uint8Array, start: number, end: number): FrameOutcome {
    const { header, sourceResolver } = this;
    const resolution = sourceResolver
      ? sourceResolver.resolve(bytes, start, end, header)
      : resolveToken(this.router, readHeaderField(bytes, header.sourceStart, end));
    if (resolution === 'unknown') return FrameOutcome.unknownSource;
    if ('tokenToLoad' in resolution) {
      this.tokenToLoad = resolution.tokenToLoad;
      return FrameOutcome.needsTokenLookup;
    }
    const { logSource, line } = resolution;
    if (!line) return this.add(bytes, start, end, sourceForAppName(logSource, ''));
    scanHeader(line, 0, line.length, header);
    return this.add(line, 0, line.length, logSource);
  }

  private add(bytes: Uint8Array, start: number, end: number, logSource: LogSource): FrameOutcome {
    this.followUp?.note(bytes, start, end);
    if (this.admit(logSource, 1, end - start) === 0) return FrameOutcome.rateLimited;
    if (!this.target || logSource !== this.matcher.current) this.selectTarget(logSource);
    if (this.isLossy && this.target?.isHeldUp) {
      this.lose(this.target, 1);
      return FrameOutcome.heldUp;
    }
    this.target?.add(bytes, start, end, this.header, logSource, this.host);
    this.countLines(1, end - start);
    return FrameOutcome.accepted;
  }

  private lose(target: LineTarget, lines: number): void {
    this.counters.lost += lines;
    target.countLost?.(lines);
  }

  /** How many of so many lines may pass; the others are counted. */
  private admit(logSource: LogSource, lines: number, bytes: number): number {
    const { rateLimiter } = this;
    if (!rateLimiter || rateLimiter.disabled) return lines;
    if (this.matcher.authenticated) {
      rateLimiter.charge(logSource, lines, bytes);
      return lines;
    }
    const granted = rateLimiter.admit(logSource, lines, bytes);
    this.counters.limited += lines - granted;
    return granted;
  }

  private countLines(lines: number, bytes: number): void {
    this.counters.lines += lines;
    this.counters.bytes += bytes;
    if (!this.appCounters) return;
    this.appCounters.lines += lines;
    this.appCounters.bytes += bytes;
  }

  private resetTargets(): void {
    for (const target of this.pendingTargets) if (target.pendingOf === this) target.pendingOf = undefined;
    this.pendingTargets = [];
    this.target = undefined; // the router may discard it before the next line comes
  }

  private selectTarget(logSource: LogSource): void {
    this.matcher.remember(logSource, this.router.tokensVersion);
    this.isKnown = true;
    this.rulesVersion = this.sourceResolver?.rulesVersion ?? 0;
    const route = this.routeFor(logSource);
    const { target } = route;
    this.target = target;
    this.appCounters = route.counters;
    target.appendedCounters = route.counters;
    if (target.pendingOf === this) return;
    target.pendingOf = this;
    this.pendingTargets.push(target);
  }

  private routeFor(logSource: LogSource): Pick<SourceRoute, 'target' | 'counters'> {
    const { router, countsByApp, targetFor } = this;
    const { app } = logSource;
    if (targetFor) return { target: targetFor(app), counters: countersForApp(countsByApp, app) };
    const known = logSource.route as SourceRoute | undefined; // nobody else has one
    if (known?.router === router && known.countsByApp === countsByApp) {
      if (known.target.isDiscarded) known.target = router.batcher(app);
      return known;
    }
    const counters = countersForApp(countsByApp, app);
    const route: SourceRoute = { router, countsByApp, counters, target: router.batcher(app) };
    logSource.route = route;
    return route;
  }
}

/** The first `count` of some records. */
function firstRecords(records: Uint8Array, count: number): Uint8Array {
  let end = 0;
  for (let left = count; left > 0; left--)
    end += RECORD_HEADER + (records[end] | (records[end + 1] << 8) | (records[end + 2] << 16));
  return records.subarray(0, end);
}
