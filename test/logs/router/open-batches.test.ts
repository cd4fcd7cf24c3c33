/**
 * Lines of many apps over several connections: the fast path appends them to batches that are open, and what is stored of each app is what it
 * was sent, in its order, whatever comes between.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { LogRouter } from '../../../src/logs/router/log-router.ts';
import { tokenKey } from '../../../src/logs/router/token-cache.ts';
import { countersByApp } from '../../../src/logs/sources/app-counters.ts';
import { type LineAdmission, LineReceiver } from '../../../src/logs/sources/line-receiver.ts';
import { createListenerCounters } from '../../../src/logs/sources/listener-counters.ts';
import type { AppId, OpenAppend, Store, StreamAppender } from '../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { type Batch, RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { expectSameLines } from '../../support/expect-same-lines.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';
import { seededRandom } from '../../support/properties/seeded-random.ts';
import { until } from '../../support/until.ts';

const APPS = 160;
const STEPS = propertyRuns(150, 60);
const SLOW_TURN_MS = 160;
const RETENTION = { lines: 1e9, bytes: 1e9, ageMs: 1e12 };
const appOf = (number: number): AppId =>
  `00000000-0000-4000-8000-${String(number).padStart(12, '0')}` as AppId;
const tokenOf = (number: number): string => `t.00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;

let folder = '';
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** A store whose appends fail as `fails` says; with `isLater`, it takes what is open when it has a turn for that, as Redis does. */
function failing(store: Store, fails: () => boolean, isLater: () => boolean, usesOpen: boolean): Store {
  const waiting = new Map<OpenAppend, StreamAppender>();
  const takeSome = (): void => {
    for (const [source, appender] of [...waiting])
      if (!isLater()) {
        waiting.delete(source);
        const taken = source.takeBatch();
        appender.append(taken.batch, taken);
      }
    if (waiting.size > 0) setImmediate(takeSome);
  };
  return new Proxy(store, {
    get: (target, name) => {
      if (name !== 'appenderFor') return Reflect.get(target, name).bind(target);
      return (app: AppId): StreamAppender => {
        const appender = target.appenderFor(app);
        const failingAppender: StreamAppender = {
          get isFollowed() {
            return appender.isFollowed;
          },
          append: (batch, waiter) => {
            if (fails()) queueMicrotask(() => waiter.onAppendFailed(new Error('not now')));
            else appender.append(batch, waiter);
          },
        };
        if (!usesOpen) return failingAppender;
        return Object.assign(failingAppender, {
          appendOpen: (source: OpenAppend) => {
            waiting.set(source, failingAppender);
            if (waiting.size === 1) setImmediate(takeSome);
          },
          withdraw: (source: OpenAppend) => expect(waiting.delete(source)).toBe(true),
        });
      };
    },
  });
}

