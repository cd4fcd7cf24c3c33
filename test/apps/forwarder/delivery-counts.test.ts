import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeliveryCounts } from '../../../src/apps/forwarder/delivery-counts.ts';

const lines = (lineCount: number) => ({ lineCount, reported: { dropped: 0, lost: 0, lines: 0 } });

test('nothing was lost: there is nothing to report', () => {
  const counts = new DeliveryCounts();
  counts.accept(lines(3));
  expect(counts.takeReports()).toEqual([]);
  expect(counts).toMatchObject({ accepted: 3, dropped: 0, lost: 0 });
});

test('losses are reported once, since the first of them', () => {
  const counts = new DeliveryCounts();
  counts.drop('t1');
  counts.lose(lines(5), 't2');
  counts.drop('t3');
  expect(counts.takeReports()).toEqual([
    { kind: 'dropped', count: 2, message: 'Error L12: 2 messages dropped since t1.' },
    { kind: 'lost', count: 5, message: 'Error L13: 5 messages lost since t2.' },
  ]);
  expect(counts.takeReports()).toEqual([]);
  counts.drop('t4');
  expect(counts.takeReports()[0].message).toBe('Error L12: 1 messages dropped since t4.');
});

test('a report that is lost is made again, and is no lost line itself', () => {
  const counts = new DeliveryCounts();
  counts.lose({ lineCount: 10, reported: { dropped: 4, lost: 3, lines: 2 } }, 't1');
  expect(counts).toMatchObject({ dropped: 0, lost: 8 });
  expect(counts.takeReports().map(({ kind, count }) => [kind, count])).toEqual([
    ['dropped', 4],
    ['lost', 11],
  ]);
});

test('whatever is refused in between, the reports that arrive add up to what is missing', () => {
  const step = fc.constantFrom('line', 'drop', 'accepted', 'refused');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const counts = new DeliveryCounts();
      let open = lines(0);
      const arrived = { dropped: 0, lost: 0 };
      const end = (isAccepted: boolean): void => {
        const batch = open;
        open = lines(0);
        if (isAccepted) {
          counts.accept(batch);
          arrived.dropped += batch.reported.dropped;
          arrived.lost += batch.reported.lost;
        } else counts.lose(batch, 't');
        for (const { kind, count } of counts.takeReports()) {
          open.reported[kind] += count;
          open.reported.lines += 1;
          open.lineCount += 1;
        }
      };
      for (const one of steps) {
        if (one === 'line') open.lineCount += 1;
        else if (one === 'drop') counts.drop('t');
        else end(one === 'accepted');
      }
      // The last batches go through: one with lines and losses, one with their report.
      end(true);
      end(true);
      expect(arrived).toEqual({ dropped: counts.dropped, lost: counts.lost });
    }),
  );
});
