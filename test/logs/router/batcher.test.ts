import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TailraceError } from '../../../src/common/errors.ts';
import { Batcher } from '../../../src/logs/router/batcher.ts';
import { LogRouter } from '../../../src/logs/router/log-router.ts';
import type { LogSource } from '../../../src/logs/router/token-cache.ts';
import type { AppId, Store, StreamAppender } from '../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { BATCH_BYTES, type Batch, HEADROOM, RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../src/logs/syslog/batch-builder.ts';
import { SyslogHeader, scanHeader } from '../../../src/logs/syslog/header.ts';
import { expectSameLines } from '../../support/expect-same-lines.ts';
import { until } from '../../support/until.ts';

const APP = '00000000-0000-4000-8000-000000000001' as AppId;
const SOURCE = Buffer.from('app');
const logSource: LogSource = {
  token: 't.x',
  tokenBytes: Buffer.from('t.x'),
  app: APP,
  source: 'app',
  sourceBytes: SOURCE,
};

const numberedMessages = (count: number, name = 'line'): string[] =>
  Array.from({ length: count }, (_, i) => `${name} ${i}`);

let folder = '';
let store: EmbeddedStore;
let pendingBytes = 0;
let failures = 0;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'batcher-'));
  store = new EmbeddedStore({
    folder,
    retention: { lines: 1e9, bytes: 1e9, ageMs: 1e12 },
    durability: 'process',
  });
  pendingBytes = 0;
  failures = 0;
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await store.close();
  rmSync(folder, { recursive: true });
});

/** The real store, whose appends fail while `broken` is true. */
/** @returns `counts`: lines of each append */
function breakable(): { store: Store; broken: boolean; appends: number; counts: number[] } {
  const state = { store: store as Store, broken: false, appends: 0, counts: [] as number[] };
  state.store = new Proxy(store as Store, {
    get: (target, name) => {
      if (name !== 'appenderFor') return Reflect.get(target, name).bind(target);
      return (app: AppId): StreamAppender => {
        const appender = target.appenderFor(app);
        return {
          get isFollowed() {
            return appender.isFollowed;
          },
          append: (batch, waiter) => {
            state.appends++;
            state.counts.push(batch.count);
            if (state.broken)
              queueMicrotask(() => waiter.onAppendFailed(new TailraceError('store_full', 'full')));
            else appender.append(batch, waiter);
          },
        };
      };
    },
  });
  return state;
}

const events = {
  addPendingBytes: (bytes: number) => {
    pendingBytes += bytes;
  },
  onAppendFailed: () => {
    failures++;
  },
  addFailingBytes: () => {},
  mayWait: () => true,
  onHeldUp: () => {},
  onReleased: () => {},
};

function add(batcher: Batcher, ...messages: string[]): void {
  const header = new SyslogHeader();
  for (const message of messages) {
    const bytes = Buffer.from(`<13>1 2012-12-10T03:00:48Z h t.x web.1 - - ${message}`);
    scanHeader(bytes, 0, bytes.length, header);
    batcher.add(bytes, 0, bytes.length, header, logSource, SOURCE);
  }
}

/** A line as the fast path makes it. */
function recordOf(message: string): Uint8Array {
  const builder = new BatchBuilder();
  const line = Buffer.from(`<13>1 2012-12-10T03:00:48Z h t.x web.1 - - ${message}`);
  const header = new SyslogHeader();
  scanHeader(line, 0, line.length, header);
  builder.add(line, 0, line.length, header, SOURCE, SOURCE);
  return builder.takeBatch()!.bytes.slice(HEADROOM);
}

async function stored(): Promise<string[]> {
  return messagesOf(await store.read(APP, 0, 1e9));
}

function messagesOf(batches: readonly Batch[]): string[] {
  const messages: string[] = [];
  for (const { bytes } of batches) {
    const cursor = new RecordCursor(bytes);
    while (cursor.advance())
      messages.push(Buffer.from(bytes).toString('utf8', cursor.messageStart, cursor.textEnd));
  }
  return messages;
}