it.each([
  [1, 'fast'],
  [2, 'fast'],
  [3, 'slow'],
  [4, 'slow'],
  [5, 'taken late'],
  [6, 'taken late'],
])('are stored in their order, once each, and counted (seed %i, apps that are %s)', async (seed, pace) => {
  const utilization = 1;
  vi.spyOn(performance, 'eventLoopUtilization').mockReturnValue({ idle: 1, active: 1, utilization });
  // Of slow apps what nobody reads gathers: on a clock of their own, about half of these apps have less than ten lines a second.
  const turnMs = pace === 'slow' ? SLOW_TURN_MS : 0;
  let nowMs = performance.now();
  const advance = (): void => {
    nowMs += turnMs;
    vi.advanceTimersByTime(turnMs);
  };
  if (pace === 'slow') {
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  }
  const random = seededRandom(seed);
  const below = (count: number): number => Math.floor(random() * count);
  folder = mkdtempSync(join(tmpdir(), 'open-batches-'));
  const store = new EmbeddedStore({ folder, retention: RETENTION, durability: 'process' });
  await store.transact(
    '',
    Array.from({ length: APPS }, (_, number) => ({
      key: tokenKey(tokenOf(number)),
      value: { token: tokenOf(number), app: appOf(number), source: 'app', createdAt: '' },
    })),
  );
  let mayFail = true;
  let stored = 0;
  let batches = 0;
  let gathered = 0;
  const router = new LogRouter(
    failing(
      store,
      () => mayFail && random() < 0.02,
      () => mayFail && random() < 0.7,
      pace === 'taken late',
    ),
    {
      pendingBytesMax: 1e9,
      onAppendFailed: () => {},
      onBatchStored: (_app: AppId, batch: Batch, afterMs: number) => {
        stored += batch.count;
        batches++;
        if (afterMs > 450) gathered++;
      },
    },
  );
  for (let number = 0; number < APPS; number++) await router.loadToken(tokenOf(number));
  const counters = createListenerCounters('tcp');
  let isLimited = false;
  const rateLimiter: LineAdmission = {
    get disabled() {
      return !isLimited;
    },
    admit: (_source, lines) => lines,
    charge: () => {},
  };
  const common = { router, counters, host: 'h', keepsFollowUps: true, rateLimiter };
  const senders = Array.from({ length: 5 }, () => new LineReceiver({ ...common, isFireAndForget: true }));
  const appends = senders.map((sender) => vi.spyOn(sender, 'onAppended'));
  const waiting = new LineReceiver(common);
  const sent = Array.from({ length: APPS }, () => [] as string[]);
  let lines = 0;
  const frames = (): Buffer => {
    const count = 1 + below(100);
    const all: string[] = [];
    const first = below(APPS);
    for (let i = 0; i < count; i++) {
      const number = random() < 0.8 ? (first + i) % APPS : below(APPS);
      const text = `${lines} ${'m'.repeat(random() < 0.02 ? below(9_000) : below(300))}`;
      // Some of them the fast path leaves alone.
      const head = random() < 0.03 ? '<13>1 - -' : '<13>1 2026-01-01T00:00:00Z -';
      const line = `${head} ${tokenOf(number)} web.1 - - ${text}`;
      sent[number].push(text);
      all.push(`${line.length} ${line}`);
      lines++;
    }
    return Buffer.from(all.join(''));
  };
  const take = (receiver: LineReceiver): void => {
    const chunk = frames();
    for (let at = receiver.takeFastPath(chunk, 0); at < chunk.length; ) {
      const space = chunk.indexOf(0x20, at);
      const end = space + 1 + Number(chunk.toString('latin1', at, space));
      receiver.take(chunk, space + 1, end);
      at = receiver.takeFastPath(chunk, end);
    }
    receiver.letGoOfBytes();
  };
  const stops: (() => void)[] = [];
  for (let step = 0; step < (pace === 'slow' ? 4 * STEPS : STEPS); step++) {
    isLimited = random() < 0.1;
    const kind = random();
    if (kind < 0.05) {
      take(waiting);
      void waiting.whenStored().catch(() => {});
    } else if (kind < 0.1) {
      const receiver = senders[below(senders.length)];
      take(receiver);
      receiver.flushInBackground(5);
    } else {
      const receiver = senders[below(senders.length)];
      take(receiver);
      receiver.flushInBackground();
    }
    if (random() < 0.1) stops.push(store.subscribe(appOf(below(APPS)), () => {}));
    if (random() < 0.1) stops.splice(below(stops.length), 1)[0]?.();
    if (random() < 0.2) {
      if (pace === 'slow') advance();
      await turn();
    }
  }
  mayFail = false;
  while (pace === 'slow' && stored < lines) {
    advance();
    await turn();
  }
  await until('all lines are stored', () => stored === lines);
  vi.useRealTimers();
  for (const [number, expected] of sent.entries()) {
    const texts: string[] = [];
    for (const batch of await store.read(appOf(number), 0, 1e9)) {
      const cursor = new RecordCursor(batch.bytes);
      while (cursor.advance())
        texts.push(Buffer.from(batch.bytes.subarray(cursor.messageStart, cursor.textEnd)).toString());
    }
    expectSameLines(texts, expected);
  }
  const appended = appends.flatMap(({ mock }) => mock.calls).reduce((sum, [count]) => sum + count, 0);
  if (pace !== 'slow') expect(appended).toBeGreaterThan(lines / 10);
  else expect(gathered).toBeGreaterThan(batches / 20);
  expect(counters.lines).toBe(lines);
  const byApp = [...countersByApp(counters).values()];
  expect(byApp.reduce((sum, count) => sum + count.lines, 0)).toBe(lines);
  expect(byApp.reduce((sum, count) => sum + count.bytes, 0)).toBe(counters.bytes);
  expect(router.waitingBytes).toBe(0);
  await router.close(1_000);
  await store.close();
});
