/** What becomes of a frame, without a server: the token table and the batchers are in memory here. */
import { beforeEach, describe, expect, it } from 'vitest';
import { LineRules } from '../../../src/logs/router/line-rules.ts';
import { type RateLimit, RateLimiter } from '../../../src/logs/router/rate-limiter.ts';
import type { LogSource, TokenLookup } from '../../../src/logs/router/token-cache.ts';
import { countersByApp } from '../../../src/logs/sources/app-counters.ts';
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
import { AppLimitTable, limitsKey } from '../../../src/logs/store/app-limits.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { HEADROOM, RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import type { SyslogHeader } from '../../../src/logs/syslog/header.ts';

const APP = '00000000-0000-4000-8000-000000000001' as AppId;
const OTHER = '00000000-0000-4000-8000-000000000002' as AppId;

function logSource(token: string, app: AppId, source: string): LogSource {
  return { token, tokenBytes: Buffer.from(token), app, source, sourceBytes: Buffer.from(source) };
}

/** The lines of one app, as they would be stored. */
class Lines implements LineTarget {
  private readonly builder = new BatchBuilder();
  readonly calls: string[] = [];
  isDiscarded = false;

  add(
    bytes: Uint8Array,
    start: number,
    end: number,
    header: SyslogHeader,
    source: LogSource,
    host: Uint8Array,
  ): void {
    this.builder.add(bytes, start, end, header, source.sourceBytes, host);
  }

  addRecords(records: Uint8Array, count: number): void {
    this.builder.addRecords(records, count);
  }

  flushInBackground(): void {
    this.calls.push('flushInBackground');
  }

  async whenStored(): Promise<void> {
    this.calls.push('whenStored');
  }

  /** From HOSTNAME on: `host source dyno msgid sd message`. */
  texts(): string[] {
    const { bytes } = this.builder.takeBatch() ?? { bytes: Buffer.alloc(HEADROOM) };
    const cursor = new RecordCursor(bytes);
    const texts: string[] = [];
    while (cursor.advance())
      texts.push(Buffer.from(bytes.subarray(cursor.hostStart, cursor.textEnd)).toString());
    return texts;
  }
}

/** Tokens have to be loaded once before they are known. */
class FakeRouter implements LineRouter, TokenLookup {
  tokensVersion = 1;
  readonly loaded: string[] = [];
  private readonly known = new Map<string, LogSource | null>();
  private readonly lines = new Map<AppId, Lines>();
  private tokens: readonly LogSource[];

  constructor(...tokens: LogSource[]) {
    this.tokens = tokens;
  }

  lookupToken(token: string): LogSource | null | undefined {
    return this.known.get(token);
  }

  async loadToken(token: string): Promise<LogSource | null> {
    this.loaded.push(token);
    const found = this.tokens.find((source) => source.token === token) ?? null;
    this.known.set(token, found);
    return found;
  }

  /** Tokens were made or revoked: what is known of all of them has to be looked up again. */
  forget(revoked?: string): void {
    this.tokensVersion++;
    this.known.clear();
    this.tokens = this.tokens.filter(({ token }) => token !== revoked);
  }

  batcher(app: AppId): Lines {
    const lines = this.lines.get(app) ?? new Lines();
    this.lines.set(app, lines);
    return lines;
  }

  /** The app's batcher was unused for long. */
  discard(app: AppId): void {
    this.batcher(app).isDiscarded = true;
    this.lines.delete(app);
  }
}

let router: FakeRouter;
let counters: ListenerCounters;
beforeEach(() => {
  router = new FakeRouter(logSource('t.a', APP, 'app'), logSource('t.b', OTHER, 'cron'));
  counters = createListenerCounters('test');
});

function receiver(options: Partial<LineReceiverOptions> = {}): LineReceiver {
  return new LineReceiver({ router, counters, host: '10.0.0.1', ...options });
}

function take(into: LineReceiver, text: string): FrameOutcome {
  const bytes = Buffer.from(text);
  return into.take(bytes, 0, bytes.length);
}

async function takeWithLookup(into: LineReceiver, text: string): Promise<FrameOutcome> {
  const outcome = take(into, text);
  if (outcome !== FrameOutcome.needsTokenLookup) return outcome;
  await into.loadToken();
  return take(into, text);
}

