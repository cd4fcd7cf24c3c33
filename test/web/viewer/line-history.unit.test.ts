/** What the list over history and live lines shows and reads next, and which lines it joins into events. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinEvents, partsOf } from '../../../src/web/stream/events/join-events.ts';
import { LineHistoryState } from '../../../src/web/viewer/lines/line-history-state.ts';
import {
  lineKey,
  parseLineKey,
  parseViewerLine,
  type ViewerLine,
} from '../../../src/web/viewer/lines/viewer-line.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

const START_MS = Date.UTC(2026, 10, 21, 14);

interface LineOptions {
  readonly stream?: string;
  readonly ms?: number;
  readonly dyno?: string;
  readonly message?: string;
}

function line(
  position: number,
  { stream = 's1', ms = position * 1_000, dyno = 'web.1', message }: LineOptions = {},
): ViewerLine {
  const json = {
    stream,
    position: String(position),
    timestamp: new Date(START_MS + ms).toISOString(),
    facility: 1,
    severity: 6,
    hostname: 'host',
    source: 'app',
    dyno,
    message: message ?? `line ${position}`,
  };
  return parseViewerLine(json, undefined);
}

const lines = (from: number, to: number, options?: LineOptions): ViewerLine[] =>
  Array.from({ length: to - from + 1 }, (_, i) => line(from + i, options));
const messages = (state: LineHistoryState): string[] => state.window.lines.map(({ message }) => message);
const messagesOf = (events: readonly ViewerLine[]): string[] => events.map(({ message }) => message);

/** Where a line is among all: lines that come later change it for none. */
type LinePlace = readonly [ms: number, stream: string, position: number];
const placeOf = ({ ms, stream, position }: ViewerLine): LinePlace => [ms, stream, Number(position)];

function comparePlaces(a: LinePlace, b: LinePlace): number {
  return a[0] - b[0] || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : a[2] - b[2]);
}

/** A server with lines, which answers as the viewer's does. */
class History {
  readonly all: ViewerLine[] = [];
  private readonly pageLines: number;

  constructor(pageLines: number) {
    this.pageLines = pageLines;
  }

  before(edge: { cursor: string } | { ms: number } | undefined) {
    const sorted = this.sorted();
    const end = !edge
      ? sorted.length
      : 'cursor' in edge
        ? sorted.filter((one) => comparePlaces(placeOf(one), JSON.parse(edge.cursor)) < 0).length
        : sorted.filter((one) => one.ms <= edge.ms).length;
    const start = Math.max(0, end - this.pageLines);
    return {
      lines: sorted.slice(start, end),
      next: start > 0 ? { cursor: JSON.stringify(placeOf(sorted[start])) } : undefined,
    };
  }

  after(edge: { cursor: string } | { ms: number }) {
    const sorted = this.sorted();
    const start =
      'cursor' in edge
        ? sorted.filter((one) => comparePlaces(placeOf(one), JSON.parse(edge.cursor)) <= 0).length
        : sorted.filter((one) => one.ms < edge.ms).length;
    const end = Math.min(sorted.length, start + this.pageLines);
    return {
      lines: sorted.slice(start, end),
      next: end < sorted.length ? { cursor: JSON.stringify(placeOf(sorted[end - 1])) } : undefined,
    };
  }

  private sorted(): ViewerLine[] {
    return [...this.all].sort((a, b) => comparePlaces(placeOf(a), placeOf(b)));
  }
}

