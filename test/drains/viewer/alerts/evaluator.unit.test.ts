/** Alerts on a real store, by clocks that the test sets. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AlertEvaluator } from '../../../../drains/viewer/alerts/evaluate/evaluator.ts';
import { ALERTS_MAX, AlertBook, SEARCHES_MAX } from '../../../../drains/viewer/alerts/records/alert-book.ts';
import { AlertHistory } from '../../../../drains/viewer/alerts/records/alert-history.ts';
import {
  ALERT_PREFIX,
  ALERTS_SCOPE,
  type AlertCondition,
  type AlertEvent,
  type AlertRecord,
  SEARCH_PREFIX,
} from '../../../../drains/viewer/alerts/records/alert-records.ts';
import type { FoundLine, LineStore } from '../../../../drains/viewer/store/contract.ts';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import type { TimeSources } from '../../../../src/logs/store/embedded/store-clock.ts';
import { StreamReaders } from '../../../../src/logs/store/stream-reader.ts';
import { HEADROOM } from '../../../../src/logs/syslog/batch.ts';
import { newAppId } from '../../../support/batches.ts';
import { until } from '../../../support/until.ts';
import { recordsOf } from './record-batches.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A store whose clocks stand still until the test moves them. */
class Scene {
  private readonly folder = mkdtempSync(join(tmpdir(), 'viewer-alerts-'));
  private wallMs = Date.UTC(2026, 0, 31, 12);
  private monotonicMs = 1_000;
  private readonly time: TimeSources = {
    wall: () => this.wallMs,
    monotonic: () => this.monotonicMs,
    uptime: () => this.monotonicMs,
    bootId: 'boot',
  };
  readonly store: EmbeddedStore;
  readonly stream: AppId = newAppId();
  readonly events: AlertEvent[] = [];
  /** Of the stream. */
  createdAt = '2000-01-01T00:00:00Z';
  isGroupRemoved = false;
  private evaluator: AlertEvaluator | undefined;
  private ids = 0;

