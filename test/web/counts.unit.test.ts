/** Counts of the live page: what the server has counted and what comes, each line once; and the ranges that are counted. */
import { describe, expect, it } from 'vitest';
import { CountHistory } from '../../src/web/stream/counts/count-history.ts';
import { LogCounts } from '../../src/web/stream/counts/log-counts.ts';
import { bucketStep, formatRange, parseRange, zoomedOut } from '../../src/web/stream/counts/view-range.ts';
import { NO_FILTERS } from '../../src/web/stream/filters.ts';
import { type Line, type LineLevel, parseLine } from '../../src/web/stream/line.ts';
import type { CountPart, CountRequest } from '../../src/web/stream/line-source.ts';

const START = Date.UTC(2026, 10, 21, 12);
const MINUTE = 60_000;

const line = (at: number, level: LineLevel = 'info'): Line =>
  parseLine({
    position: String(at),
    timestamp: '1970-01-01T00:00:00Z',
    facility: 23,
    severity: 6,
    level,
    hostname: 'host',
    source: 'app',
    dyno: 'web.1',
    message: 'x',
  });

const part = (change: Partial<CountPart> = {}): CountPart => ({
  sinceMs: START,
  stepMs: MINUTE,
  errors: [0, 1, 0],
  warnings: [0, 0, 1],
  others: [5, 5, 5],
  countedSinceMs: START,
  before: undefined,
  position: 17,
  nowMs: START + 2.5 * MINUTE,
  ...change,
});

describe('the counts of the last minutes', () => {
  it('go on with the lines that come, each counted once, and let go what is too old', () => {
    const history = new CountHistory(3 * MINUTE);
    expect(history.snapshot(0)).toBeUndefined();
    history.addLive([line(17)], 0);
    // The browser's clock is an hour behind the server's.
    const clientMs = (serverMs: number): number => serverMs - 60 * MINUTE;
    const nowMs = START + 2.5 * MINUTE;
    history.addPart(part(), clientMs(nowMs));
    history.addLive([line(16), line(17), line(18, 'error'), line(19, 'warn'), line(20)], clientMs(nowMs));
    expect(history.snapshot(clientMs(nowMs))).toEqual({
      sinceMs: START,
      stepMs: MINUTE,
      errors: [0, 1, 1],
      warnings: [0, 0, 2],
      others: [5, 5, 6],
      countedSinceMs: START,
    });
    history.addLive([line(21)], clientMs(nowMs + MINUTE));
    expect(history.snapshot(clientMs(nowMs + MINUTE))).toMatchObject({
      sinceMs: START + MINUTE,
      others: [5, 6, 1],
    });
    // A page that is open for hours.
    for (let i = 2; i < 500; i++) history.addLive([line(20 + i, 'debug')], clientMs(nowMs + i * MINUTE));
    expect(history.snapshot(clientMs(nowMs + 500 * MINUTE))).toMatchObject({
      sinceMs: START + 500 * MINUTE,
      others: [1, 1, 0],
    });
  });

  it('are added up where the server has counted in parts', () => {
    const history = new CountHistory(3 * MINUTE);
    history.addPart(part({ before: '9', others: [0, 2, 5], countedSinceMs: START + 1.5 * MINUTE }), START);
    expect(history.snapshot(START)?.countedSinceMs).toBe(START + 1.5 * MINUTE);
    history.addPart(part({ errors: [0, 0, 0], others: [5, 3, 0], position: 30 }), START);
    expect(history.snapshot(START)).toMatchObject({
      others: [5, 5, 5],
      errors: [0, 1, 0],
      countedSinceMs: START,
    });
  });
});

describe('the counts of a range that is over', () => {
  it('stay as they are', () => {
    const history = new CountHistory(undefined);
    history.addPart(part(), START + 2.5 * MINUTE);
    history.addLive([line(99)], START + 10 * MINUTE);
    expect(history.snapshot(START + 10 * MINUTE)).toMatchObject({ sinceMs: START, others: [5, 5, 5] });
    // A part of it may be still to come.
    history.addLive([line(100)], START + 2.9 * MINUTE);
    expect(history.snapshot(0)?.others).toEqual([5, 5, 6]);
  });
});

describe('reading counts', () => {
  it('asks for the rest of what was counted in part, and for nothing more', async () => {
    const asked: CountRequest[] = [];
    const counts = new LogCounts(
      {
        fetchCounts: async (_filters, request) => {
          asked.push(request);
          return part(request.before ? {} : { before: '9', countedSinceMs: START + MINUTE });
        },
      },
      NO_FILTERS,
    );
    await counts.load({ lastMs: 5 * MINUTE }, 7);
    expect(asked).toEqual([
      { rangeMs: 5 * MINUTE, around: 7, stepMs: 2_000 },
      { sinceMs: START, untilMs: START + 3 * MINUTE, stepMs: 2_000, before: '9' },
    ]);
    expect([counts.isLive, counts.snapshot(START)?.others]).toEqual([false, [10, 10, 10]]);
  });

  it('that is overtaken by another changes nothing; a failure leaves what was counted', async () => {
    const answers: (() => void)[] = [];
    let isAway = false;
    const counts = new LogCounts(
      {
        fetchCounts: (_filters, { sinceMs }) =>
          new Promise((resolve, reject) => {
            answers.push(() => (isAway ? reject(new TypeError('away')) : resolve(part({ sinceMs }))));
          }),
      },
      NO_FILTERS,
    );
    const first = counts.load({ sinceMs: START, untilMs: START + MINUTE });
    const second = counts.load({ sinceMs: START + MINUTE, untilMs: START + 2 * MINUTE });
    answers[1]();
    await second;
    answers[0]();
    await first;
    expect(counts.snapshot(START)?.sinceMs).toBe(START + MINUTE);
    isAway = true;
    const third = counts.load({ lastMs: MINUTE });
    answers[2]();
    await third;
    expect(counts.snapshot(START)?.sinceMs).toBe(START + MINUTE);
  });
});

describe('ranges', () => {
  it('are read from addresses, and written there', () => {
    expect(parseRange('1h')).toEqual({ lastMs: 60 * MINUTE });
    const text = formatRange(START, START + MINUTE);
    expect(text).toBe('2026-11-21T12:00:00Z/2026-11-21T12:01:00Z');
    expect(parseRange(text)).toEqual({ sinceMs: START, untilMs: START + MINUTE });
    expect(['', '0s', 'x', '/', 'a/b', '12'].map(parseRange)).toEqual(Array(6).fill(undefined));
  });

  it('have buckets that people count in, a second long at the least', () => {
    expect([bucketStep({ lastMs: 15 * MINUTE }), bucketStep({ sinceMs: 0, untilMs: 3_000 })]).toEqual([
      10_000, 1_000,
    ]);
  });

  it('are zoomed out of around their middle, up to now and to the longest', () => {
    const shown = { sinceMs: START, untilMs: START + 10 * MINUTE };
    const later = START + 24 * 60 * MINUTE;
    expect(zoomedOut(shown, later)).toBe(formatRange(START - 15 * MINUTE, START + 25 * MINUTE));
    expect(zoomedOut(shown, START + 10 * MINUTE)).toBe('1h');
    expect(zoomedOut({ sinceMs: START - 7 * 24 * 60 * MINUTE, untilMs: START }, START)).toBeUndefined();
  });
});
