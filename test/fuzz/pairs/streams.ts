/**
 * Connections' bytes, taken by the WebAssembly fast path and by the scalar reader: the same records for the same apps, and the same counts.
 * Several connections with different tokens, rules and senders alternate, as they share what the fast path remembers.
 */
import { type LineRule, LineRules } from '../../../src/logs/router/line-rules.ts';
import type { LogSource } from '../../../src/logs/router/token-cache.ts';
import { countersByApp } from '../../../src/logs/sources/app-counters.ts';
import { takeFrames } from '../../../src/logs/sources/formats/packed-lines.ts';
import {
  FrameOutcome,
  LineReceiver,
  type LineReceiverOptions,
  type LineRouter,
  type LineTarget,
} from '../../../src/logs/sources/line-receiver.ts';
import {
  createListenerCounters,
  type ListenerCounters,
} from '../../../src/logs/sources/listener-counters.ts';
import { SourceResolver } from '../../../src/logs/sources/source-resolver.ts';
import { PartialFrameBuffer } from '../../../src/logs/sources/syslog/partial-frame-buffer.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { HEADROOM } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { FrameScanner, FrameStatus, Patience } from '../../../src/logs/syslog/framing.ts';
import { Dice } from '../../support/properties/dice.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';
import { type RandomStream, randomStream, TOKENS } from '../../support/senders/random-streams.ts';
import { shortStream } from '../../support/senders/short-streams.ts';
import { describeDifference, type FuzzPair, PairDiffers, withClock } from './fuzz-pair.ts';

const NOW = Date.UTC(2026, 10, 28, 12, 30, 15);
const APPS = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'] as AppId[];
const BATCH_BYTES = 4_194_304;
const NOTHING = Buffer.alloc(0);
/** What is written over bytes that were given back. */
const GONE = 0x5a;

function logSource(token: string, app: AppId, source: string): LogSource {
  return { token, tokenBytes: Buffer.from(token), app, source, sourceBytes: Buffer.from(source) };
}

const SOURCES = [
  logSource(TOKENS[0], APPS[0], 'app'),
  logSource(TOKENS[1], APPS[1], 'cron'),
  logSource(TOKENS[2], APPS[0], '*'),
  logSource(TOKENS[3], APPS[0], 'other'),
];
const RULES: readonly LineRule[] = [
  rule('nginx', 'ruled', APPS[0], 'nginx'),
  rule('cron', undefined, APPS[1], 'cron'),
  rule('postgres', 'host', APPS[1], '*'),
  rule('-', undefined, APPS[1], 'nil'),
  rule(undefined, '-', APPS[0], 'hostless'),
  rule(undefined, 'ruled', APPS[1], 'app'),
  rule(undefined, undefined, APPS[0], 'any'),
];

function rule(tag: string | undefined, hostname: string | undefined, app: AppId, source: string): LineRule {
  return { tag, hostname, logSource: logSource('', app, source) };
}

/** Where all lines of an app go. */
class Target implements LineTarget {
  readonly builder = new BatchBuilder(BATCH_BYTES);

  readonly add: LineTarget['add'] = (bytes, start, end, header, source, host) => {
    if (!this.builder.add(bytes, start, end, header, source.sourceBytes, host)) throw new Error('full');
  };

  addRecords(records: Uint8Array, count: number): void {
    if (!this.builder.addRecords(records, count)) throw new Error('full');
  }

  flushInBackground(): void {}

  async whenStored(): Promise<void> {}
}

/** Tokens that are known, or have to be looked up first, and may be revoked. */
class Router implements LineRouter {
  tokensVersion = 1;
  readonly targets = APPS.map(() => new Target());
  private readonly known = new Map<string, LogSource | null>();
  private readonly stored = new Map<string, LogSource>(SOURCES.map((source) => [source.token, source]));
  /** Tokens have to be looked up; otherwise all are known, and what isn't there is known to be no token. */
  private readonly isLazy: boolean;

  constructor(isLazy: boolean) {
    this.isLazy = isLazy;
    if (!isLazy) for (const source of SOURCES) this.known.set(source.token, source);
  }

  lookupToken(token: string): LogSource | null | undefined {
    return this.known.get(token) ?? (this.isLazy && !this.known.has(token) ? undefined : null);
  }

  loadToken(token: string): Promise<LogSource | null> {
    const source = this.stored.get(token) ?? null;
    this.known.set(token, source);
    return Promise.resolve(source);
  }

