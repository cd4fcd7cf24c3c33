/**
 * What all listeners share: whose a frame's line is gets found out, and the line goes to the gatherer of its app.
 * One intake a connection or request, so that a token that comes line after line is recognised by its bytes.
 */

import type { LogRouter } from '../router/log-router.ts';
import type { RateLimiter } from '../router/rate-limiter.ts';
import { type LogSource, WILDCARD_SOURCE } from '../router/token-cache.ts';
import type { AppId } from '../store/contract.ts';
import { RECORD_HEADER } from '../syslog/batch.ts';
import { withDefaultHeader } from '../syslog/default-header.ts';
import { SyslogHeader, scanHeader, scanHerokuDrainHeader } from '../syslog/header.ts';
import { rfc3164ToRfc5424 } from '../syslog/rfc3164.ts';
import { decodeFrames, type RecordSink } from '../syslog/wasm/wasm-codec.ts';
import { type AppCounters, countersForApp } from './app-counters.ts';
import type { ListenerCounters } from './listener-counters.ts';
import { readHeaderField } from './rewrite-header.ts';
import type { SourceResolver } from './source-resolver.ts';
import { sourceForAppName } from './wildcard-token.ts';

/** What became of a frame. */
export const FrameOutcome = {
  /** It is with its app's gatherer. */
  accepted: 0,
  /** Nobody knows whose it is: counted, dropped. */
  unknownSource: 1,
  /** It is no line, as far as can be seen: counted, dropped. */
  malformed: 2,
  /** Its token has to be asked for: await {@link LineReceiver.loadToken}, then take the frame again. */
  needsTokenLookup: 3,
  /** Its token or app has sent more than it may: counted, dropped. */
  rateLimited: 4,
} as const;
export type FrameOutcome = (typeof FrameOutcome)[keyof typeof FrameOutcome];

const ANY_APP_NAME = new Uint8Array(0);

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
  flushInBackground(): void;
  whenStored(): Promise<unknown>;
}

export interface LineReceiverOptions {
  readonly router: LogRouter;
  readonly counters: ListenerCounters;
  /** What to write as HOSTNAME when a line has none: the sender's address. */
  readonly host: string;
  /** Whose all the lines are, when the sender authenticated with a token. */
  readonly authenticatedSource?: LogSource;
  /** Says whose lines are that don't have their token as APP-NAME. */
  readonly sourceResolver?: SourceResolver;
  /** Asked line by line; a request that is taken whole is asked for before, and only charged here. */
  readonly rateLimiter?: RateLimiter;
  /** The lines are in the form of Heroku's HTTPS drains: without structured data. */
  readonly fromHerokuDrain?: boolean;
  /** Where an app's lines go: its gatherer, unless they must stay together. */
  readonly targetFor?: (app: AppId) => LineTarget;
}

