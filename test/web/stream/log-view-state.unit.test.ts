import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HistoryQuery } from '../../../src/web/stream/history-query.ts';
import { type Line, parseLine } from '../../../src/web/stream/line.ts';
import {
  CATCH_UP_LINES_MAX,
  CONTEXT_LINES_BEFORE,
  LogViewState,
  PAGE_LINES,
} from '../../../src/web/stream/log-view-state.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

const TEMPLATE = parseLine({
  position: '0',
  timestamp: '1970-01-01T00:00:00.000000+00:00',
  facility: 23,
  severity: 6,
  hostname: 'host',
  source: 'app',
  dyno: 'web.1',
  message: 'x',
});

const made = new Map<number, Line>();
/** A line a second. */
const line = (at: number): Line => {
  let one = made.get(at);
  if (!one) {
    one = { ...TEMPLATE, position: String(at), at, ms: at * 1_000 };
    made.set(at, one);
  }
  return one;
};
const lines = (from: number, to: number): Line[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => line(from + i));
const hasGap = ({ window }: LogViewState): boolean =>
  window.lines.some(({ at }, i) => i > 0 && at !== window.lines[i - 1].at + 1);
const ends = ({ window }: LogViewState) => [window.first?.at, window.last?.at];

/** What a server with the lines 1 to `newest` answers. */
function answer({ before, after, untilMs, lines: count }: HistoryQuery, newest: number): Line[] {
  if (after !== undefined) return lines(after + 1, Math.min(newest, after + count));
  const end = Math.min(newest, before !== undefined ? before - 1 : Math.floor((untilMs ?? 0) / 1_000) - 1);
  return lines(Math.max(1, end - count + 1), end);
}

/** Lines that the window of a test holds. */
const WINDOW_LINES_MAX = 3_000;

/** A view of the newest of so many lines. */
function opened(newest: number, isFiltered = false, linesMax?: number): LogViewState {
  const state = new LogViewState(isFiltered, linesMax);
  state.newestPosition = newest;
  state.showNewest(answer(state.newestQuery(), newest));
  return state;
}

describe('at the live end', () => {
  it('shows the last page, and the tail starts behind it', () => {
    const state = new LogViewState(false);
    state.newestPosition = 5_000;
    expect(state.newestQuery()).toEqual({ before: 5_001, lines: PAGE_LINES });
    expect(state.showNewest(lines(4_001, 5_000))).toBe(5_000);
    expect([state.atStart, state.atLiveEnd, state.following]).toEqual([false, true, true]);
    expect(state.newerQuery()).toBeUndefined();
  });

  it('of a short or empty stream there is nothing older', () => {
    const short = opened(3);
    expect([short.atStart, short.olderQuery()]).toEqual([true, undefined]);
    const empty = new LogViewState(false);
    expect(empty.showNewest([])).toBe(0);
    expect([empty.atStart, empty.olderQuery(), empty.newerQuery()]).toEqual([true, undefined, undefined]);
  });

  it('adds what the tail brings, each line once', () => {
    const state = opened(10);
    const { version } = state;
    expect(state.addLive(lines(9, 12)).map(({ at }) => at)).toEqual([11, 12]);
    expect(ends(state)).toEqual([1, 12]);
    expect([state.unseenCount, state.newestPosition, state.version]).toEqual([0, 12, version + 1]);
  });

  it('drops the oldest when there are too many', () => {
    const state = opened(10, false, WINDOW_LINES_MAX);
    state.addLive(lines(11, WINDOW_LINES_MAX + 1));
    expect(state.window.lines.length).toBeLessThan(WINDOW_LINES_MAX);
    expect([state.window.last?.at, state.atStart]).toEqual([WINDOW_LINES_MAX + 1, false]);
  });
});