  /** Makes it a token of another source, or none. */
  change(token: string, like: LogSource | undefined): void {
    this.known.delete(token);
    if (like) {
      const source = logSource(token, like.app, like.source);
      this.stored.set(token, source);
      if (!this.isLazy) this.known.set(token, source);
    } else this.stored.delete(token);
    this.tokensVersion++;
  }

  batcher(app: AppId): LineTarget {
    return this.targets[APPS.indexOf(app)];
  }
}

interface Sender {
  readonly receiver: LineReceiver;
  readonly counters: ListenerCounters;
  readonly scanner: FrameScanner;
  readonly partial: PartialFrameBuffer;
  readonly chunks: readonly Buffer[];
  /** Its chunks are datagrams, or lines of bodies: no frame is in two of them. */
  readonly isWhole: boolean;
  next: number;
}

/** What `LineReceiver` does without a fast path. */
function leaveAll(_bytes: Uint8Array, at: number): number {
  return at;
}

let fastBytes = 0;

/** Bytes that the fast path took so far. */
export function bytesTakenFast(): number {
  return fastBytes;
}

/** Everything that is known afterwards of the connections of a seed. */
function takeStreams(seed: number, streams: readonly RandomStream[], withFastPath: boolean): string[] {
  return withClock(NOW, (clock) => {
    const random = seededRandom(seed ^ 0x5bd1e995);
    const dice = new Dice(random);
    const router = new Router(dice.chance(0.2));
    let rules: LineRules[] = [];
    const ruleSet = { version: 0, candidatesFor: () => rules };
    const changeRules = (): void => {
      rules = [new LineRules(RULES.filter(() => random() < 0.5))];
      ruleSet.version++;
    };
    changeRules();
    const isLimited = dice.chance(0.1);
    const left = new Map<string, number>();
    const rateLimiter = {
      disabled: false,
      charge: () => {},
      admit: (source: LogSource, count: number): number => {
        const before = left.get(source.source) ?? 4;
        const granted = Math.min(before, count);
        left.set(source.source, before - granted);
        return granted;
      },
    };
    const senders = streams.map(({ chunks }, i): Sender => {
      const kind = random();
      const counters = createListenerCounters('tcp');
      const options: LineReceiverOptions = {
        router,
        counters,
        host: i === 0 ? 'sender.example' : dice.one('10.0.0.2', 'sender.example', ''),
        keepsFollowUps: dice.chance(0.8),
        ...(isLimited ? { rateLimiter } : {}),
        ...(kind < 0.75
          ? { sourceResolver: new SourceResolver(router, ruleSet, { address: '10.0.0.1', port: 514 }) }
          : {}),
        ...(kind > 0.7 ? { authenticatedSource: SOURCES[kind > 0.9 ? 2 : 0] } : {}),
        // As in requests of Heroku's drains; they may be read with tokens, too.
        ...(dice.chance(kind > 0.75 ? 0.3 : 0.02) ? { fromHerokuDrain: true } : {}),
      };
      const receiver = new LineReceiver(options);
      if (!withFastPath) receiver.takeFastPath = leaveAll;
      const [scanner, partial] = [new FrameScanner(), new PartialFrameBuffer()];
      return { receiver, counters, scanner, partial, chunks, isWhole: dice.chance(0.1), next: 0 };
    });
    const waiting = [...senders];
    while (waiting.length > 0) {
      const at = dice.below(waiting.length);
      const sender = waiting[at];
      if (sender.next === sender.chunks.length) {
        if (!sender.isWhole) takeRest(sender, Patience.ended);
        waiting.splice(at, 1);
        continue;
      }
      const chunk = sender.chunks[sender.next++];
      if (sender.isWhole) takeDatagram(sender, chunk);
      else {
        takeChunk(sender, chunk, random());
        if (dice.chance(0.05)) takeRest(sender, Patience.stalled);
      }
      if (dice.chance(0.1))
        router.change(dice.one(...TOKENS), dice.chance(0.5) ? undefined : dice.one(...SOURCES));
      if (dice.chance(0.1)) changeRules();
      if (dice.chance(0.1))
        clock.nowMs += dice.one(1, 999, 44_900, 86_400_000, 40 * 86_400_000, -60_000, -86_400_000);
    }
    const results = senders.map(({ receiver, counters, scanner }) => {
      const { bytes, ...counts } = counters;
      const apps = [...countersByApp(counters)].map(([app, { lines }]) => [app, lines]).sort();
      const { skippedCount, resyncCount } = scanner;
      // Of lines of which some are over a limit, the bytes are estimated.
      return JSON.stringify([
        counts,
        isLimited ? 0 : bytes,
        apps,
        receiver.lastApp,
        skippedCount,
        resyncCount,
      ]);
    });
    for (const { builder } of router.targets)
      results.push(Buffer.from(builder.takeBatch()?.bytes.subarray(HEADROOM) ?? NOTHING).toString('latin1'));
    return results;
  });
}

