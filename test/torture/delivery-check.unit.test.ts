import { describe, expect, it } from 'vitest';
import { checkDelivery, type RecordedRequest } from './delivery-check.ts';

const sent = (...acknowledged: number[]) => [{ producer: 'p', acknowledged, sendsFrameIds: true }];
const got = (frameId: string, messages: string[], accepted = true, notice?: string): RecordedRequest => ({
  frameId,
  messages,
  accepted,
  notice,
});
/** A loss that began at a second of a minute. */
const loss = (count: number, second = 10) =>
  `Error L10 (output buffer overflow): drain 'd' dropped ${count} messages since 2026-11-21T08:00:${second}+00:00. The last of them came by 2026-11-21T08:00:59+00:00.`;

describe('the delivery check', () => {
  it('finds nothing when everything came in order, repeated or not', () => {
    const requests = [
      got('a', ['p 1', 'p 2'], false),
      got('a', ['p 1', 'p 2']),
      got('a', ['p 1', 'p 2']),
      got('b', ['p 3']),
    ];
    expect(checkDelivery(sent(1, 2, 3), requests, { stored: ['p 1', 'p 2', 'p 3'], lost: 0 })).toEqual({
      acknowledged: 3,
      delivered: 3,
      duplicates: 2,
      missing: 0,
      lossesReported: 0,
      requests: 4,
      violations: [],
    });
  });

  it('finds a line that is missing, unless an L10 accounts for it', () => {
    expect(checkDelivery(sent(1, 2, 3), [got('a', ['p 1']), got('b', ['p 3'])]).violations).toHaveLength(1);
    expect(checkDelivery(sent(1, 2), [got('a', ['p 1']), got('b', ['p 2'], false)]).violations).toHaveLength(
      1,
    );
    expect(
      checkDelivery(sent(1, 2, 3), [got('a', ['p 1']), got('b', ['p 3'], true, loss(1))]).violations,
    ).toEqual([]);
    expect(checkDelivery(sent(1, 2, 3, 4), [got('a', ['p 4'], true, loss(1))]).violations).toHaveLength(1);
    // A loss notice in the stream goes to all drains, and accounts for nothing.
    expect(checkDelivery(sent(1, 2), [got('a', [loss(1), 'p 2'])]).violations).toHaveLength(1);
  });

  it('counts each loss once, and the cursor has to agree', () => {
    const lost = (...notices: string[]): number =>
      checkDelivery(
        sent(),
        notices.map((notice, i) => got(`${i}`, ['x'], true, notice)),
      ).lossesReported;
    expect(lost(loss(2), loss(2))).toBe(2);
    expect(lost(loss(2), loss(5))).toBe(5);
    expect(lost(loss(2), loss(5, 20), loss(5, 20))).toBe(7);
    const requests = [got('a', ['p 3'], true, loss(2))];
    expect(checkDelivery(sent(1, 2, 3), requests, { lost: 2 }).violations).toEqual([]);
    for (const count of [1, 3])
      expect(checkDelivery(sent(1, 2, 3), requests, { lost: count }).violations).toHaveLength(1);
    // Two losses of one millisecond, or one that has grown.
    const same = [...requests, got('b', ['p 4'], true, loss(5))];
    for (const count of [5, 6, 7])
      expect(checkDelivery(sent(1, 2, 3, 4), same, { lost: count }).violations).toEqual([]);
    for (const count of [4, 8])
      expect(checkDelivery(sent(1, 2, 3, 4), same, { lost: count }).violations).toHaveLength(1);
  });

  it('finds lines out of order', () => {
    expect(checkDelivery(sent(1, 2), [got('a', ['p 2']), got('b', ['p 1'])]).violations).toEqual([
      'p 1 came after p 2',
    ]);
  });

  it('finds a repetition with another frame id, and a frame id with other lines', () => {
    expect(checkDelivery(sent(1), [got('a', ['p 1'], false), got('b', ['p 1'])]).violations).toHaveLength(1);
    expect(
      checkDelivery(sent(1, 2), [got('a', ['p 1'], false), got('a', ['p 1', 'p 2'])]).violations,
    ).toHaveLength(1);
    // Without frame id a request may be stored twice.
    const withoutFrameIds = [{ producer: 'p', acknowledged: [1], sendsFrameIds: false }];
    expect(checkDelivery(withoutFrameIds, [got('a', ['p 1'], false), got('b', ['p 1'])]).violations).toEqual(
      [],
    );
    // What was lost meanwhile is reported in front of the same lines.
    expect(
      checkDelivery(sent(1), [got('a', ['p 1'], false), got('a', ['p 1'], true, loss(7))]).violations,
    ).toEqual([]);
  });

  it('finds a request with frame id that was stored twice', () => {
    const { violations } = checkDelivery(sent(1), [got('a', ['p 1'])], {
      stored: ['p 1', 'q 1', 'q 1', 'p 1'],
    });
    expect(violations).toEqual(['p 1 of a request with frame id is stored 2 times']);
  });
});