describe('paused', () => {
  it('counts what comes, until it follows again', () => {
    const state = opened(10);
    state.pause();
    state.addLive(lines(11, 15));
    expect([state.unseenCount, state.following, state.wayToLiveEnd()]).toEqual([5, false, 'there']);
    state.follow();
    expect([state.unseenCount, state.following]).toEqual([0, true]);
  });

  it('takes no more than the window holds; the tail reads the rest when it follows again', () => {
    const state = opened(10, false, WINDOW_LINES_MAX);
    state.pause();
    state.addLive(lines(11, WINDOW_LINES_MAX));
    state.addLive(lines(WINDOW_LINES_MAX + 1, WINDOW_LINES_MAX + 5));
    expect([state.atLiveEnd, state.window.last?.at]).toEqual([false, WINDOW_LINES_MAX]);
    const { version } = state;
    state.addLive(lines(WINDOW_LINES_MAX + 6, WINDOW_LINES_MAX + 9));
    expect([state.unseenCount, state.version]).toEqual([WINDOW_LINES_MAX - 1, version]);
    expect(state.wayToLiveEnd()).toBe('tail');
    expect(state.reachLiveEnd()).toBe(WINDOW_LINES_MAX);
    expect(state.atLiveEnd).toBe(true);
  });
});

describe('a place in the past', () => {
  it('is shown with lines before and behind it; the window ends before the live end', () => {
    const state = opened(10_000);
    state.pause();
    const place = { at: 3_000 };
    const before = answer(state.beforeQuery(place), 10_000);
    expect(before.at(-1)?.at).toBe(3_000);
    expect(state.showPlace(before, answer(state.afterQuery(place, before), 10_000))).toBeUndefined();
    expect(ends(state)).toEqual([3_001 - CONTEXT_LINES_BEFORE, 3_000 + PAGE_LINES]);
    expect([state.atLiveEnd, state.atStart]).toEqual([false, false]);
    const { version } = state;
    expect(state.addLive(lines(10_001, 10_002)).length).toBe(2);
    expect([state.unseenCount, state.version, state.window.last?.at]).toEqual([2, version, 4_000]);
  });

  it('may be a time; near the live end the tail starts behind it', () => {
    const state = opened(10_000);
    const place = { ms: 9_900_000 };
    const before = answer(state.beforeQuery(place), 10_000);
    expect(state.showPlace(before, answer(state.afterQuery(place, before), 10_000))).toBe(10_000);
    expect([ends(state), state.atLiveEnd]).toEqual([[9_500, 10_000], true]);
  });

  it('before which nothing is left: what is behind it is shown', () => {
    const state = opened(10_000);
    expect(state.afterQuery({ at: 700 }, [])).toEqual({ after: 700, lines: PAGE_LINES });
    expect(state.afterQuery({ ms: 5 }, [])).toEqual({ after: 0, lines: PAGE_LINES });
    expect(state.showPlace([], lines(1, PAGE_LINES))).toBeUndefined();
    expect(state.atStart).toBe(true);
  });
});

describe('the way back to the live end', () => {
  const inThePast = (newest: number, isFiltered: boolean): LogViewState => {
    const state = opened(newest, isFiltered);
    state.pause();
    state.showPlace(lines(1, CONTEXT_LINES_BEFORE), lines(401, 1_400));
    return state;
  };

  it('is read by the tail when it is short', () => {
    expect(inThePast(1_399 + CATCH_UP_LINES_MAX, false).wayToLiveEnd()).toBe('tail');
    expect(inThePast(1_400 + CATCH_UP_LINES_MAX, false).wayToLiveEnd()).toBe('read-newest');
  });

  it('with filters, counts what came meanwhile: positions say nothing of how many match', () => {
    const state = inThePast(10_000_000, true);
    expect(state.wayToLiveEnd()).toBe('tail');
    state.addLive(lines(10_000_001, 10_000_000 + CATCH_UP_LINES_MAX));
    expect(state.wayToLiveEnd()).toBe('read-newest');
  });

  it('of an empty window is the last page', () => {
    const state = new LogViewState(true);
    state.atLiveEnd = false;
    expect(state.wayToLiveEnd()).toBe('read-newest');
  });
});