function takeFrame({ receiver, scanner }: Sender, bytes: Buffer): void {
  if (receiver.take(bytes, scanner.start, scanner.end) !== FrameOutcome.needsTokenLookup) return;
  // It is there at once, without waiting.
  for (let lookups = 0; ; lookups++) {
    void receiver.loadToken();
    if (receiver.take(bytes, scanner.start, scanner.end) !== FrameOutcome.needsTokenLookup) return;
    if (lookups === 9) throw new Error('a token is looked up over and over');
  }
}

/** As `serveSyslogConnection` does. */
function takeAll(sender: Sender, bytes: Buffer): void {
  const { receiver, scanner } = sender;
  scanner.setInput(bytes);
  for (;;) {
    const { framing } = scanner;
    if (framing !== undefined) {
      const reached = receiver.takeFastPath(bytes, scanner.pos, framing);
      fastBytes += reached - scanner.pos;
      scanner.advanceTo(reached);
    }
    const status = scanner.next();
    if (status === FrameStatus.partial) return;
    if (status === FrameStatus.complete) takeFrame(sender, bytes);
  }
}

function takeChunk(sender: Sender, given: Buffer, how: number): void {
  const { receiver, partial, scanner } = sender;
  const chunk = Buffer.from(given);
  const bytes = partial.join(chunk);
  takeAll(sender, bytes);
  receiver.flushInBackground();
  const isGone = how < 0.5;
  if (isGone) receiver.letGoOfBytes();
  else if (bytes !== chunk) receiver.letGoOfCopy(bytes, chunk, bytes.length - chunk.length);
  partial.keepFrom(bytes, scanner.pos);
  if (isGone) chunk.fill(GONE);
  scanner.patience = Patience.wait;
}

function takeRest(sender: Sender, patience: Patience): void {
  const { receiver, partial, scanner } = sender;
  scanner.patience = patience;
  const bytes = partial.join(NOTHING);
  takeAll(sender, bytes);
  receiver.flushInBackground();
  if (bytes !== NOTHING) receiver.letGoOfCopy(bytes, NOTHING, bytes.length);
  partial.keepFrom(bytes, scanner.pos);
  scanner.patience = Patience.wait;
}

/** Lines of a chunk that are datagrams, or of a body whose counts are right. */
function takeDatagram({ receiver }: Sender, chunk: Buffer): void {
  const frames: Buffer[] = [];
  for (let at = 0; at < chunk.length; ) {
    const newline = chunk.indexOf(0x0a, at);
    const end = newline === -1 ? chunk.length : newline + 1;
    frames.push(Buffer.from(`${end - at} `), chunk.subarray(at, end));
    at = end;
  }
  const bytes = Buffer.concat(frames);
  const { take } = receiver;
  receiver.take = (of, start, end) => {
    let outcome = take.call(receiver, of, start, end);
    for (let lookups = 0; outcome === FrameOutcome.needsTokenLookup && lookups < 9; lookups++) {
      void receiver.loadToken();
      outcome = take.call(receiver, of, start, end);
    }
    return outcome;
  };
  takeFrames(bytes, receiver);
  receiver.flushInBackground();
  receiver.letGoOfBytes();
  bytes.fill(GONE);
}

/** Most of them short, as what is odd is found by many of them. */
function streamsOf(seed: number): RandomStream[] {
  const dice = new Dice(seededRandom(seed));
  const make = dice.chance(0.12) ? randomStream : shortStream;
  return Array.from({ length: dice.one(1, 1, 1, 2, 3) }, () => make(dice.below(0x7fff_ffff)));
}

/** Throws when the two readers take these connections' bytes differently. @param seed of what happens between the chunks */
export function checkStreams(seed: number, streams: readonly RandomStream[]): void {
  const scalar = takeStreams(seed, streams, false);
  const fast = takeStreams(seed, streams, true);
  for (const [i, text] of scalar.entries()) {
    if (fast[i] === text) continue;
    const name = i < streams.length ? `counts of connection ${i}` : `records of app ${i - streams.length}`;
    const chunks = streams.map((stream) => stream.chunks.map((chunk) => chunk.toString('latin1')));
    throw new PairDiffers(`${describeDifference(name, fast[i], text)}\nof ${JSON.stringify(chunks)}`);
  }
}

export const streams: FuzzPair = {
  name: 'syslog-streams',
  inputs: 1_500,
  check: (seed) => checkStreams(seed, streamsOf(seed)),
};