const line = (appName: string, message: string): string =>
  `<13>1 2012-12-10T03:00:48Z h ${appName} web.1 - - ${message}`;
const frames = (...lines: string[]): Buffer =>
  Buffer.from(lines.map((text) => `${Buffer.byteLength(text)} ${text}`).join(''));

describe('lines that carry a token', () => {
  it('wait for the look-up of the first one; the next with the same token need none', async () => {
    const into = receiver();
    expect(take(into, line('t.a', '1'))).toBe(FrameOutcome.needsTokenLookup);
    expect(counters.lines).toBe(0);
    expect(await takeWithLookup(into, line('t.a', '1'))).toBe(FrameOutcome.accepted);
    expect(take(into, line('t.a', '2'))).toBe(FrameOutcome.accepted);
    expect(router.loaded).toEqual(['t.a']);
    expect(router.batcher(APP).texts()).toEqual(['h app web.1 - - 1', 'h app web.1 - - 2']);
    expect(counters).toMatchObject({ lines: 2, bytes: 2 * line('t.a', '1').length });
  });

  it('go to the app of their token, each', async () => {
    const into = receiver();
    for (const text of [line('t.a', '1'), line('t.b', '2'), line('t.a', '3')])
      expect(await takeWithLookup(into, text)).toBe(FrameOutcome.accepted);
    expect(router.batcher(APP).texts()).toEqual(['h app web.1 - - 1', 'h app web.1 - - 3']);
    expect(router.batcher(OTHER).texts()).toEqual(['h cron web.1 - - 2']);
  });

  it('go to another batcher when the one before was discarded', async () => {
    const into = receiver();
    await takeWithLookup(into, line('t.a', '1'));
    into.flushInBackground();
    const before = router.batcher(APP);
    router.discard(APP);
    take(into, line('t.a', '2'));
    expect(before.texts()).toEqual(['h app web.1 - - 1']);
    expect(router.batcher(APP).texts()).toEqual(['h app web.1 - - 2']);
    expect(countersByApp(counters).get(APP)).toEqual({ lines: 2, bytes: 2 * line('t.a', '1').length });
  });

  it('are flushed by each connection that has some of an app, and counted where they came', async () => {
    const other = createListenerCounters('other');
    const all = [receiver(), receiver({ counters: other }), receiver()];
    for (const into of all) await takeWithLookup(into, line('t.a', '1'));
    const lines = router.batcher(APP);
    for (const [i, into] of all.entries()) {
      into.flushInBackground();
      expect(lines.calls).toHaveLength(i + 1);
      into.flushInBackground();
      expect(lines.calls).toHaveLength(i + 1);
    }
    for (const into of all) {
      take(into, line('t.a', '2'));
      into.flushInBackground();
    }
    expect(lines.calls).toHaveLength(2 * all.length);
    expect([counters.lines, other.lines]).toEqual([4, 2]);
    expect([countersByApp(counters), countersByApp(other)].map((counts) => counts.get(APP)?.lines)).toEqual([
      4, 2,
    ]);
  });

  it('are counted and dropped when nobody knows it', async () => {
    const into = receiver();
    expect(await takeWithLookup(into, line('t.x', '1'))).toBe(FrameOutcome.unknownSource);
    expect(counters).toMatchObject({ lines: 0, unknownToken: 1 });
  });

  it('may be of RFC 3164', async () => {
    const into = receiver();
    expect(await takeWithLookup(into, '<34>Oct 11 22:14:15 db t.a: slow query')).toBe(FrameOutcome.accepted);
    expect(router.batcher(APP).texts()).toEqual(['db app - - - slow query']);
  });
});