describe('a list over history and live lines', () => {
  it('begins with the newest, takes in what comes and goes back to the oldest, each line once', () => {
    const server = new History(10);
    server.all.push(...lines(1, 35));
    const state = new LineHistoryState();
    state.showNewest(server.before(undefined));
    // The tail brings the newest again, and one more.
    state.addLive(lines(34, 36));
    server.all.push(line(36));
    while (state.older) state.addOlder(server.before(state.older));
    expect(messages(state)).toEqual(messagesOf(lines(1, 36)));
    const places = state.window.lines.map(({ at }) => at);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(new Set(places).size).toBe(36);
    expect(state.lineCount).toBe(36);
  });

  it('shows what is around a place, and reaches the live end from there', () => {
    const server = new History(10);
    server.all.push(...lines(1, 50));
    const state = new LineHistoryState();
    const ms = line(20).ms;
    expect(state.showPlace(server.before({ ms }), server.after({ ms: ms + 1 }))).toBe(false);
    expect(state.following).toBe(false);
    expect(state.placeOf('s1.20')).toBeDefined();
    // Not at the live end: counted, and read later.
    state.addLive([line(51)]);
    server.all.push(line(51));
    expect(state.unseenCount).toBe(1);
    expect(state.placeOf('s1.51')).toBeUndefined();
    while (state.newer) state.addNewer(server.after(state.newer));
    expect(state.atLiveEnd).toBe(true);
    expect(messages(state)).toEqual(messagesOf(lines(11, 51)));
    state.follow();
    state.addLive([line(52)]);
    expect(messages(state).at(-1)).toBe('line 52');
  });

  it('finds again what it has evicted, with many lines of one millisecond and clocks that are wrong', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ ms: fc.integer({ min: -3, max: 40 }), stream: fc.constantFrom('a', 'b') }), {
          maxLength: 60,
        }),
        fc.array(fc.constantFrom('older', 'newer', 'live', 'evict oldest', 'evict newest', 'older'), {
          maxLength: 40,
        }),
        (texts, steps) => {
          const server = new History(7);
          const positions = new Map<string, number>();
          const made = texts.map(({ ms, stream }) => {
            positions.set(stream, (positions.get(stream) ?? 0) + 1);
            return line(positions.get(stream) ?? 0, { stream, ms });
          });
          const live = made.splice(Math.ceil(made.length / 2));
          server.all.push(...made);
          const state = new LineHistoryState();
          state.showNewest(server.before(undefined));
          for (const step of steps) {
            if (step === 'older' && state.older) state.addOlder(server.before(state.older));
            else if (step === 'newer' && state.newer) state.addNewer(server.after(state.newer));
            else if (step === 'live') {
              const [next] = live.splice(0, 1);
              if (!next) continue;
              server.all.push(next);
              state.addLive([next]);
            } else if (step.startsWith('evict') && state.window.lines.length > 4) {
              state.pause();
              state.evict(step === 'evict oldest');
            }
          }
          for (let i = 0; i < 200 && (state.older || state.newer); i++) {
            if (state.older) state.addOlder(server.before(state.older));
            if (state.newer) state.addNewer(server.after(state.newer));
          }
          const shown = (state.window.lines as ViewerLine[]).flatMap(partsOf).map(lineKey);
          expect(new Set(shown).size).toBe(shown.length);
          expect([...shown].sort()).toEqual(server.all.map(lineKey).sort());
        },
      ),
      { numRuns: propertyRuns(300) },
    );
  });

  it('joins an event whose lines come in two pages, or live', () => {
    const trace = ['Error: no order', '    at find (orders.js:1)', '    at main (main.js:2)', 'next'];
    const at = (position: number): ViewerLine => line(position, { ms: 100, message: trace[position - 1] });
    const state = new LineHistoryState();
    state.showNewest({ lines: [at(2), at(3)], next: { cursor: 'x' } });
    state.addLive([at(4)]);
    state.addOlder({ lines: [at(1)], next: undefined });
    expect(messages(state)).toEqual([trace.slice(0, 3).join('\n'), 'next']);
    expect(state.placeOf('s1.3')).toBe(state.window.lines[0].at);
    expect(state.lineCount).toBe(4);

    const other = new LineHistoryState();
    other.showNewest({ lines: [at(1)], next: undefined });
    other.addLive([at(2)]);
    other.addLive([at(3), at(4)]);
    expect(messages(other)).toEqual([trace.slice(0, 3).join('\n'), 'next']);
  });
});

describe('lines that belong together', () => {
  const joined = (texts: readonly string[], options: LineOptions = {}): string[][] =>
    joinEvents(
      [],
      texts.map((message, i) => line(i + 1, { ms: i, ...options, message })),
    ).events.map(({ message }) => message.split('\n'));

  it.each([
    [
      'Java',
      [
        'java.lang.IllegalStateException: lost',
        '\tat a.B.c(B.java:1)',
        'Caused by: java.io.IOException: x',
        '\tat d.E.f(E.java:2)',
        '\t... 12 more',
      ],
    ],
    [
      'Python',
      [
        'Traceback (most recent call last):',
        '  File "a.py", line 1, in <module>',
        '    main()',
        'ValueError: no',
      ],
    ],
    [
      'Go',
      [
        'panic: no',
        'goroutine 1 [running]:',
        'main.main()',
        '\t/app/main.go:3 +0x1',
        'created by main.start',
      ],
    ],
    ['JSON over several lines', ['{', '  "a": 1,', '  "b": 2', '}']],
  ])('are one event: %s', (_name, texts) => {
    expect(joined([...texts, 'something else'])).toEqual([texts, ['something else']]);
  });

  it('are those of one sender alone, close to each other in time', () => {
    const head = line(1, { ms: 0, message: 'Error: a' });
    const other = line(1, { ms: 1, dyno: 'web.2', message: 'GET /' });
    const frame = line(2, { ms: 2, message: '    at b' });
    const foreign = line(2, { ms: 3, dyno: 'web.2', message: 'done' });
    const late = line(3, { ms: 60_000, message: '    at c' });
    expect(messagesOf(joinEvents([], [head, other, frame, foreign, late]).events)).toEqual([
      'Error: a\n    at b',
      'GET /',
      'done',
      '    at c',
    ]);
  });

  it('are no more than an event may have', () => {
    const texts = ['Error', ...Array.from({ length: 1_000 }, (_, i) => `    at ${i}`)];
    const events = joined(texts, { ms: 0 });
    expect(events.length).toBeGreaterThan(1);
    expect(events.flat()).toEqual(texts);
  });
});

it('a line’s key leads back to it', () => {
  expect(parseLineKey(lineKey({ stream: 'a.b', position: '17' }))).toEqual({ stream: 'a.b', position: '17' });
  expect(parseLineKey('s1.-4')).toEqual({ stream: 's1', position: '-4' });
  for (const text of ['', 's1', 's1.', '.5', 's1.x', 's1.12345678901234567'])
    expect(parseLineKey(text)).toBeUndefined();
});
