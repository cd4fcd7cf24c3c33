/** Lines counted over time: each once, in its bucket and level, and no longer at a time than others can wait. */
import { describe, expect, it } from 'vitest';
import type { AppId, StoredBatch } from '../../../src/logs/store/contract.ts';
import { LineFilter } from '../../../src/logs/syslog/line-filter.ts';
import { countLines, type LineCountQuery } from '../../../src/logs/tails/line-counts.ts';
import { batchOfOldLines } from '../../support/old-lines.ts';

const MESSAGES = ['plain', 'level=warn w', 'ERROR: e', 'plain too'];

/** A stream of batches of four lines, one a second; reads give two at a time. */
function streamOf(count: number, oldestMs = 0) {
  const batches: StoredBatch[] = Array.from({ length: count }, (_, i) => ({
    ...batchOfOldLines(MESSAGES.map((message) => ({ message }))),
    first: i * 4 + 1,
    last: i * 4 + 4,
    storedAtMs: i * 1_000,
  }));
  return {
    readBefore: async (before: number) =>
      batches
        .filter(({ first }) => first < before)
        .reverse()
        .slice(0, 2),
    isTooOld: (ms: number) => ms < oldestMs,
    oldestShownMs: oldestMs,
    app: 'app' as AppId,
    scanner: undefined,
    closedFileOf: () => undefined,
  };
}

const query = (change: Partial<LineCountQuery>): LineCountQuery => ({
  after: 0,
  through: 40,
  sinceMs: 0,
  stepMs: 5_000,
  buckets: 2,
  filter: new LineFilter(),
  ...change,
});

describe('counts', () => {
  it('have each line of the range once, by time and level', async () => {
    const all = await countLines(streamOf(10), query({}), () => false);
    expect(all).toEqual({
      errors: [5, 5],
      warnings: [5, 5],
      others: [10, 10],
      before: undefined,
      countedSinceMs: 0,
    });
    // From the middle of a batch to the middle of another.
    const some = await countLines(streamOf(10), query({ after: 2, through: 37 }), () => false);
    expect([some.errors, some.warnings, some.others]).toEqual([
      [5, 4],
      [4, 4],
      [9, 9],
    ]);
    const none = await countLines(streamOf(10), query({ after: 40 }), () => false);
    expect(none.others).toEqual([0, 0]);
  });

  it('are of the lines that match', async () => {
    const errors = await countLines(
      streamOf(10),
      query({ filter: new LineFilter({ level: 'error' }) }),
      () => false,
    );
    expect([errors.errors, errors.warnings, errors.others]).toEqual([
      [5, 5],
      [0, 0],
      [0, 0],
    ]);
  });

  it('end where lines are older than they may be', async () => {
    const { others, before } = await countLines(streamOf(10, 8_000), query({}), () => false);
    expect([others, before]).toEqual([[0, 4], undefined]);
  });

  it('lines of a clock that was set count at the edge', async () => {
    const { others } = await countLines(streamOf(10), query({ sinceMs: 3_000, stepMs: 1_000 }), () => false);
    expect(others).toEqual([8, 12]);
  });

  it('that take too long say where they ended; what is counted from there adds up to the same', async () => {
    let nowMs = 0;
    const clock = (): number => (nowMs += 400);
    const sums = [0, 0];
    let through: number | undefined = 40;
    let rounds = 0;
    for (; through !== undefined; rounds++) {
      const part = await countLines(streamOf(10), query({ through }), () => false, clock);
      for (const i of [0, 1]) sums[i] += part.others[i] + part.errors[i] + part.warnings[i];
      if (part.before !== undefined) expect(part.countedSinceMs).toBe(((part.before - 1) / 4) * 1_000);
      through = part.before === undefined ? undefined : part.before - 1;
    }
    expect(sums).toEqual([20, 20]);
    expect(rounds).toBeGreaterThan(2);
  });

  it('end early when nobody waits for them', async () => {
    const { before } = await countLines(streamOf(10), query({}), () => true);
    expect(before).toBe(37);
  });
});