describe('frames that are no lines', () => {
  it('are counted and dropped from an unknown sender', () => {
    expect(take(receiver(), 'hello')).toBe(FrameOutcome.malformed);
    expect(counters).toMatchObject({ lines: 0, malformed: 1 });
  });

  it('are kept as messages, and counted, from one that authenticated or that a rule identifies', () => {
    const source = logSource('t.a', APP, 'app');
    expect(take(receiver({ authenticatedSource: source }), 'hello')).toBe(FrameOutcome.accepted);
    const rules = {
      version: 1,
      candidatesFor: () => [
        new LineRules([{ tag: undefined, hostname: undefined, logSource: logSource('', OTHER, 'cisco') }]),
      ],
    };
    const sourceResolver = new SourceResolver(router, rules, { address: '10.0.0.1', port: 514 });
    expect(take(receiver({ sourceResolver }), 'hello')).toBe(FrameOutcome.accepted);
    expect(take(receiver({ sourceResolver }), '')).toBe(FrameOutcome.malformed);
    expect(router.batcher(APP).texts()).toEqual(['10.0.0.1 app - - - hello']);
    expect(router.batcher(OTHER).texts()).toEqual(['10.0.0.1 cisco - - - hello']);
    expect(counters).toMatchObject({ lines: 2, headerless: 2, malformed: 1 });
  });
});

