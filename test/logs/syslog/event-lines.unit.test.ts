import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  beginEvent,
  continueEvent,
  EVENT_LINES_MAX,
  type EventState,
  mayContinue,
  ownFrame,
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

  it('end after a pause, and don’t grow for ever', () => {
    expect(eventsOf(['Error: x', '    at a (b.js:1:1)'], 2_001)).toHaveLength(2);
    expect(eventsOf(['Error: x', '    at a (b.js:1:1)'], Number.NaN)).toHaveLength(1);
    const long = ['Error: x', ...Array.from({ length: EVENT_LINES_MAX }, () => '    at a (b.js:1:1)')];
    expect(eventsOf(long).map((event) => event.length)).toEqual([EVENT_LINES_MAX, 1]);
  });
});
