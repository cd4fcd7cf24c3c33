import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  beginEvent,
  continueEvent,
  EVENT_LINES_MAX,
  type EventState,
  mayContinue,
  mayContinueAny,
  ownFrame,
  TAKES_ANY_MARK,
  takesAnyLine,
} from '../../../src/logs/syslog/event-lines.ts';

interface Vector {
  readonly name: string;
  /** Each one the lines of an event. */
  readonly events: readonly (readonly string[])[];
  /** The frame of the longest event that is the app's own. */
  readonly own?: string;
}

const vectors: Vector[] = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', '..', 'fixtures', 'events.json'), 'utf8'),
);

function eventsOf(lines: readonly string[], gapMs = 0): string[][] {
  const events: string[][] = [];
  let state: EventState | undefined;
  for (const line of lines) {
    const next = state && (mayContinue(line, state) ? continueEvent(state, line, gapMs) : undefined);
    if (next) events.at(-1)?.push(line);
    else events.push([line]);
    state = next ?? beginEvent(line);
  }
  return events;
}

describe('stack traces', () => {
  it.each(vectors)('$name', ({ events, own }) => {
    expect(eventsOf(events.flat())).toEqual(events);
    const longest = [...events].sort((a, b) => b.length - a.length)[0];
    if (own !== undefined) expect(ownFrame(longest)).toBe(own);
  });

  it('go on with lines only that may go on with any, unless they take any', () => {
    const plain = [
      'app=a.rb:1:in x (Y)',
      'a.rb:1:in x (Y)',
      'GET /',
      '{"a":1}',
      '12:01 x',
      '12 foo(1)',
      'PHP   1. x',
      '}',
    ];
    const all = [...vectors.flatMap(({ events }) => events.flat()), ...plain];
    const states = new Map<string, EventState>();
    for (const { events } of vectors)
      for (const lines of [...events, ...all.map((line) => [line])]) {
        let state: EventState | undefined;
        for (const line of lines) {
          state = (state && continueEvent(state, line, 0)) ?? beginEvent(line);
          states.set(
            `${state.kind} ${Math.min(1, state.open)} ${Math.min(2, state.lines)} ${state.head}`,
            state,
          );
        }
      }
    expect(states.size).toBeGreaterThan(50);
    for (const state of states.values()) {
      if (takesAnyLine(state)) expect(state.head).toContain(TAKES_ANY_MARK);
      else expect(all.filter((line) => continueEvent(state, line, 0) && !mayContinueAny(line))).toEqual([]);
    }
  });

  it('end after a pause, and don’t grow forever', () => {
    expect(eventsOf(['Error: x', '    at a (b.js:1:1)'], 2_001)).toHaveLength(2);
    expect(eventsOf(['Error: x', '    at a (b.js:1:1)'], Number.NaN)).toHaveLength(1);
    const long = ['Error: x', ...Array.from({ length: EVENT_LINES_MAX }, () => '    at a (b.js:1:1)')];
    expect(eventsOf(long).map((event) => event.length)).toEqual([EVENT_LINES_MAX, 1]);
  });
});