describe('lines without a header behind one that has a token, on one connection', () => {
  const connection = (): LineReceiver => receiver({ keepsFollowUps: true });
  const TRACE = [
    '\tat foo.Bar(Bar.java:7)',
    '1795858227 epoch',
    '5000000 rows',
    '<div>',
    ' ',
    '2026-01-02 03:04:05 x',
  ];

  it('are of its app, source, priority, host and dyno', async () => {
    const into = connection();
    await takeWithLookup(into, line('t.b', 'Exception'));
    for (const text of TRACE) expect(await takeWithLookup(into, text)).toBe(FrameOutcome.accepted);
    expect(router.batcher(OTHER).texts()).toEqual(
      ['Exception', ...TRACE].map((text) => `h cron web.1 - - ${text}`),
    );
    expect(counters).toMatchObject({ lines: 7, headerless: 6, malformed: 0, unknownToken: 0 });
  });

  it('also when the chunk of that line is gone, whatever became of its bytes', async () => {
    const into = connection();
    const bytes = Buffer.from(line('t.a', 'Exception'));
    await takeWithLookup(into, line('t.a', '0'));
    expect(into.take(bytes, 0, bytes.length)).toBe(FrameOutcome.accepted);
    into.flushInBackground();
    into.letGoOfBytes();
    bytes.fill('!');
    expect(take(into, '\tat foo')).toBe(FrameOutcome.accepted);
    expect(router.batcher(APP).texts().at(-1)).toBe('h app web.1 - - \tat foo');
  });

  it('also when each field of that line’s header is as long as it may be, however it was taken', async () => {
    const [host, dyno] = ['h'.repeat(255), 'd'.repeat(128)];
    const text = `<13>1 2012-12-10T03:00:48.123456789+00:00 ${host} t.a ${dyno} ${'m'.repeat(32)} - first`;
    const bytes = frames(text);
    for (const isFast of [false, true]) {
      const into = connection();
      await takeWithLookup(into, line('t.a', '0'));
      if (isFast) expect(into.takeFastPath(bytes, 0)).toBe(bytes.length);
      else expect(take(into, text)).toBe(FrameOutcome.accepted);
      into.flushInBackground();
      into.letGoOfBytes();
      expect(take(into, '\tat foo')).toBe(FrameOutcome.accepted);
      expect(router.batcher(APP).texts().at(-1)).toBe(`${host} app ${dyno} - - \tat foo`);
    }
  });

  it('behind lines of the fast path they are of the same app, with what is known of it', async () => {
    const into = connection();
    await takeWithLookup(into, line('t.a', '0'));
    const bytes = frames(line('t.a', '1'));
    expect(into.takeFastPath(bytes, 0)).toBe(bytes.length);
    expect(take(into, 'no header')).toBe(FrameOutcome.accepted);
    expect(router.batcher(APP).texts().at(-1)).toBe('h app web.1 - - no header');
  });

  it('behind lines of several sources of one app on the fast path they are of the last one’s', async () => {
    router = new FakeRouter(logSource('t.a', APP, 'app'), logSource('t.c', APP, 'other'));
    const into = connection();
    for (const token of ['t.a', 't.c']) await takeWithLookup(into, line(token, '0'));
    for (const [tokens, source] of [
      ['a c', 'other'],
      ['c a', 'app'],
      ['a c a a', 'app'],
      ['a a c', 'other'],
    ] as const) {
      const bytes = frames(...tokens.split(' ').map((token) => line(`t.${token}`, '1')));
      expect(into.takeFastPath(bytes, 0)).toBe(bytes.length);
      expect(take(into, 'no header')).toBe(FrameOutcome.accepted);
      expect(router.batcher(APP).texts().at(-1)).toBe(`h ${source} web.1 - - no header`);
    }
  });

  it('behind a line that nobody knows they are nobody’s, whoever’s the one before that was', async () => {
    const into = connection();
    await takeWithLookup(into, line('t.a', '1'));
    for (const unknown of [line('t.x', 'a'), line('nginx', 'a'), '<13>who: am I', '<192>1 x', '<13>1']) {
      await takeWithLookup(into, unknown);
      expect(take(into, '\tat secret')).toBe(FrameOutcome.malformed);
      await takeWithLookup(into, line('t.a', '2'));
      expect(take(into, '\tat foo')).toBe(FrameOutcome.accepted);
    }
    expect(router.batcher(APP).texts().join()).not.toContain('secret');
    expect(into.lastApp).toBe(APP);
  });

  it('are refused when the token was revoked meanwhile; other tokens change nothing', async () => {
    const tokens = [logSource('t.a', APP, 'app')];
    router = new FakeRouter(...tokens);
    const into = connection();
    await takeWithLookup(into, line('t.a', '1'));
    router.forget();
    expect(await takeWithLookup(into, '\tat foo')).toBe(FrameOutcome.accepted);
    router.forget('t.a');
    expect(await takeWithLookup(into, '\tat bar')).toBe(FrameOutcome.malformed);
    expect(router.batcher(APP).texts()).toEqual(['h app web.1 - - 1', 'h app web.1 - - \tat foo']);
    expect(into.lastApp).toBeUndefined();
  });

  it('of RFC 3164 too; an empty line is none', async () => {
    const into = connection();
    await takeWithLookup(into, '<34>Oct 11 22:14:15 db t.a[7]: slow query');
    expect(take(into, '\tselect 1')).toBe(FrameOutcome.accepted);
    expect(take(into, '')).toBe(FrameOutcome.malformed);
    expect(router.batcher(APP).texts()).toEqual(['db app 7 - - slow query', 'db app 7 - - \tselect 1']);
  });

  it('over UDP, where an address may be anybody’s, they are refused', async () => {
    const into = receiver();
    await takeWithLookup(into, line('t.a', '1'));
    expect(take(into, '\tat foo')).toBe(FrameOutcome.malformed);
  });

  it('a line that a rule identified is followed as one with a token is, until rules change', () => {
    const rules = {
      version: 1,
      candidatesFor: () => [
        new LineRules([{ tag: 'su', hostname: undefined, logSource: logSource('', OTHER, 'box') }]),
      ],
    };
    const sourceResolver = new SourceResolver(router, rules, { address: '10.0.0.1', port: 514 });
    const into = receiver({ sourceResolver, keepsFollowUps: true });
    expect(take(into, '<34>Oct 11 22:14:15 db su[7]: failed')).toBe(FrameOutcome.accepted);
    expect(take(into, '\tbecause')).toBe(FrameOutcome.accepted);
    router.forget();
    expect(take(into, '\tof')).toBe(FrameOutcome.accepted);
    router.forget();
    rules.version++;
    expect(take(into, '\tthis')).toBe(FrameOutcome.malformed);
    expect(router.batcher(OTHER).texts()).toEqual(
      ['failed', '\tbecause', '\tof'].map((text) => `db box su.7 - - ${text}`),
    );
  });
});

describe('a byte order mark in front of a line', () => {
  it('isn’t part of it', async () => {
    const into = receiver({ keepsFollowUps: true });
    await takeWithLookup(into, `\ufeff${line('t.a', '1')}`);
    await takeWithLookup(into, '\ufeff<34>Oct 11 22:14:15 db t.a: 2');
    expect(take(into, '\ufeffno header')).toBe(FrameOutcome.accepted);
    expect(router.batcher(APP).texts()).toEqual([
      'h app web.1 - - 1',
      'db app - - - 2',
      'db app - - - no header',
    ]);
  });
});

