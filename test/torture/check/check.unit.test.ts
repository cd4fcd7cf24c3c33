import { describe, expect, it } from 'vitest';
import { Stalls } from '../readers/stalls.ts';
import { Arrivals } from './arrivals.ts';
import { check, type Delivery, type Evidence, type ReaderRecord } from './check.ts';

const sent = (...acknowledged: number[]) => ({
  name: 'p',
  acknowledged: new Map(acknowledged.map((number) => [number, 1_000])),
  refused: new Set<number>(),
  repeated: new Set<number>(),
  givenUp: new Set<number>(),
});
const got = (...numbers: number[]): Delivery[] =>
  numbers.map((number) => ({ sender: 'p', number, atMs: 2_000 }));
const reader = (deliveries: Delivery[], own: Partial<ReaderRecord> = {}): ReaderRecord => ({
  name: 'drain',
  deliveries,
  lost: 0,
  isExactlyOnce: false,
  ...own,
});
const violations = (evidence: Partial<Evidence>): readonly string[] =>
  check({ senders: [sent(1, 2, 3)], readers: [], faults: [], calmFromMs: 10_000, ...evidence }).violations;

describe('the check of what was delivered', () => {
  it('finds nothing when everything came in order', () => {
    const readers = [reader(got(1, 2, 3))];
    expect(check({ senders: [sent(1, 2, 3)], readers, faults: [], calmFromMs: 10_000 })).toEqual({
      acknowledged: 3,
      refused: 0,
      readers: [
        { name: 'drain', delivered: 3, duplicates: 0, takenBack: 0, missing: 0, silenced: 0, lost: 0 },
      ],
      violations: [],
    });
  });

  it('finds a line that is missing, unless it may be', () => {
    const readers = [reader(got(1, 3))];
    expect(violations({ readers })).toEqual([
      'drain: missing, 1 times: p 2 was acknowledged, and never came',
    ]);
    expect(violations({ readers, mayBeLost: (atMs) => atMs === 1_000 })).toEqual([]);
    expect(violations({ readers, mayLoseCounted: true })).toHaveLength(1);
    expect(violations({ readers: [reader(got(1, 3), { lost: 1 })], mayLoseCounted: true })).toEqual([]);
  });

  it('finds lines that are counted as lost, unless some may be', () => {
    const readers = [reader(got(1, 2, 3), { lost: 2 })];
    expect(violations({ readers })).toEqual(['drain: counted, 1 times: 2 lines as lost, and none may be']);
    expect(violations({ readers, mayBeLost: (atMs) => atMs === 1_000 })).toEqual([]);
    expect(violations({ readers, mayLoseCounted: true })).toEqual([]);
  });

  it('excuses what was on its way while the network was silent, and no more', () => {
    const at = (...times: [number, number][]): Delivery[] =>
      times.map(([number, atMs]) => ({ sender: 'p', number, atMs }));
    const deliveries = at([1, 20_000], [3, 60_000]);
    const of = (fromMs: number, toMs: number): readonly string[] =>
      violations({ readers: [reader(deliveries, { silences: [{ name: 'stall', fromMs, toMs }] })] });
    expect(of(30_000, 31_000)).toEqual([]);
    expect(of(15_000, 16_000)).toEqual([]);
    expect(of(5_000, 6_000)).toHaveLength(1);
    expect(of(61_000, 62_000)).toHaveLength(1);
    const cut = reader(at([1, 20_000]), { silences: [{ name: 'stall', fromMs: 30_000, toMs: 31_000 }] });
    expect(
      check({ senders: [sent(1, 2, 3)], readers: [cut], faults: [], calmFromMs: 0 }).readers,
    ).toMatchObject([{ missing: 2, silenced: 2 }]);
  });

  it('finds lines out of order, never sent, or refused', () => {
    expect(violations({ readers: [reader(got(2, 1, 3))] })).toEqual([
      'drain: order, 1 times: p 1 came after 2',
    ]);
    const impatient = [{ ...sent(2, 3), givenUp: new Set([1]) }];
    expect(violations({ senders: impatient, readers: [reader(got(2, 1, 3))] })).toEqual([]);
    expect(violations({ readers: [reader([...got(1, 2, 3), { sender: 'q', number: 1, atMs: 0 }])] })).toEqual(
      ['drain: unknown, 1 times: q 1 was never sent'],
    );
    const senders = [{ ...sent(1), refused: new Set([2]) }];
    expect(violations({ senders, readers: [reader(got(1, 2))] })).toEqual([
      'drain: refused, 1 times: p 2 was refused, and came',
    ]);
  });

  it('wants a fault for what comes twice, and none of it when all is well', () => {
    const again = [...got(1, 2, 3), { sender: 'p', number: 3, atMs: 3_000 }];
    const faults = [{ name: 'router killed', fromMs: 2_500, toMs: 2_600 }];
    expect(violations({ readers: [reader(again)], faults })).toEqual([]);
    expect(violations({ readers: [reader(again)] })[0]).toMatch(/unexplained/);
    const later = [{ name: 'router killed', fromMs: 3_500, toMs: 3_600 }];
    expect(violations({ readers: [reader(again)], faults: later })[0]).toMatch(/unexplained/);
    expect(violations({ readers: [reader(again)], faults, calmFromMs: 3_000 })[0]).toMatch(/calm/);
    expect(violations({ readers: [reader(again, { isExactlyOnce: true })], faults })[0]).toMatch(/twice/);
    // A sender that has sent it twice, under no name, is the reason.
    const senders = [{ ...sent(1, 2, 3), repeated: new Set([3]) }];
    expect(violations({ senders, readers: [reader(again, { isExactlyOnce: true })] })).toEqual([]);
  });

  it('counts what a failover has taken back, and excuses no more', () => {
    const again = [...got(1, 2, 3), { sender: 'p', number: 3, atMs: 3_000 }];
    const sender = { ...sent(1, 2), acknowledged: new Map([1, 2, 3].map((one) => [one, one * 100_000])) };
    const resultOf = (failovers: readonly [fromMs: number, toMs: number][], calmFromMs: number) =>
      check({
        senders: [sender],
        readers: [
          reader(again, {
            isExactlyOnce: true,
            failovers: failovers.map(([fromMs, toMs]) => ({ name: 'Redis killed', fromMs, toMs })),
          }),
        ],
        faults: [],
        calmFromMs,
      });
    const explained = resultOf([[290_000, 295_000]], 400_000);
    expect(explained).toMatchObject({ violations: [], readers: [{ duplicates: 1, takenBack: 1 }] });
    // Nothing failed over then, or all was well again.
    for (const other of [
      resultOf([], 400_000),
      resultOf([[190_000, 195_000]], 400_000),
      resultOf([[290_000, 295_000]], 299_000),
    ])
      expect(other.violations).toEqual(['drain: twice, 1 times: p 3 came again']);
  });
});

it('what a reader lacks grows less with what it reads', () => {
  const deliveries = got(1);
  const arrivals = new Arrivals(reader(deliveries), [sent(1, 2, 3, 4)], ({ number }) => number !== 4);
  expect(arrivals.owed()).toBe(2);
  deliveries.push(...got(3, 3, 1));
  expect(arrivals.owed()).toBe(1);
  deliveries.push({ sender: 'q', number: 2, atMs: 0 }, ...got(2));
  expect(arrivals.owed()).toBe(0);
});

it('a program that had no processor for a while says when', () => {
  const stalls = new Stalls();
  const nowMs = Date.now() + 100;
  for (const atMs of [nowMs, nowMs + 300, nowMs + 2_000, nowMs + 2_100]) stalls.look(atMs);
  stalls.end();
  expect(stalls.records).toMatchObject([{ fromMs: nowMs + 300, toMs: nowMs + 2_000 }]);
});
