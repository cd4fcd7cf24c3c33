/**
 * The WebAssembly fast path takes connections' bytes as the scalar reader does: the same lines for the same apps, and the same counts.
 * Random streams of seeds that are printed; for many more of them:
 *
 *     PROPERTY_RUNS=300 npx vitest run --project unit test/logs/sources/fast-path.unit.test.ts
 *     FUZZ_SEED=12345 …
 */
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CandidateRule } from '../../../src/logs/router/source-rules.ts';
import type { LogSource } from '../../../src/logs/router/token-cache.ts';
import { countersByApp } from '../../../src/logs/sources/app-counters.ts';
import {
  FrameOutcome,
  LineReceiver,
  type LineReceiverOptions,
  type LineRouter,
  type LineTarget,
} from '../../../src/logs/sources/line-receiver.ts';
import { createListenerCounters } from '../../../src/logs/sources/listener-counters.ts';
import { SourceResolver } from '../../../src/logs/sources/source-resolver.ts';
import { PartialFrameBuffer } from '../../../src/logs/sources/syslog/partial-frame-buffer.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { FrameScanner, FrameStatus, Patience } from '../../../src/logs/syslog/framing.ts';
import type { SyslogHeader } from '../../../src/logs/syslog/header.ts';
import { FIRST_SEED, propertyRuns } from '../../support/properties/property-runs.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';
import { randomStream, TOKENS } from '../../support/senders/random-streams.ts';

const NOW = Date.UTC(2026, 10, 28, 12, 30, 15);
const APPS = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'] as AppId[];

function logSource(token: string, app: AppId, source: string): LogSource {
  return { token, tokenBytes: Buffer.from(token), app, source, sourceBytes: Buffer.from(source) };
}

const builder = new BatchBuilder(65_536);

/** The lines of all apps, in the order in which an app gets them. */
class Lines {
  readonly byApp = new Map<AppId, string[]>();

  target(app: AppId): LineTarget {
    const texts = this.byApp.get(app) ?? [];
    this.byApp.set(app, texts);
    const note = (bytes: Uint8Array, start: number): void => {
      const cursor = new RecordCursor(bytes, start);
      while (cursor.advance()) {
        const at = [cursor.hostStart, cursor.sourceStart, cursor.msgidStart, cursor.messageStart];
        const offsets = at.map((place) => place - cursor.textStart).join();
        texts.push(
          `${offsets} ${Buffer.from(bytes.subarray(cursor.textStart, cursor.textEnd)).toString('latin1')}`,
        );
      }
    };
    return {
      add(
        bytes: Uint8Array,
        start: number,
        end: number,
        header: SyslogHeader,
        source: LogSource,
        host: Uint8Array,
      ): void {
        expect(builder.add(bytes, start, end, header, source.sourceBytes, host)).toBe(true);
        note(builder.takeBatch()!.bytes, 32);
      },
      addRecords: (records: Uint8Array) => note(records, 0),
      flushInBackground: () => {},
      whenStored: async () => {},
    };
  }
}

class Router implements LineRouter {
  tokensVersion = 1;
  private known = new Map<string, LogSource>();
  private readonly lines: Lines;
  private readonly targets = new Map<AppId, LineTarget>();

  constructor(lines: Lines, tokens: readonly LogSource[]) {
    this.lines = lines;
    for (const source of tokens) this.known.set(source.token, source);
  }

  lookupToken(token: string): LogSource | null {
    return this.known.get(token) ?? null;
  }

  async loadToken(token: string): Promise<LogSource | null> {
    return this.lookupToken(token);
  }

  revoke(token: string): void {
    const others = [...this.known.values()].filter((source) => source.token !== token);
    this.known = new Map(others.map((source) => [source.token, { ...source }]));
    this.tokensVersion++;
  }

  batcher(app: AppId): LineTarget {
    let target = this.targets.get(app);
    if (!target) {
      target = this.lines.target(app);
      this.targets.set(app, target);
    }
    return target;
  }
}

function tokens(): LogSource[] {
  return [
    logSource(TOKENS[0], APPS[0], 'app'),
    logSource(TOKENS[1], APPS[1], 'cron'),
    logSource(TOKENS[2], APPS[0], '*'),
    logSource(TOKENS[3], APPS[0], 'other'),
  ];
}