describe('a wildcard token', () => {
  it('keeps the source that a line names, in the old form too; a line that names none is of `app`', () => {
    const into = receiver({ authenticatedSource: logSource('t.a', APP, '*') });
    for (const text of [line('heroku', '1'), '<34>Oct 11 22:14:15 db postgres: 2', 'three'])
      expect(take(into, text)).toBe(FrameOutcome.accepted);
    expect(router.batcher(APP).texts()).toEqual([
      'h heroku web.1 - - 1',
      'db postgres - - - 2',
      '10.0.0.1 app - - - three',
    ]);
  });
});

describe('the fast path', () => {
  it('takes the frames that have the token of the one before, and leaves the first other', async () => {
    const into = receiver();
    await takeWithLookup(into, line('t.a', '0'));
    const same = frames(line('t.a', '1'), line('t.a', '2'));
    const bytes = Buffer.concat([same, frames(line('t.b', '3'))]);
    expect(into.takeFastPath(bytes, 0)).toBe(same.length);
    expect(router.batcher(APP).texts()).toEqual(['0', '1', '2'].map((text) => `h app web.1 - - ${text}`));
  });

  it('takes nothing of a token that isn’t known, or not any more; the form of Heroku’s drains when the sender is known', async () => {
    const into = receiver();
    const bytes = frames(line('t.a', '1'));
    expect(into.takeFastPath(bytes, 0)).toBe(0);
    await takeWithLookup(into, line('t.a', '0'));
    expect(into.takeFastPath(bytes, 0)).toBe(bytes.length);
    router.forget();
    expect(into.takeFastPath(bytes, 0)).toBe(0);
    await takeWithLookup(into, line('t.a', '2'));
    expect(into.takeFastPath(bytes, 0)).toBe(bytes.length);
    const source = logSource('t.a', APP, 'app');
    expect(receiver({ fromHerokuDrain: true }).takeFastPath(bytes, 0)).toBe(0);
    expect(receiver({ authenticatedSource: source, fromHerokuDrain: true }).takeFastPath(bytes, 0)).toBe(
      bytes.length,
    );
    expect(receiver({ authenticatedSource: source }).takeFastPath(bytes, 0)).toBe(bytes.length);
  });

  it('takes lines of several tokens that alternate, once each is known', async () => {
    const into = receiver();
    for (const token of ['t.a', 't.b']) await takeWithLookup(into, line(token, '0'));
    const bytes = frames(line('t.a', '1'), line('t.b', '2'), line('t.a', '3'));
    expect(into.takeFastPath(bytes, 0)).toBe(bytes.length);
    expect(router.batcher(APP).texts()).toEqual(['0', '1', '3'].map((text) => `h app web.1 - - ${text}`));
    expect(router.batcher(OTHER).texts()).toEqual(['0', '2'].map((text) => `h cron web.1 - - ${text}`));
  });

  it('takes lines that a rule names, until rules change', () => {
    const rules = {
      version: 1,
      candidatesFor: () => [
        new LineRules([{ tag: 'su', hostname: undefined, logSource: logSource('', OTHER, 'box') }]),
      ],
    };
    const sourceResolver = new SourceResolver(router, rules, { address: '10.0.0.1', port: 514 });
    const into = receiver({ sourceResolver });
    const bytes = frames('<34>Oct 11 22:14:15 db su[7]: failed');
    expect(into.takeFastPath(bytes, 0)).toBe(bytes.length);
    expect(router.batcher(OTHER).texts()).toEqual(['db box su.7 - - failed']);
    rules.candidatesFor = () => [];
    rules.version++;
    expect(into.takeFastPath(bytes, 0)).toBe(0);
  });
});