describe('pages', () => {
  it('that come when the window has become another are left out', () => {
    const state = opened(10_000);
    state.showPlace(lines(5_001, 5_400), lines(5_401, 6_400));
    const older = state.olderQuery()!;
    const newer = state.newerQuery()!;
    state.showNewest(lines(9_001, 10_000));
    state.addOlder(older, answer(older, 10_000));
    expect(ends(state)).toEqual([9_001, 10_000]);
    state.showPlace(lines(601, 1_000), lines(1_001, 2_000));
    expect(state.addNewer(newer, answer(newer, 6_500))).toBeUndefined();
    expect([ends(state), state.atLiveEnd]).toEqual([[601, 2_000], false]);
  });

  it('that are older push out the newest when there are too many: the live end is left', () => {
    const state = opened(10, false, WINDOW_LINES_MAX);
    state.window.clear();
    state.window.append(lines(2_001, WINDOW_LINES_MAX + 2_000));
    state.atStart = false;
    const query = state.olderQuery()!;
    state.addOlder(query, answer(query, WINDOW_LINES_MAX + 2_000));
    expect(state.window.first?.at).toBe(1_001);
    expect(state.window.last!.at).toBeLessThan(1_001 + WINDOW_LINES_MAX);
    expect(state.atLiveEnd).toBe(false);
  });
});

describe('whatever happens', () => {
  type Step = 'live' | 'pause' | 'follow' | 'older' | 'newer' | 'place' | 'evict-oldest' | 'evict-newest';

  it('the window has no gap, and at the live end the tail goes on behind it', () => {
    const step = fc.record({
      do: fc.constantFrom<Step>(
        ...(['live', 'pause', 'follow', 'older', 'newer', 'place', 'evict-oldest', 'evict-newest'] as const),
      ),
      size: fc.integer({ min: 1, max: 3_000 }),
    });
    fc.assert(
      fc.property(fc.nat(8_000), fc.array(step, { maxLength: 30 }), (start, steps) => {
        let newest = start;
        const state = opened(start);
        let tailAfter = start;
        const restart = (after: number | undefined): void => {
          tailAfter = after ?? tailAfter;
        };
        for (const { do: what, size } of steps) {
          if (what === 'live') {
            newest += size;
            state.addLive(lines(tailAfter + 1, newest));
            tailAfter = newest;
          } else if (what === 'pause') state.pause();
          else if (what === 'follow') {
            const way = state.wayToLiveEnd();
            if (way === 'tail') restart(state.reachLiveEnd());
            else if (way === 'read-newest') restart(state.showNewest(answer(state.newestQuery(), newest)));
            state.follow();
            state.addLive(lines(tailAfter + 1, newest));
            tailAfter = newest;
          } else if (what === 'older') {
            const query = state.olderQuery();
            if (query) state.addOlder(query, answer(query, newest));
          } else if (what === 'newer') {
            const query = state.newerQuery();
            if (query) restart(state.addNewer(query, answer(query, newest)));
          } else if (what === 'place') {
            state.pause();
            const place = { at: 1 + (size % (newest + 1)) };
            const before = answer(state.beforeQuery(place), newest);
            restart(state.showPlace(before, answer(state.afterQuery(place, before), newest)));
            // A list of a few lines is never too high.
          } else if (state.window.lines.length > 100) state.evict(what === 'evict-oldest');

          const [first, last] = ends(state);
          expect(hasGap(state)).toBe(false);
          if (state.atStart && first !== undefined) expect(first).toBe(1);
          if (state.atLiveEnd && last !== undefined) expect(last).toBe(tailAfter);
          if (state.following) expect(state.unseenCount).toBe(0);
        }
        restart(state.atLiveEnd ? undefined : state.showNewest(answer(state.newestQuery(), newest)));
        state.addLive(lines(tailAfter + 1, newest));
        if (newest > 0) expect(state.window.last?.at).toBe(newest);
      }),
      { numRuns: propertyRuns(60) },
    );
  });
});
