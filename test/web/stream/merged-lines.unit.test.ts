/** Lines of several apps as one list: in the order of their times, each once, and from each number back to its place. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_FILTERS } from '../../../src/web/stream/filters.ts';
import type { HistoryQuery } from '../../../src/web/stream/history-query.ts';
import { type Line, parseLine } from '../../../src/web/stream/line.ts';
import type { LineSource, LineTail, TailListener } from '../../../src/web/stream/line-source.ts';
import { MergedLineSource } from '../../../src/web/stream/merged/merged-line-source.ts';
import { MergedOrder, mergeNewest } from '../../../src/web/stream/merged/merged-order.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

const line = (at: number, ms: number, message = ''): Line => ({
  ...parseLine({
    position: String(at),
    timestamp: '-',
    facility: 23,
    severity: 6,
    hostname: 'host',
    source: 'app',
    dyno: 'web.1',
    message,
  }),
  at,
  ms,
});

describe('lines of several streams', () => {
  it('are in the order of their times, and of each stream in its own, whatever its clock says', () => {
    const times = fc.array(fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constant(Number.NaN)), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(fc.array(times, { maxLength: 4 }), fc.nat(60), (streams, count) => {
        const lines = streams.map((all) => all.map((ms, i) => line(i + 1, ms)));
        const merged = mergeNewest(lines, count);
        const total = streams.reduce((sum, all) => sum + all.length, 0);
        expect(merged.length).toBe(Math.min(count, total));
        for (const [stream, all] of lines.entries()) {
          const own = merged.filter((one) => one.stream === stream).map((one) => one.line.at);
          expect(own).toEqual(all.slice(all.length - own.length).map(({ at }) => at));
        }
      }),
      { numRuns: propertyRuns(200) },
    );
    const sorted = mergeNewest([[line(1, 10), line(2, 30)], [line(1, 20), line(2, 40)], []], 10);
    expect(sorted.map(({ line: { ms } }) => ms)).toEqual([10, 20, 30, 40]);
  });

  it('have numbers that lead back to each stream', () => {
    const order = new MergedOrder(100, [7, 3]);
    expect([order.before(101), order.upTo(100)]).toEqual([
      [8, 4],
      [7, 3],
    ]);
    expect(
      order.insertBefore(101, [
        { stream: 0, position: 6 },
        { stream: 1, position: 3 },
        { stream: 0, position: 7 },
      ]),
    ).toBe(98);
    expect(order.append({ stream: 1, position: 4 })).toBe(101);
    expect([98, 99, 100, 101].map((number) => order.before(number))).toEqual([
      [6, 3],
      [7, 3],
      [7, 4],
      [8, 4],
    ]);
    expect([order.upTo(98), order.upTo(101)]).toEqual([
      [6, 2],
      [7, 4],
    ]);
    order.truncateAfter(99);
    expect([order.last, order.upTo(99), order.append({ stream: 0, position: 7 })]).toEqual([99, [6, 3], 100]);
    expect(order.before(5)).toBeUndefined();
  });
});

describe('a source of several apps', () => {
  /** A stream of lines at these times, whose tail is driven by the test. */
  function stream(times: readonly number[]) {
    const lines = times.map((ms, i) => line(i + 1, ms));
    const connects: number[] = [];
    let listener: TailListener | undefined;
    const source: LineSource = {
      fetchHistory: async (_filters, { before, lines: count }: HistoryQuery) =>
        lines.filter(({ at }) => at < (before ?? Number.POSITIVE_INFINITY)).slice(-count),
      openTail: (_filters, its) => {
        listener = its;
        const tail: LineTail = {
          connect: (after) => connects.push(after),
          reconnect() {},
          retryNow() {},
          close() {},
        };
        return tail;
      },
      fetchCounts: async (_filters, { stepMs }) => ({
        sinceMs: times.length * stepMs,
        stepMs,
        errors: [1],
        warnings: [0],
        others: [times.length],
        countedSinceMs: 0,
        before: undefined,
        position: times.length,
        nowMs: 5,
      }),
    };
    return { source, connects, listener: () => listener as TailListener };
  }
  const signal = new AbortController().signal;

  it('reads the newest, the older ones, and what comes, each line once', async () => {
    const [a, b] = [stream([1, 3, 5, 7]), stream([2, 4])];
    const merged = new MergedLineSource([
      { app: 'a', source: a.source },
      { app: 'b', source: b.source },
    ]);
    const read = async (query: HistoryQuery) =>
      (await merged.fetchHistory(NO_FILTERS, query, signal)).map(({ ms, at, streamName }) => [
        ms,
        at,
        streamName,
      ]);
    const [[, newest]] = await read({ lines: 1 });
    const top = Number(newest);
    expect(await read({ before: top + 1, lines: 3 })).toEqual([
      [4, top - 2, 'b'],
      [5, top - 1, 'a'],
      [7, top, 'a'],
    ]);
    expect(await read({ before: top - 2, lines: 3 })).toEqual([
      [1, top - 5, 'a'],
      [2, top - 4, 'b'],
      [3, top - 3, 'a'],
    ]);
    expect(await read({ before: top - 5, lines: 3 })).toEqual([]);
    const seen: unknown[] = [];
    const states: string[] = [];
    const tail = merged.openTail(NO_FILTERS, {
      onLines: (lines) => seen.push(...lines.map(({ at, streamName }) => [at, streamName])),
      onState: ({ name }) => states.push(name),
      onNotice: () => {},
    });
    tail.connect(top);
    expect([a.connects, b.connects]).toEqual([[4], [2]]);
    a.listener().onState({ name: 'live' });
    b.listener().onState({ name: 'live' });
    b.listener().onState({ name: 'unreachable', retryAtMs: 0 });
    expect(states).toEqual(['connecting', 'live', 'unreachable']);
    b.listener().onLines([line(3, 9)]);
    a.listener().onLines([line(5, 8)]);
    expect(seen).toEqual([
      [top + 1, 'b'],
      [top + 2, 'a'],
    ]);
    // Following again from an older line: each stream goes on behind what is shown.
    tail.connect(top - 2);
    expect([a.connects.at(-1), b.connects.at(-1)]).toEqual([2, 2]);
  });

  it('adds up what its streams count', async () => {
    const merged = new MergedLineSource([
      { app: 'a', source: stream([1, 2]).source },
      { app: 'b', source: stream([1, 2, 3]).source },
    ]);
    const part = await merged.fetchCounts(NO_FILTERS, { rangeMs: 10, stepMs: 10 }, signal);
    expect([part.sinceMs, part.others, part.errors]).toEqual([20, [2, 3], [1, 1]]);
  });
});