describe('a rate limit', () => {
  const NO_RATE: RateLimit = { lines: undefined, bytes: undefined };
  const limiter = (
    token: RateLimit,
    limits = new AppLimitTable({ lines: 1, bytes: 1, ageMs: 1 }),
  ): RateLimiter => new RateLimiter({ token, app: NO_RATE, limits, logToApp: () => {} }, () => 1_000);

  it('of an app holds for connections that are open, on the fast path too, and ends when it is cleared', async () => {
    const limits = new AppLimitTable({ lines: 1, bytes: 1, ageMs: 1 });
    const rateLimiter = limiter(NO_RATE, limits);
    const into = receiver({ rateLimiter });
    expect(await takeWithLookup(into, line('t.a', '1'))).toBe(FrameOutcome.accepted);
    expect(into.perSource).toBe(false);
    limits.apply([{ key: limitsKey(APP), value: { linesPerS: 2 } }]);
    const bytes = frames(...['2', '3', '4', '5'].map((text) => line('t.a', text)));
    expect(into.takeFastPath(bytes, 0)).toBe(bytes.length);
    expect(take(into, line('t.a', '6'))).toBe(FrameOutcome.rateLimited);
    expect(counters).toMatchObject({ lines: 3, limited: 3 });
    limits.apply([{ key: limitsKey(APP), value: undefined }]);
    expect(into.takeFastPath(bytes, 0)).toBe(bytes.length);
    expect(counters).toMatchObject({ lines: 7, limited: 3 });
    rateLimiter.close();
  });

  it('of an app takes the place of that of all apps, also when it is none', () => {
    const limits = new AppLimitTable({ lines: 1, bytes: 1, ageMs: 1 });
    const app = { lines: 1, bytes: undefined };
    const rateLimiter = new RateLimiter({ token: NO_RATE, app, limits, logToApp: () => {} }, () => 1_000);
    const source = { app: APP } as LogSource;
    expect(rateLimiter.admit(source, 5, 50)).toBe(1);
    limits.load([{ key: limitsKey(APP), value: { linesPerS: null, bytesPerS: 1_000 }, version: 1 }]);
    expect(rateLimiter.admit(source, 500, 999)).toBe(500);
    // Of a limit that stays the same, what was used stays used.
    limits.load([
      { key: limitsKey(APP), value: { linesPerS: null, bytesPerS: 1_000, lines: 7 }, version: 2 },
    ]);
    expect(rateLimiter.admit(source, 2, 1)).toBe(2);
    expect(rateLimiter.admit(source, 2, 1)).toBe(0);
    limits.load([]);
    expect(rateLimiter.admit(source, 5, 50)).toBe(1);
    rateLimiter.close();
  });

  it('drops and counts what is over, line by line and on the fast path alike', async () => {
    const rateLimiter = limiter({ lines: 3, bytes: undefined });
    const into = receiver({ rateLimiter });
    expect(await takeWithLookup(into, line('t.a', '1'))).toBe(FrameOutcome.accepted);
    const bytes = frames(...['2', '3', '4', '5'].map((text) => line('t.a', text)));
    expect(into.takeFastPath(bytes, 0)).toBe(bytes.length);
    expect(take(into, line('t.a', '6'))).toBe(FrameOutcome.rateLimited);
    expect(router.batcher(APP).texts()).toEqual(['1', '2', '3'].map((text) => `h app web.1 - - ${text}`));
    expect(counters).toMatchObject({ lines: 3, limited: 3 });
    rateLimiter.close();
  });

  it('only charges the lines of a request that was admitted as a whole', () => {
    const rateLimiter = limiter({ lines: 1, bytes: undefined });
    const source = logSource('t.a', APP, 'app');
    const into = receiver({ rateLimiter, authenticatedSource: source });
    for (const text of ['1', '2']) expect(take(into, line('t.a', text))).toBe(FrameOutcome.accepted);
    expect(rateLimiter.allowsRequest(source)).toBe(false);
    expect(counters).toMatchObject({ lines: 2, limited: 0 });
    rateLimiter.close();
  });
});

describe('the end of a chunk or request', () => {
  it('flushes, or waits for, each app that got lines since the last time', async () => {
    const into = receiver();
    await takeWithLookup(into, line('t.a', '1'));
    await takeWithLookup(into, line('t.b', '2'));
    await into.whenStored();
    take(into, line('t.b', '3'));
    into.flushInBackground();
    into.flushInBackground();
    // The first line was there before the second one's token was looked up: it is kept then.
    expect(router.batcher(APP).calls).toEqual(['flushInBackground', 'whenStored']);
    expect(router.batcher(OTHER).calls).toEqual(['whenStored', 'flushInBackground']);
  });
});
