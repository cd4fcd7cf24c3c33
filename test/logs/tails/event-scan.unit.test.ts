import { expect, it } from 'vitest';
import type { StoredBatch } from '../../../src/logs/store/contract.ts';
import type { FollowedEvent } from '../../../src/logs/store/file-scanner.ts';
import { beginEvent } from '../../../src/logs/syslog/event-lines.ts';
import { goOnAfter, markEvents, openEventsAfter, wantedLines } from '../../../src/logs/tails/event-scan.ts';
import { parseTailQuery } from '../../../src/logs/tails/tail-query.ts';
import { batchOfOldLines } from '../../support/old-lines.ts';

const TIME = '2012-12-10T03:00:48.123456+00:00';

function batchFrom(first: number, messages: readonly string[]): StoredBatch {
  const { bytes, count } = batchOfOldLines(messages.map((message) => ({ timestamp: TIME, message })));
  return { bytes, count, first, last: first + count - 1, storedAtMs: 0 };
}

it('what is read goes on with events that were found in files, and the other way round', () => {
  const { filter } = parseTailQuery({ q: 'needle' }, { tail: false });
  const event: FollowedEvent = {
    sender: 'h app web.1 ',
    state: beginEvent('Error: a needle'),
    time: TIME,
    last: 9,
  };
  const nothing = { events: [], begun: [] };
  goOnAfter(filter, 9, { wanted: { events: [event], begun: [] }, errors: nothing });
  expect(openEventsAfter(filter, 8)).toBe(undefined);
  const batch = batchFrom(10, ['    at a (b.js:1:1)', 'plain', '    at c (d.js:1:1)', 'Error: needle']);
  markEvents([batch], filter);
  expect([...(wantedLines(batch, filter) ?? [])]).toEqual([1, 0, 0, 1]);
  expect(openEventsAfter(filter, 13)?.wanted.events).toMatchObject([
    { sender: 'h app web.1 ', time: TIME, last: 13, state: { kind: 'error', head: 'Error: needle' } },
  ]);

  const other = parseTailQuery({ q: 'needle' }, { tail: false }).filter;
  goOnAfter(other, 9, { wanted: { events: [event], begun: [] }, errors: nothing });
  const later = batchFrom(12, ['    at a (b.js:1:1)']);
  markEvents([later], other);
  expect(wantedLines(later, other)).toBe(undefined);
});