  constructor(lines = 1_000_000) {
    this.store = new EmbeddedStore({
      folder: this.folder,
      retention: { lines, bytes: 1e9, ageMs: 1e12 },
      durability: 'process',
      time: this.time,
    });
    onTestFinished(async () => {
      await this.evaluator?.close();
      await this.store.close();
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /** Time passes. */
  pass(ms: number): void {
    this.wallMs += ms;
    this.monotonicMs += ms;
  }

  /** Somebody sets the system's clock. */
  setClock(byMs: number): void {
    this.wallMs += byMs;
  }

  async start(lines?: Pick<LineStore, 'read'>, graceMs = 0): Promise<void> {
    const { history } = await AlertHistory.open(this.store);
    this.evaluator = await AlertEvaluator.start({
      records: this.store,
      readers: new StreamReaders(this.store),
      lines,
      history,
      streamsOf: () =>
        this.isGroupRemoved ? [] : [{ id: this.stream, name: 'shop', createdAt: this.createdAt }],
      onStreamsChange: () => () => {},
      onEvents: (events) => void this.events.push(...events),
      log: SILENT_LOG,
      time: this.time,
      graceMs,
    });
  }

  async refresh(): Promise<void> {
    await this.evaluator?.refresh();
  }

  async stop(): Promise<void> {
    await this.evaluator?.close();
    this.evaluator = undefined;
  }

  async alert(
    condition: AlertCondition,
    query = 'match',
    settings: Partial<AlertRecord> = {},
  ): Promise<AlertRecord> {
    const id = `alert-${++this.ids}`;
    const at = new Date(this.wallMs).toISOString();
    const common = { id, name: id, createdAt: at, updatedAt: at };
    const alert: AlertRecord = {
      ...common,
      search: id,
      condition,
      cooldownMinutes: 0,
      notifyResolved: false,
      enabled: true,
      destinations: [],
      ...settings,
    };
    await this.store.transact(ALERTS_SCOPE, [
      { key: SEARCH_PREFIX + id, value: { ...common, query } },
      { key: ALERT_PREFIX + id, value: alert },
    ]);
    await this.evaluator?.refresh();
    return alert;
  }

  async append(...messages: string[]): Promise<void> {
    const bytes = recordsOf(messages.map((message) => ({ header: 'host app web.1', message })));
    await this.store.append(this.stream, { bytes, count: messages.length });
  }

  /** What there is when all lines were looked at, and the time. */
  async told(): Promise<string[]> {
    const evaluator = this.evaluator as AlertEvaluator;
    await evaluator.refresh();
    await until('all lines', () => evaluator.lag === 0);
    await evaluator.refresh();
    return this.events.map(({ alert, kind, count }) => `${alert.id} ${kind} ${count}`);
  }
}

const atLeast = (count: number, minutes = 5): AlertCondition => ({ kind: 'at-least', count, minutes });

it('an alert finds a stream by its name, and no other', async () => {
  const scene = new Scene();
  await scene.start();
  await scene.alert(atLeast(2), 'sender:SHOP -billing');
  await scene.alert(atLeast(1), '-sender:shop');
  await scene.alert(atLeast(1), 'sender:billing OR nothing');
  await scene.append('one', 'two');
  expect(await scene.told()).toEqual(['alert-1 fired 2']);
});

describe('a clock that is set', () => {
  it('neither fires an alert on silence, nor keeps it from firing', async () => {
    const scene = new Scene();
    await scene.start();
    await scene.alert({ kind: 'none', minutes: 10 });
    await scene.append('a match');
    scene.pass(9 * MINUTE);
    for (const byMs of [24 * HOUR, -48 * HOUR, 25 * HOUR]) {
      scene.setClock(byMs);
      expect(await scene.told()).toEqual([]);
    }
    scene.pass(2 * MINUTE);
    expect(await scene.told()).toEqual(['alert-1 fired 0']);
  });

  it('is not between two matches of one window', async () => {
    for (const byMs of [2 * HOUR, -2 * HOUR]) {
      const scene = new Scene();
      await scene.start();
      await scene.alert(atLeast(2));
      await scene.append('a match');
      await scene.told();
      scene.setClock(byMs);
      scene.pass(MINUTE);
      await scene.append('a match');
      expect(await scene.told()).toEqual(['alert-1 fired 2']);
      await scene.stop();
    }
  });
});

describe('after a restart', () => {
  it('what was counted is still counted, and what came meanwhile is looked at by when it came', async () => {
    const scene = new Scene();
    await scene.start();
    await scene.alert(atLeast(3));
    await scene.append('a match', 'nothing');
    await scene.told();
    await scene.stop();
    scene.pass(2 * MINUTE);
    await scene.append('a match');
    scene.pass(2 * MINUTE);
    await scene.start();
    expect(await scene.told()).toEqual([]);
    await scene.append('a match');
    expect(await scene.told()).toEqual(['alert-1 fired 3']);
    await scene.stop();
    await scene.start();
    expect(await scene.told()).toEqual(['alert-1 fired 3']);
  });

  it('nobody is said to be silent before senders had time to deliver what they kept, and then it is said for how long nobody looked', async () => {
    const scene = new Scene();
    await scene.start();
    await scene.alert({ kind: 'none', minutes: 10 });
    await scene.append('a match');
    await scene.told();
    await scene.stop();
    scene.pass(HOUR);
    await scene.start(undefined, 5 * MINUTE);
    expect(await scene.told()).toEqual([]);
    scene.pass(6 * MINUTE);
    expect(await scene.told()).toEqual(['alert-1 fired 0']);
    expect(scene.events[0].unwatchedMs).toBeGreaterThan(59 * MINUTE);
    expect(scene.events[0].unwatchedMs).toBeLessThanOrEqual(HOUR);
    // It is silent still, which everybody knows by now.
    await scene.stop();
    scene.pass(HOUR);
    await scene.start(undefined, 5 * MINUTE);
    scene.pass(MINUTE);
    expect(await scene.told()).toHaveLength(1);
    scene.pass(HOUR);
    expect(await scene.told()).toHaveLength(1);
    await scene.append('a match');
    expect(await scene.told()).toEqual(['alert-1 fired 0', 'alert-1 resolved 1']);
  });

  it('lines that the stream holds no more come from what keeps them for long', async () => {
    const scene = new Scene(5);
    await scene.start();
    await scene.alert(atLeast(8));
    await scene.append('a match');
    await scene.told();
    await scene.stop();
    for (let i = 0; i < 10; i++) await scene.append('a match');
    const { first } = await scene.store.bounds(scene.stream);
    expect(first).toBeGreaterThan(3);
    const record = recordsOf([{ header: 'host app web.1', message: 'a match' }]).subarray(HEADROOM);
    const kept = Array.from(
      { length: 8 },
      (_, i): FoundLine => ({
        stream: scene.stream,
        sequence: i + 1,
        timeMs: 0,
        receivedAtMs: Date.UTC(2026, 0, 31, 12),
        record,
      }),
    );
    await scene.start({
      read: async function* () {
        yield kept.slice(0, 3);
        yield kept.slice(3);
      },
    });
    await scene.told();
    expect(scene.events.reduce((sum, { count }) => sum + count, 0)).toBe(11);
  });

  it('an alert that was made meanwhile counts no line that came before it', async () => {
    const scene = new Scene();
    await scene.start();
    await scene.alert(atLeast(100));
    await scene.stop();
    await scene.append('a match', 'a match');
    await scene.alert(atLeast(1));
    await scene.start();
    expect(await scene.told()).toEqual([]);
    await scene.append('a match');
    expect(await scene.told()).toEqual(['alert-2 fired 1']);
  });
});

describe('a cool-down', () => {
  it('goes on over a restart and whatever the clock is set to, and what matches meanwhile is told after it', async () => {
    const scene = new Scene();
    await scene.start();
    await scene.alert(atLeast(1), 'match', { cooldownMinutes: 30 });
    await scene.append('a match');
    expect(await scene.told()).toEqual(['alert-1 fired 1']);
    for (const byMs of [0, 3 * HOUR, -6 * HOUR]) {
      await scene.stop();
      scene.setClock(byMs);
      scene.pass(5 * MINUTE);
      await scene.append('a match');
      await scene.start();
      expect(await scene.told()).toHaveLength(1);
    }
    scene.pass(16 * MINUTE);
    const fired = (await scene.told()).filter((one) => one.includes('fired'));
    expect(fired).toEqual(['alert-1 fired 1', 'alert-1 fired 3']);
  });
});

describe('an alert that nothing can be found for', () => {
  it('by a search that can not be read keeps no other one from firing, after a restart too', async () => {
    const scene = new Scene();
    await scene.alert(atLeast(1), 'status:>nothing (');
    await scene.start();
    await scene.alert(atLeast(1));
    await scene.alert(atLeast(1), 'match since:1h');
    await scene.append('a match');
    expect(await scene.told()).toEqual(['alert-2 fired 1']);
    await scene.stop();
    await scene.start();
    await scene.append('a match');
    expect(await scene.told()).toEqual(['alert-2 fired 1', 'alert-2 fired 1']);
  });

  it('since its group was removed does not say that it is silent, and goes on when there is one again', async () => {
    const scene = new Scene();
    await scene.start();
    await scene.alert({ kind: 'none', minutes: 10 });
    await scene.append('a match');
    await scene.told();
    scene.isGroupRemoved = true;
    scene.pass(HOUR);
    expect(await scene.told()).toEqual([]);
    scene.isGroupRemoved = false;
    await scene.refresh();
    await scene.append('a match');
    scene.pass(11 * MINUTE);
    expect(await scene.told()).toEqual(['alert-1 fired 0']);
  });
});

describe('thousands of alerts that fire at once', () => {
  it('are all told of, and those that somebody was told of make room', async () => {
    const scene = new Scene();
    const destinations = [{ id: 'x', kind: 'webhook', form: 'json', url: 'https://x/y' }] as const;
    const common = { name: 'one', createdAt: '2000', updatedAt: '2000' };
    const count = 1_050;
    const ids = Array.from({ length: count }, (_, i) => `alert-${i}`);
    await scene.store.transact(ALERTS_SCOPE, [
      { key: `${SEARCH_PREFIX}all`, value: { ...common, id: 'all', query: 'match' } },
      ...ids.map((id) => ({
        key: ALERT_PREFIX + id,
        value: {
          ...common,
          id,
          search: 'all',
          condition: atLeast(1),
          cooldownMinutes: 60,
          notifyResolved: false,
          enabled: true,
          destinations,
        },
      })),
    ]);
    await scene.start();
    await scene.append('a match');
    expect(await scene.told()).toHaveLength(count);
    await scene.stop();
    const { history, undelivered } = await AlertHistory.open(scene.store);
    expect(undelivered).toHaveLength(count);
    await Promise.all(
      undelivered.map((event) =>
        history.update({ ...event, deliveries: [{ destination: 'x', state: 'sent', attempts: 1 }] }),
      ),
    );
    await history.add({ ...undelivered[0], id: history.newId(), deliveries: [] });
    const again = await AlertHistory.open(scene.store);
    expect(again.undelivered).toEqual([]);
    expect(await again.history.list()).toHaveLength(1_000);
  });
});

describe('the number of searches and alerts', () => {
  it('is limited, also for those that are made at the same time', async () => {
    const scene = new Scene();
    const book = new AlertBook(scene.store, async () => {});
    for (const [prefix, max, add, sentence] of [
      [
        SEARCH_PREFIX,
        SEARCHES_MAX,
        () => book.addSearch({ name: 'one', query: '' }),
        /There are 10000 searches already/,
      ],
      [
        ALERT_PREFIX,
        ALERTS_MAX,
        () => book.addAlert({ ...({} as AlertRecord), name: 'one', condition: atLeast(1) }),
        /There are 5000 alerts already/,
      ],
    ] as const) {
      const records = Array.from({ length: max - 1 }, (_, i) => ({
        key: prefix + i,
        value: { id: String(i) },
      }));
      await scene.store.transact(ALERTS_SCOPE, records);
      const [first, second] = await Promise.allSettled([add(), add()]);
      expect(first.status).toBe('fulfilled');
      expect(String((second as PromiseRejectedResult).reason)).toMatch(sentence);
    }
  });
});

describe('an alert that is changed', () => {
  it('when it is on again counts anew, for silence too', async () => {
    const scene = new Scene();
    await scene.start();
    const alert = await scene.alert({ kind: 'none', minutes: 10 });
    await scene.append('a match');
    await scene.told();
    const book = new AlertBook(scene.store, () => scene.refresh());
    await book.changeAlert({ ...alert, enabled: false });
    scene.pass(HOUR);
    await book.changeAlert(alert);
    expect(await scene.told()).toEqual([]);
    scene.pass(11 * MINUTE);
    expect(await scene.told()).toEqual(['alert-1 fired 0']);
  });

  it('counts a stream from its first line on when that was made just now, and no other one', async () => {
    for (const [ageMs, told] of [
      [HOUR, []],
      [0, ['alert-1 fired 2']],
    ] as const) {
      const scene = new Scene();
      scene.createdAt = new Date(Date.now() - ageMs).toISOString();
      await scene.append('a match', 'a match');
      await scene.start();
      await scene.alert(atLeast(2));
      expect(await scene.told()).toEqual(told);
      await scene.stop();
    }
  });

  it('goes on with the next line', async () => {
    const scene = new Scene();
    await scene.start();
    const alert = await scene.alert(atLeast(2));
    await scene.append('a match');
    await scene.told();
    const changed: AlertRecord = { ...alert, cooldownMinutes: 30 };
    await scene.store.transact(ALERTS_SCOPE, [{ key: ALERT_PREFIX + alert.id, value: changed }]);
    await scene.append('a match', 'a match');
    expect(await scene.told()).toEqual(['alert-1 fired 3']);
  });
});