function candidates(random: () => number): CandidateRule[] {
  const rule = (tag: string | undefined, hostname: string | undefined, app: AppId, source: string) => ({
    tag,
    hostname,
    logSource: logSource('', app, source),
  });
  const all = [
    rule('nginx', 'ruled', APPS[0], 'nginx'),
    rule('cron', undefined, APPS[1], 'cron'),
    rule('postgres', 'host', APPS[1], '*'),
    rule(undefined, 'ruled', APPS[1], 'app'),
    rule(undefined, undefined, APPS[0], 'any'),
  ];
  return all.filter(() => random() < 0.6);
}

/** Everything that is known afterwards of a connection with this seed's bytes. */
function takeStream(seed: number, withFastPath: boolean): unknown {
  const { chunks, random } = randomStream(seed);
  const lines = new Lines();
  const router = new Router(lines, tokens());
  const counters = createListenerCounters('tcp');
  let current = candidates(random);
  const rules = { version: 1, candidatesFor: () => current };
  const sender = random();
  const left = new Map<string, number>();
  const isLimited = random() < 0.2;
  const admission = {
    disabled: false,
    charge: () => {},
    admit: (source: LogSource, count: number): number => {
      const before = left.get(source.source) ?? 4;
      const granted = Math.min(before, count);
      left.set(source.source, before - granted);
      return granted;
    },
  };
  const options: LineReceiverOptions = {
    router,
    counters,
    host: 'sender.example',
    keepsFollowUps: random() < 0.8,
    ...(isLimited ? { rateLimiter: admission } : {}),
    ...(sender < 0.7
      ? { sourceResolver: new SourceResolver(router, rules, { address: '10.0.0.1', port: 514 }) }
      : {}),
    ...(sender > 0.75 ? { authenticatedSource: tokens()[sender > 0.9 ? 2 : 0] } : {}),
    // As in requests of Heroku's drains; they may be read with tokens, too.
    ...(random() < (sender > 0.75 ? 0.3 : 0.02) ? { fromHerokuDrain: true } : {}),
  };
  const receiver = new LineReceiver(options);
  const scanner = new FrameScanner();
  const partial = new PartialFrameBuffer();
  let fast = 0;
  const takeFrames = (bytes: Buffer): void => {
    for (;;) {
      const { framing } = scanner;
      if (withFastPath && framing !== undefined) {
        const reached = receiver.takeFastPath(bytes, scanner.pos, framing);
        fast += reached - scanner.pos;
        scanner.advanceTo(reached);
      }
      const status = scanner.next();
      if (status === FrameStatus.partial) return;
      if (status !== FrameStatus.complete) continue;
      if (receiver.take(bytes, scanner.start, scanner.end) === FrameOutcome.needsTokenLookup)
        throw new Error('a token to look up');
    }
  };
  for (const chunk of chunks) {
    const bytes = partial.join(chunk);
    scanner.setInput(bytes);
    takeFrames(bytes);
    receiver.flushInBackground();
    if (random() < 0.5) receiver.letGoOfBytes();
    else if (bytes !== chunk) receiver.letGoOfCopy(bytes, chunk, bytes.length - chunk.length);
    partial.keepFrom(bytes, scanner.pos);
    if (random() < 0.1) router.revoke(TOKENS[0]);
    if (random() < 0.1) {
      current = candidates(random);
      rules.version++;
    }
  }
  const rest = partial.join(Buffer.alloc(0));
  scanner.setInput(rest);
  scanner.patience = Patience.ended;
  takeFrames(rest);
  fastBytes += fast;
  const { bytes, ...counts } = counters;
  return {
    lines: Object.fromEntries([...lines.byApp].filter(([, texts]) => texts.length > 0).sort()),
    // Of lines of which some are over a limit, the bytes are estimated.
    counts: isLimited ? counts : { ...counts, bytes },
    apps: [...countersByApp(counters)].map(([app, count]) => [app, count.lines]).sort(),
    lastApp: receiver.lastApp,
    skipped: scanner.skippedCount,
    resyncs: scanner.resyncCount,
  };
}

let fastBytes = 0;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const RUNS = propertyRuns(3_000);

describe('the fast path', () => {
  it(`takes any stream as the scalar reader does (first seed ${FIRST_SEED})`, {
    timeout: 60_000 + RUNS * 10,
  }, () => {
    const random = seededRandom(FIRST_SEED);
    let seed = FIRST_SEED;
    for (let run = 0; run < RUNS; run++) {
      const scalar = takeStream(seed, false);
      const fast = takeStream(seed, true);
      if (!isDeepStrictEqual(fast, scalar)) expect(fast, `FUZZ_SEED=${seed}`).toEqual(scalar);
      seed = Math.floor(random() * 0x7fff_ffff);
    }
    // It isn't the scalar reader beside itself.
    expect(fastBytes).toBeGreaterThan(RUNS * 20);
  });
});
