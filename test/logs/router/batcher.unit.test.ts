import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TailraceError } from '../../../src/common/errors.ts';
import { Batcher } from '../../../src/logs/router/batcher.ts';
import type { LogSource } from '../../../src/logs/router/token-cache.ts';
import type { AppendOptions, AppendResult, AppId, Store } from '../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { type Batch, RecordCursor } from '../../../src/logs/syslog/batch.ts';
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
  folder = mkdtempSync(join(tmpdir(), 'gatherer-'));
  store = new EmbeddedStore({
    folder,
    retention: { lines: 1e9, bytes: 1e9, ageMs: 1e12 },
    durability: 'process',
  });
  pendingBytes = 0;
  failures = 0;
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

/** The real store, whose appends fail while `broken` says so. */
function breakable(): { store: Store; broken: boolean; appends: number } {
  const state = { store: store as Store, broken: false, appends: 0 };
  state.store = new Proxy(store as Store, {
    get: (target, name) => {
      if (name !== 'append') return Reflect.get(target, name).bind(target);
      return async (app: AppId, batch: Batch, options?: AppendOptions): Promise<AppendResult> => {
        state.appends++;
        if (state.broken) throw new TailraceError('store_full', 'full');
        return target.append(app, batch, options);
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
};

function add(batcher: Batcher, ...messages: string[]): void {
  const header = new SyslogHeader();
  for (const message of messages) {
    const bytes = Buffer.from(`<13>1 2012-12-10T03:00:48Z h t.x web.1 - - ${message}`);
    scanHeader(bytes, 0, bytes.length, header);
    batcher.add(bytes, 0, bytes.length, header, logSource, SOURCE);
  }
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

describe('a gatherer', () => {
  it('stores a lone line at once, and what comes in one turn together', async () => {
    const state = breakable();
    const gatherer = new Batcher(APP, state.store, events);
    add(gatherer, ...numberedMessages(500));
    await gatherer.whenStored();
    expect(await stored()).toEqual(numberedMessages(500));
    expect(state.appends).toBe(1);
    expect(gatherer.idle).toBe(true);
    expect(pendingBytes).toBe(0);
  });

  it('gathers lines that nobody waits for, until somebody waits, it is closed, or the time is over', async () => {
    const state = breakable();
    const say = async (gatherer: Batcher, gatherMs: number, ...messages: string[]): Promise<void> => {
      for (const message of messages) {
        add(gatherer, message);
        gatherer.flushInBackground(gatherMs);
        await new Promise(setImmediate);
        await new Promise(setImmediate);
      }
    };
    const gatherer = new Batcher(APP, state.store, events);
    await say(gatherer, 60_000, ...numberedMessages(3));
    // The first is alone, and there was none before it.
    expect(await stored()).toEqual(numberedMessages(3).slice(0, 1));
    await gatherer.whenStored();
    expect(await stored()).toEqual(numberedMessages(3));
    await say(gatherer, 60_000, 'a', 'b');
    expect(state.appends).toBe(2);
    expect(await gatherer.flush(1_000)).toBe(0);
    expect(await stored()).toEqual([...numberedMessages(3), 'a', 'b']);
    const sooner = new Batcher(APP, state.store, events);
    await say(sooner, 20, 'c', 'd');
    await until('the time is over', () => sooner.idle);
    expect(await stored()).toEqual([...numberedMessages(3), 'a', 'b', 'c', 'd']);
    expect(pendingBytes).toBe(0);
  });

  it('tells who asked that their lines can’t be stored, and keeps nothing of them', async () => {
    const state = breakable();
    const gatherer = new Batcher(APP, state.store, events);
    state.broken = true;
    add(gatherer, 'refused');
    await expect(gatherer.whenStored()).rejects.toThrow('full');
    state.broken = false;
    add(gatherer, 'accepted');
    await gatherer.whenStored();
    expect(await stored()).toEqual(['accepted']);
    expect({ pendingBytes, failures }).toEqual({ pendingBytes: 0, failures: 1 });
  });

  it('keeps what nobody will send again, and stores it in order when the store is back', async () => {
    const state = breakable();
    const gatherer = new Batcher(APP, state.store, events);
    state.broken = true;
    for (const message of numberedMessages(5)) {
      add(gatherer, message);
      gatherer.flushInBackground();
      await until('a try', () => state.appends > 0);
    }
    expect(await stored()).toEqual([]);
    state.broken = false;
    await until('all lines', async () => (await stored()).length === 5);
    expect(await stored()).toEqual(numberedMessages(5));
    await until('nothing pending', () => gatherer.idle);
    expect(pendingBytes).toBe(0);
  });

  it('leaves what subscribers were given as it was, and uses the memory of what nobody was given again', async () => {
    const gatherer = new Batcher(APP, store, events);
    const given: Batch[] = [];
    const sent: string[] = [];
    const watched: string[] = [];
    for (let round = 0; round < 60; round++) {
      // Batches of all sizes, nearly full ones too; every third round somebody reads.
      const lines = numberedMessages(round % 2 === 0 ? 3 : 400).map(
        (text) => `${round} ${text} ${'x'.repeat(500)}`,
      );
      const stop = round % 3 === 0 ? store.subscribe(APP, (batch) => batch && given.push(batch)) : undefined;
      if (stop) watched.push(...lines);
      sent.push(...lines);
      add(gatherer, ...lines);
      await gatherer.whenStored();
      stop?.();
    }
    expectSameLines(await stored(), sent);
    expectSameLines(messagesOf(given), watched);
  });

  it('a body larger than a batch stays in order', async () => {
    const gatherer = new Batcher(APP, store, events);
    const messages = numberedMessages(3_000, 'x'.repeat(400));
    add(gatherer, ...messages);
    await gatherer.whenStored();
    expectSameLines(await stored(), messages);
  });

  it('flush gives up on a store that stays away, and says how many lines are left', async () => {
    const state = breakable();
    const gatherer = new Batcher(APP, state.store, events);
    state.broken = true;
    add(gatherer, ...numberedMessages(7));
    expect(await gatherer.flush(50)).toBe(7);
    state.broken = false;
    await until('the store to be back', () => gatherer.idle);
  });

  it('flush resolves when nothing is left', async () => {
    const gatherer = new Batcher(APP, store, events);
    add(gatherer, ...numberedMessages(100));
    expect(await gatherer.flush(5_000)).toBe(0);
    expect(gatherer.idle).toBe(true);
    expect(await stored()).toEqual(numberedMessages(100));
  });
});