describe('a batcher', () => {
  it('stores a lone line at once, and what comes in one turn together', async () => {
    const state = breakable();
    const batcher = new Batcher(APP, state.store, events, 'refused');
    add(batcher, ...numberedMessages(500));
    await batcher.whenStored();
    expect(await stored()).toEqual(numberedMessages(500));
    expect(state.appends).toBe(1);
    expect(batcher.idle).toBe(true);
    expect(pendingBytes).toBe(0);
  });

  it('lets lines that nobody waits for linger, until somebody waits, it is flushed, or the time is over', async () => {
    const state = breakable();
    const addOnePerTurn = async (
      batcher: Batcher,
      lingerMs: number,
      ...messages: string[]
    ): Promise<void> => {
      for (const message of messages) {
        add(batcher, message);
        batcher.flushInBackground(lingerMs);
        await new Promise(setImmediate);
        await new Promise(setImmediate);
      }
    };
    const batcher = new Batcher(APP, state.store, events, 'kept');
    await addOnePerTurn(batcher, 60_000, ...numberedMessages(3));
    // The first is alone, and there was none before it.
    expect(await stored()).toEqual(numberedMessages(3).slice(0, 1));
    await batcher.whenStored();
    expect(await stored()).toEqual(numberedMessages(3));
    await addOnePerTurn(batcher, 60_000, 'a', 'b');
    expect(state.appends).toBe(2);
    expect(await batcher.flush(1_000)).toBe(0);
    expect(await stored()).toEqual([...numberedMessages(3), 'a', 'b']);
    const sooner = new Batcher(APP, state.store, events, 'kept');
    await addOnePerTurn(sooner, 20, 'c', 'd');
    await until('the time is over', () => sooner.idle);
    expect(await stored()).toEqual([...numberedMessages(3), 'a', 'b', 'c', 'd']);
    expect(pendingBytes).toBe(0);
  });

  it('while lines of many apps gather, closes what is full for small memory, unless its app is busier; quiet apps don’t wait', async () => {
    const state = breakable();
    const others = Array.from(
      { length: 150 },
      (_, i) =>
        new Batcher(
          `00000000-0000-4000-8000-${String(1_000 + i).padStart(12, '0')}` as AppId,
          store,
          events,
          'kept',
        ),
    );
    const busy = new Batcher(APP, state.store, events, 'kept');
    const record = recordOf('m'.repeat(300));
    const addTo = (batcher: Batcher, count: number): void => {
      for (let i = 0; i < count; i++) batcher.addRecords(record, 1);
      batcher.flushInBackground();
    };
    const all = [...others, busy];
    const quietOne = (number: number): Batcher =>
      new Batcher(`00000000-0000-4000-8000-00000000000${number}` as AppId, state.store, events, 'kept');
    // However slow the machine is, none becomes quiet again.
    vi.spyOn(performance, 'now').mockReturnValue(performance.now());
    // In the first round all of them are quiet; then they are many, and quiet ones few.
    for (const round of [all, all, [quietOne(2)]]) {
      for (const batcher of round) addTo(batcher, 1);
      await until('all are stored', () => round.every(({ idle }) => idle));
    }
    state.counts.length = 0;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    for (const batcher of all) addTo(batcher, 1);
    addTo(busy, 1_000);
    const quiet = quietOne(3);
    addTo(quiet, 1);
    const full = Math.floor(16_384 / record.length);
    expect(state.counts).toEqual([full, full, Math.floor(BATCH_BYTES / record.length)]);
    await new Promise(setImmediate);
    expect(state.counts.slice(3)).toEqual([1]);
    expect(all.filter(({ idle }) => idle)).toEqual([]);
    // Nobody reads them, but none of these apps is slow.
    vi.advanceTimersByTime(20);
    vi.useRealTimers();
    await until('all are stored', () => [...all, quiet].every(({ idle }) => idle));
    expect(await stored()).toEqual(Array.from({ length: 1_003 }, () => 'm'.repeat(300)));
    expect(pendingBytes).toBe(0);
  });

  it('while lines of many apps gather, those that nobody reads wait until somebody wants them', async () => {
    const appOf = (number: number): AppId =>
      `00000000-0000-4000-8000-${String(2_000 + number).padStart(12, '0')}` as AppId;
    const router = new LogRouter(store, { pendingBytesMax: 1e9, onAppendFailed: () => {} });
    const all = Array.from({ length: 150 }, (_, i) => router.batcher(appOf(i)));
    const addOne = (batcher: Batcher, message: string): void => {
      add(batcher, message);
      batcher.flushInBackground();
    };
    const linesOf = async (number: number): Promise<string[]> =>
      messagesOf(await store.read(appOf(number), 0, 1e9));
    const turnsUntil = async (isDone: () => boolean): Promise<void> => {
      while (!isDone()) await new Promise(setImmediate);
    };
    // Nothing of what gathered before is due then.
    let nowMs = performance.now() + 60_000;
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    vi.spyOn(performance, 'eventLoopUtilization').mockReturnValue({ idle: 1, active: 1, utilization: 0.5 });
    // In the first round all of them are quiet; then they are many, and slow.
    for (const message of ['first', 'second']) {
      for (const batcher of all) addOne(batcher, message);
      await until('all are stored', () => all.every(({ idle }) => idle));
      nowMs += 200;
    }
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const [followed, subscribed, awaited, removed, unread, busier, asked, patient] = all;
    store.subscribe(followed.app, () => {});
    let isPatient = true;
    store.subscribe(
      patient.app,
      () => {},
      () => isPatient,
    );
    for (const batcher of all) addOne(batcher, 'third');
    for (const batcher of all) addOne(batcher, 'fourth');
    // One isn't slow any more.
    const burst = numberedMessages(50);
    for (const message of burst) addOne(busier, message);
    vi.advanceTimersByTime(10);
    await turnsUntil(() => followed.idle && busier.idle);
    expect(all.filter(({ idle }) => idle)).toEqual([followed, busier]);
    expect(await linesOf(5)).toEqual(['first', 'second', 'third', 'fourth', ...burst]);
    addOne(busier, 'next');
    vi.advanceTimersByTime(10);
    await turnsUntil(() => busier.idle);
    // With a subscription, a wait, a question for its bounds, or the removal of the app the lines of that one are stored, and those that come then don't wait.
    store.subscribe(subscribed.app, () => {});
    const answered = awaited.whenStored();
    const dropped = store.dropStream(removed.app);
    store.storeGathered(patient.app);
    await Promise.all([answered, dropped]);
    expect((await store.bounds(asked.app)).last).toBe(4);
    await turnsUntil(() => subscribed.idle);
    expect(await linesOf(1)).toEqual(['first', 'second', 'third', 'fourth']);
    expect(await linesOf(2)).toEqual(['first', 'second', 'third', 'fourth']);
    await turnsUntil(() => patient.idle);
    expect(await linesOf(7)).toEqual(['first', 'second', 'third', 'fourth']);
    isPatient = false;
    addOne(subscribed, 'fifth');
    addOne(patient, 'fifth');
    vi.advanceTimersByTime(10);
    await turnsUntil(() => subscribed.idle && patient.idle);
    expect(all.filter(({ idle }) => idle)).toEqual([
      followed,
      subscribed,
      awaited,
      removed,
      busier,
      asked,
      patient,
    ]);
    expect(await linesOf(4)).toEqual(['first', 'second']);
    nowMs += 600;
    vi.advanceTimersByTime(600);
    await turnsUntil(() => all.every(({ idle }) => idle));
    for (const number of all.keys())
      if (number === 4 || number === 6 || number > 7)
        expect(await linesOf(number)).toEqual(['first', 'second', 'third', 'fourth']);
    expect((await store.read(unread.app, 0, 1e9)).map(({ count }) => count)).toEqual([1, 1, 2]);
    expect(await linesOf(1)).toEqual(['first', 'second', 'third', 'fourth', 'fifth']);
    expect(await linesOf(3)).toEqual([]);
    vi.useRealTimers();
    // At the end nothing waits.
    for (const batcher of all) addOne(batcher, 'last');
    expect(await router.close(1_000)).toBe(0);
    expect((await linesOf(4)).at(-1)).toBe('last');
  });

  it('rejects when lines that are waited for can’t be stored, and keeps nothing of them', async () => {
    const state = breakable();
    const batcher = new Batcher(APP, state.store, events, 'refused');
    state.broken = true;
    add(batcher, 'refused');
    await expect(batcher.whenStored()).rejects.toThrow('full');
    state.broken = false;
    add(batcher, 'accepted');
    await batcher.whenStored();
    expect(await stored()).toEqual(['accepted']);
    expect({ pendingBytes, failures }).toEqual({ pendingBytes: 0, failures: 1 });
  });

  it('keeps fire-and-forget lines, and stores them in order when the store is back', async () => {
    const state = breakable();
    const batcher = new Batcher(APP, state.store, events, 'kept');
    state.broken = true;
    for (const message of numberedMessages(5)) {
      add(batcher, message);
      batcher.flushInBackground();
      await until('a try', () => state.appends > 0);
    }
    expect(await stored()).toEqual([]);
    state.broken = false;
    await until('all lines', async () => (await stored()).length === 5);
    expect(await stored()).toEqual(numberedMessages(5));
    await until('nothing pending', () => batcher.idle);
    expect(pendingBytes).toBe(0);
  });

  it('leaves what subscribers retained as it was, and reuses the memory of everything else', async () => {
    const batcher = new Batcher(APP, store, events, 'refused');
    const given: Batch[] = [];
    const sent: string[] = [];
    const watched: string[] = [];
    const keep = (batch: Batch | undefined): void => {
      if (!batch) return;
      batch.memory?.retain();
      given.push(batch);
    };
    for (let round = 0; round < 30; round++) {
      // Batches of all sizes, nearly full ones too; every third round somebody reads.
      const lines = numberedMessages(round % 2 === 0 ? 3 : 400).map(
        (text) => `${round} ${text} ${'x'.repeat(500)}`,
      );
      const stop = round % 3 === 0 ? store.subscribe(APP, keep) : undefined;
      if (stop) watched.push(...lines);
      sent.push(...lines);
      add(batcher, ...lines);
      await batcher.whenStored();
      stop?.();
    }
    expectSameLines(await stored(), sent);
    expectSameLines(messagesOf(given), watched);
  });

  it('keeps the lines of a request together, also when they take more than was estimated', async () => {
    const state = breakable();
    const batcher = new Batcher(APP, state.store, events, 'refused');
    // Nearly full of others' lines, and then a request that takes more than the rest; its own lines before are not cut off.
    const others = numberedMessages(500, 'x'.repeat(450));
    batcher.beginRequest(1_000);
    add(batcher, ...others);
    const othersStored = batcher.whenStored();
    const request = numberedMessages(400, 'y'.repeat(450));
    batcher.beginRequest(1_000);
    add(batcher, ...request);
    const requestStored = batcher.whenStored();
    await Promise.all([othersStored, requestStored]);
    expect(state.counts).toEqual([500, 400]);
    expectSameLines(await stored(), [...others, ...request]);
    // Larger than a batch by itself.
    const large = numberedMessages(3_000, 'z'.repeat(400));
    batcher.beginRequest(1_000);
    add(batcher, ...large);
    const appends = state.appends;
    await batcher.whenStored();
    expect(state.appends).toBe(appends + 1);
    expectSameLines(await stored(), [...others, ...request, ...large]);
    expect(pendingBytes).toBe(0);
  });

  it('refuses requests as a whole: of one that needed more room nothing is stored', async () => {
    const state = breakable();
    const batcher = new Batcher(APP, state.store, events, 'refused');
    state.broken = true;
    const refusals: Promise<unknown>[] = [];
    for (let request = 0; request < 5; request++) {
      batcher.beginRequest(100);
      add(batcher, ...numberedMessages(200, 'x'.repeat(450)));
      refusals.push(batcher.whenStored());
    }
    for (const { status } of await Promise.allSettled(refusals)) expect(status).toBe('rejected');
    expect(batcher.idle).toBe(true);
    state.broken = false;
    batcher.beginRequest(100);
    add(batcher, 'accepted');
    await batcher.whenStored();
    expect(await stored()).toEqual(['accepted']);
    expect(pendingBytes).toBe(0);
  });

  it('a body larger than a batch stays in order', async () => {
    const batcher = new Batcher(APP, store, events, 'refused');
    const messages = numberedMessages(3_000, 'x'.repeat(400));
    add(batcher, ...messages);
    await batcher.whenStored();
    expectSameLines(await stored(), messages);
  });

  it('flush gives up on a store that stays unavailable, and returns how many lines are left', async () => {
    const state = breakable();
    const batcher = new Batcher(APP, state.store, events, 'kept');
    state.broken = true;
    add(batcher, ...numberedMessages(7));
    expect(await batcher.flush(50)).toBe(7);
    state.broken = false;
    await until('the store to be back', () => batcher.idle);
  });

  it('flush resolves when nothing is left', async () => {
    const batcher = new Batcher(APP, store, events, 'kept');
    add(batcher, ...numberedMessages(100));
    expect(await batcher.flush(5_000)).toBe(0);
    expect(batcher.idle).toBe(true);
    expect(await stored()).toEqual(numberedMessages(100));
  });
});

it('that has given up tries nothing again, also what comes later: nothing holds up the end of the process', async () => {
  const state = breakable();
  state.broken = true;
  const batcher = new Batcher(APP, state.store, events, 'kept');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    for (const [isOver, timers] of [
      [false, 1],
      [true, 0],
    ] as const) {
      if (isOver) batcher.giveUp();
      const before = failures;
      add(batcher, 'a line');
      batcher.flushInBackground();
      while (!isOver && failures === before) await new Promise((resolve) => setImmediate(resolve));
      // Some of the store's, which looks after its streams meanwhile, are due at once.
      vi.advanceTimersByTime(0);
      expect(vi.getTimerCount()).toBe(timers);
    }
  } finally {
    vi.useRealTimers();
  }
});