export class LineReceiver implements RecordSink {
  private readonly router: LogRouter;
  private readonly counters: ListenerCounters;
  private readonly host: Uint8Array;
  private readonly header = new SyslogHeader();
  private readonly scan: typeof scanHeader;
  readonly authenticatedSource: LogSource | undefined;
  private readonly sourceResolver: SourceResolver | undefined;
  private readonly rateLimiter: RateLimiter | undefined;
  private readonly targetFor: (app: AppId) => LineTarget;
  private readonly fastPathAllowed: boolean;
  private logSource: LogSource | undefined;
  private target: LineTarget | undefined;
  private appCounters: AppCounters | undefined;
  private tokensVersion = -1;
  private tokenToLoad = '';
  /** What got lines since the last {@link flushInBackground} or {@link whenStored}. */
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
      targetFor,
    } = options;
    this.router = router;
    this.counters = counters;
    this.host = Buffer.from(host.slice(0, 255));
    this.authenticatedSource = authenticatedSource;
    this.logSource = authenticatedSource;
    this.sourceResolver = sourceResolver;
    this.rateLimiter = rateLimiter?.disabled ? undefined : rateLimiter;
    this.scan = fromHerokuDrain ? scanHerokuDrainHeader : scanHeader;
    this.fastPathAllowed = !fromHerokuDrain;
    this.targetFor = targetFor ?? ((app) => router.batcher(app));
  }

  /** Takes the frame `bytes[start, end)`. */
  take(bytes: Uint8Array, start: number, end: number): FrameOutcome {
    const { header, authenticatedSource } = this;
    if (!this.scan(bytes, start, end, header)) return this.takeLegacy(bytes, start, end);
    if (authenticatedSource) {
      if (authenticatedSource.source === WILDCARD_SOURCE)
        this.logSource = sourceForAppName(
          authenticatedSource,
          readHeaderField(bytes, header.sourceStart, end),
        );
      return this.add(bytes, start, end, this.logSource ?? authenticatedSource);
    }
    const tokenEnd =
      header.dynoStart === end ? fieldEnd(bytes, header.sourceStart, end) : header.dynoStart - 1;
    const { logSource } = this;
    if (
      logSource &&
      this.tokensVersion === this.router.tokensVersion &&
      hasToken(bytes, header.sourceStart, tokenEnd, logSource)
    )
      return this.add(bytes, start, end, logSource);
    return this.resolveAndAdd(bytes, start, end);
  }

  /**
   * Takes usual frames from `bytes[pos, …)` on, as long as they carry the token of the frame before; returns where it
   * stopped. What is there is for {@link take}.
   */
  takeFastPath(bytes: Uint8Array, pos: number): number {
    const { logSource, authenticatedSource } = this;
    if (!this.fastPathAllowed || !logSource) return pos;
    if (authenticatedSource === logSource)
      return authenticatedSource.source === WILDCARD_SOURCE
        ? pos
        : decodeFrames(bytes, pos, ANY_APP_NAME, authenticatedSource.sourceBytes, this);
    // No token (a rule says who it is): an empty one would let every line pass.
    if (logSource.tokenBytes.length === 0) return pos;
    if (!authenticatedSource && this.tokensVersion !== this.router.tokensVersion) return pos;
    return decodeFrames(bytes, pos, logSource.tokenBytes, logSource.sourceBytes, this);
  }

  /** Called by the express lane. */
  addRecords(records: Uint8Array, count: number, lineBytes: number): void {
    const { logSource, rateLimiter } = this;
    if (!logSource) return;
    let lines = count;
    if (rateLimiter && this.authenticatedSource) rateLimiter.charge(logSource, count, lineBytes);
    else if (rateLimiter) {
      lines = rateLimiter.admit(logSource, count, lineBytes);
      this.counters.limited += count - lines;
      if (lines === 0) return;
    }
    if (!this.target) this.selectTarget(logSource);
    this.target?.addRecords(lines === count ? records : firstRecords(records, lines), lines);
    this.countLines(lines, lines === count ? lineBytes : Math.round((lineBytes * lines) / count));
  }

  /** Asks the store for the token of the frame that got `Taken.ask`. */
  async loadToken(): Promise<void> {
    // Meanwhile others may send the lines taken so far on their way, before anybody asked whether they arrive.
    for (const target of this.pendingTargets) target.flushInBackground();
    await this.router.loadToken(this.tokenToLoad);
  }

  /** The lines taken so far needn't be waited for. */
  flushInBackground(): void {
    for (const target of this.pendingTargets) target.flushInBackground();
    this.resetTargets();
  }

  /** Resolves when the lines taken so far are stored. */
  whenStored(): Promise<unknown> {
    const { pendingTargets: targets } = this;
    this.resetTargets();
    return targets.length === 1
      ? targets[0].whenStored()
      : Promise.all(targets.map((target) => target.whenStored()));
  }

  /** Takes a line without an RFC 5424 header: one of the old kind, or, from somebody who is known, any bytes. */
  private takeLegacy(bytes: Uint8Array, start: number, end: number): FrameOutcome {
    const converted = rfc3164ToRfc5424(bytes, start, end, Date.now());
    if (converted && scanHeader(converted, 0, converted.length, this.header)) {
      if (!this.authenticatedSource) return this.resolveAndAdd(converted, 0, converted.length);
      return this.add(converted, 0, converted.length, this.authenticatedSource);
    }
    this.counters.malformed++;
    const known =
      end > start
        ? (this.authenticatedSource ?? this.sourceResolver?.resolveHeaderless())
        : this.authenticatedSource;
    if (!known) return FrameOutcome.malformed;
    // Whose line it is may be known all the same: then it is kept, as a message without a header.
    const line = withDefaultHeader(bytes.subarray(start, end));
    scanHeader(line, 0, line.length, this.header);
    return this.add(line, 0, line.length, known);
  }

  /** Takes a line whose header has been scanned, from whoever it says that it is from. */
  private resolveAndAdd(bytes: Uint8Array, start: number, end: number): FrameOutcome {
    const { header, sourceResolver } = this;
    const resolution = sourceResolver
      ? sourceResolver.resolve(bytes, start, end, header)
      : this.resolveToken(readHeaderField(bytes, header.sourceStart, end));
    if (resolution === 'unknown') {
      this.counters.unknownToken++;
      return FrameOutcome.unknownSource;
    }
    if ('tokenToLoad' in resolution) {
      this.tokenToLoad = resolution.tokenToLoad;
      return FrameOutcome.needsTokenLookup;
    }
    const { logSource, line } = resolution;
    if (!line) return this.add(bytes, start, end, sourceForAppName(logSource, ''));
    scanHeader(line, 0, line.length, header);
    return this.add(line, 0, line.length, logSource);
  }

  private resolveToken(
    token: string,
  ): { logSource: LogSource; line?: undefined } | { tokenToLoad: string } | 'unknown' {
    const logSource = this.router.lookupToken(token);
    if (logSource === undefined) return { tokenToLoad: token };
    return logSource ? { logSource } : 'unknown';
  }

  private add(bytes: Uint8Array, start: number, end: number, logSource: LogSource): FrameOutcome {
    const { rateLimiter } = this;
    if (rateLimiter && this.authenticatedSource) rateLimiter.charge(logSource, 1, end - start);
    else if (rateLimiter && rateLimiter.admit(logSource, 1, end - start) === 0) {
      this.counters.limited++;
      return FrameOutcome.rateLimited;
    }
    if (!this.target || logSource !== this.logSource) this.selectTarget(logSource);
    this.target?.add(bytes, start, end, this.header, logSource, this.host);
    this.countLines(1, end - start);
    return FrameOutcome.accepted;
  }

  private countLines(lines: number, bytes: number): void {
    this.counters.lines += lines;
    this.counters.bytes += bytes;
    if (!this.appCounters) return;
    this.appCounters.lines += lines;
    this.appCounters.bytes += bytes;
  }

  private resetTargets(): void {
    this.pendingTargets = [];
    this.target = undefined; // it may be given up before the next line comes
  }

  private selectTarget(logSource: LogSource): void {
    this.logSource = logSource;
    this.tokensVersion = this.router.tokensVersion;
    this.target = this.targetFor(logSource.app);
    this.appCounters = countersForApp(this.counters, logSource.app);
    if (!this.pendingTargets.includes(this.target)) this.pendingTargets.push(this.target);
  }
}

function firstRecords(records: Uint8Array, count: number): Uint8Array {
  let end = 0;
  for (let left = count; left > 0; left--)
    end += RECORD_HEADER + (records[end] | (records[end + 1] << 8) | (records[end + 2] << 16));
  return records.subarray(0, end);
}

function hasToken(bytes: Uint8Array, start: number, end: number, { tokenBytes }: LogSource): boolean {
  const length = tokenBytes.length;
  if (length === 0 || end - start !== length) return false;
  for (let i = length - 1; i >= 0; i--) if (bytes[start + i] !== tokenBytes[i]) return false;
  return true;
}

function fieldEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && bytes[i] !== 0x20) i++;
  return i;
}
