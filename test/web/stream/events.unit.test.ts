/** Stack traces on the live page: rows of a window that grows and shrinks, and what of them counts as an error. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorEvents } from '../../../src/web/stream/events/error-events.ts';
import { EventWindow } from '../../../src/web/stream/events/event-window.ts';
import { joinEvents, partsOf } from '../../../src/web/stream/events/join-events.ts';
import { type Line, type LineLevel, parseLine } from '../../../src/web/stream/line.ts';
import { matchInTrace, parseMessage } from '../../../src/web/text/parsed-message.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

const vectors: { readonly events: readonly (readonly string[])[] }[] = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', '..', 'fixtures', 'events.json'), 'utf8'),
);

const line = (at: number, message: string, dyno = 'web.1', level: LineLevel = 'info'): Line =>
  parseLine({
    position: String(at),
    timestamp: '2012-12-10T03:00:48.123456+00:00',
    facility: 23,
    severity: 6,
    level,
    hostname: 'host',
    source: 'app',
    dyno,
    message,
  });

const TRACE = ['Error: gave up', '    at step (worker.mjs:1:9)', '    at main (worker.mjs:2:9)'];
const messages = (window: EventWindow): string[] => window.rows.lines.map(({ message }) => message);

/** Lines of several dynos, whose stack traces are interleaved. */
const interleaved = fc
  .array(
    fc.record({
      vector: fc.nat(vectors.length - 1),
      dyno: fc.constantFrom('web.1', 'web.2', 'worker.1'),
      order: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => {
    const queues = new Map<string, string[]>();
    for (const { vector, dyno } of parts)
      queues.set(dyno, [...(queues.get(dyno) ?? []), ...vectors[vector].events.flat()]);
    const order = parts.flatMap((part) => part.order);
    const lines: Line[] = [];
    for (let turn = 0; [...queues.values()].some((queue) => queue.length > 0); turn++)
      for (const [dyno, queue] of queues)
        for (const message of queue.splice(0, order[(turn + queue.length) % order.length]))
          lines.push(line(lines.length + 1, message, dyno));
    return lines;
  });

describe('the rows of a window', () => {
  it('are its lines, each once and in order, whatever comes and goes; and whole events when all is there', () => {
    fc.assert(
      fc.property(
        interleaved,
        fc.array(
          fc.record({
            step: fc.constantFrom('append', 'prepend', 'drop first', 'drop last'),
            count: fc.integer({ min: 1, max: 30 }),
          }),
          { maxLength: 20 },
        ),
        fc.nat(100),
        (all, steps, start) => {
          const window = new EventWindow();
          let from = start % all.length;
          let to = from;
          const grow = (step: string, count: number): void => {
            if (step === 'append') {
              window.append(all.slice(to, to + count));
              to = Math.min(all.length, to + count);
            } else if (step === 'prepend') {
              window.prepend(all.slice(Math.max(0, from - count), from));
              from = Math.max(0, from - count);
            }
          };
          for (const { step, count } of steps) {
            if (to - from <= count || step.endsWith('end')) grow(step, count);
            else if (step === 'drop first') from += window.dropFirst(count);
            else to -= window.dropLast(count);
            expect(window.lines).toEqual(all.slice(from, to));
            const shown = window.rows.lines.flatMap(partsOf);
            expect(shown.map(({ at }) => at).sort((a, b) => a - b)).toEqual(window.lines.map(({ at }) => at));
            const places = window.rows.lines.map(({ at }) => at);
            expect(places).toEqual([...places].sort((a, b) => a - b));
            for (const row of window.rows.lines)
              for (const { at } of partsOf(row)) expect(window.rowOf(at)).toBe(row.at);
          }
          while (from > 0) grow('prepend', 7);
          while (to < all.length) grow('append', 7);
          expect(messages(window)).toEqual(joinEvents([], all).events.map(({ message }) => message));
        },
      ),
      { numRuns: propertyRuns(100) },
    );
  });

  it('join a trace whose lines come in two messages, with those of other dynos and of other apps between', () => {
    const window = new EventWindow();
    const other = (at: number): Line => ({ ...line(at, TRACE[1]), streamName: 'other' });
    window.append([line(1, 'before'), line(2, TRACE[0]), line(3, '  of another one', 'web.2')]);
    window.append([line(4, TRACE[1]), other(5)]);
    window.append([line(6, TRACE[2]), line(7, 'after')]);
    expect(messages(window)).toEqual(['before', TRACE.join('\n'), '  of another one', TRACE[1], 'after']);
    expect([window.rowOf(6), window.rowOf(5), window.rowOf(99)]).toEqual([2, 5, 99]);
  });

  it('are as serious as the most serious line in them', () => {
    const window = new EventWindow();
    window.append([
      line(1, TRACE[0]),
      line(2, TRACE[1], 'web.1', 'warn'),
      line(3, TRACE[2], 'web.1', 'error'),
    ]);
    expect(window.rows.lines.map(({ level }) => level)).toEqual(['error']);
    window.dropLast(1);
    expect(window.rows.lines.map(({ level, message }) => [level, message])).toEqual([
      ['warn', TRACE.slice(0, 2).join('\n')],
    ]);
  });
});

describe('a trace', () => {
  const traceOf = (...lines: string[]) => parseMessage(line(1, lines.join('\n'))).trace;

  it('is folded to what happened and where the app was', () => {
    expect(traceOf('Error: x', '    at node:internal/a:1:1', '    at mine (/app/a.js:1:1)')).toEqual({
      error: undefined,
      frame: 'at mine (/app/a.js:1:1)',
    });
    const python = ['Traceback (most recent call last):', '  File "/app/a.py", line 1, in f', 'KeyError: 1'];
    expect(traceOf(...python)).toEqual({ error: 'KeyError: 1', frame: 'File "/app/a.py", line 1, in f' });
    const during = 'During handling of the above exception, another exception occurred:';
    expect(traceOf(...python, '', during, '', ...python.slice(0, 2), 'ValueError: 2')?.error).toBe(
      'ValueError: 2',
    );
    expect(
      traceOf('/app/a.js:3', '  throw new Error("y")', '  ^', '', 'Error: y', '    at f (/app/a.js:3:1)'),
    ).toEqual({ error: 'Error: y', frame: 'at f (/app/a.js:3:1)' });
    expect([traceOf('{', '  "a": 1', '}'), traceOf('one line')]).toEqual([undefined, undefined]);
  });

  it('shows what is searched for, wherever it is', () => {
    const text = ['Error: x', '    at mine (/app/a.js:1:1)', '    at Deep.call (/app/b.js:1:1)'].join('\n');
    const trace = traceOf(...text.split('\n'));
    const found = (term: string): string | undefined =>
      trace &&
      matchInTrace(text, trace, [term])
        ?.map((span) => span.text)
        .join('');
    expect(found('deep')).toBe('at Deep.call (/app/b.js:1:1)');
    expect([found('mine'), found('error'), found('nothing')]).toEqual([undefined, undefined, undefined]);
  });
});

describe('the errors that come', () => {
  it('are one in a stack trace, of whose lines each says so; what follows it is another one', () => {
    const events = new ErrorEvents();
    const counted = [
      line(1, 'fine'),
      ...TRACE.map((message, i) => line(i + 2, message, 'web.1', 'error')),
      line(5, TRACE[1], 'web.2', 'error'),
      line(6, 'ERROR: again', 'web.1', 'error'),
      line(7, TRACE[0], 'web.1', 'warn'),
      line(8, TRACE[1], 'web.1', 'error'),
      line(9, TRACE[2], 'web.1', 'error'),
    ].map((one) => events.countedLevel(one));
    expect(counted).toEqual(['info', 'error', 'info', 'info', 'error', 'error', 'warn', 'error', 'info']);
  });
});
