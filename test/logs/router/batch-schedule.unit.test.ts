import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { ALREADY_SCHEDULED, APPEND_RETRY, BatchSchedule } from '../../../src/logs/router/batch-schedule.ts';
import { propertyRuns } from '../../support/properties/property-runs.ts';

interface Closed {
  readonly number: number;
}

const closedBatches = (count: number): Closed[] => Array.from({ length: count }, (_, number) => ({ number }));
const [first, second, third] = closedBatches(3);

let schedule: BatchSchedule<Closed>;
const { firstMs: RETRY_MS, maxMs: RETRY_MAX_MS } = APPEND_RETRY;

beforeEach(() => {
  // Back-offs as long as they can be.
  schedule = new BatchSchedule(() => 1);
});

describe('closing the open batch', () => {
  it('happens at the end of the turn, once, however many lines ask for it', () => {
    expect(schedule.requestClose()).toBe(true);
    expect(schedule.requestClose()).toBe(false);
    expect(schedule.turnEnded()).toBe(true);
    expect(schedule.requestClose()).toBe(true);
  });

  it('waits while a batch is in flight, and is possible as soon as that is stored', () => {
    expect(schedule.closed(first, 0)).toBe(true);
    expect(schedule.requestClose()).toBe(false);
    expect(schedule.canClose).toBe(false);
    expect(schedule.succeeded()).toEqual([]);
    expect(schedule.canClose).toBe(true);
    expect(schedule.requestClose()).toBe(true);
  });

  it('is not done at the end of a turn in which a full batch was appended', () => {
    schedule.requestClose();
    schedule.closed(first, 0);
    expect(schedule.turnEnded()).toBe(false);
  });
});

describe('lines that linger', () => {
  it('do not wait when no batch was closed before, or long ago', () => {
    expect(schedule.linger(10, 1_000)).toBe(0);
    schedule.closed(first, 1_000);
    schedule.succeeded();
    expect(schedule.linger(10, 1_010)).toBe(0);
  });

  it('wait for the rest of the time since the last batch was closed; one timer serves all', () => {
    schedule.closed(first, 1_000);
    schedule.succeeded();
    expect(schedule.linger(10, 1_004)).toBe(6);
    expect(schedule.linger(10, 1_005)).toBe(ALREADY_SCHEDULED);
    schedule.lingerEnded();
    expect(schedule.linger(20, 1_010)).toBe(10);
  });

  it('need no timer when the batch is closed at the end of the turn anyway', () => {
    schedule.closed(first, 1_000);
    schedule.succeeded();
    schedule.requestClose();
    expect(schedule.linger(10, 1_001)).toBe(ALREADY_SCHEDULED);
  });
});

describe('a failed append', () => {
  it('whose batch is dropped delays nothing', () => {
    schedule.closed(first, 0);
    schedule.failedAndDropped();
    expect(schedule.canClose).toBe(true);
    expect(schedule.closed(second, 0)).toBe(true);
  });

  it('whose batch is kept is retried after a pause that doubles up to a second, and starts anew after a success', () => {
    const pauses = (): (number | undefined)[] => {
      schedule.closed(first, 0);
      return Array.from({ length: 6 }, () => {
        const retryMs = schedule.failedAndKept(first);
        expect(schedule.retry()).toBe(first);
        return retryMs;
      });
    };
    expect(pauses()).toEqual([RETRY_MS, 200, 400, 800, RETRY_MAX_MS, RETRY_MAX_MS]);
    schedule.succeeded();
    expect(pauses()[0]).toBe(RETRY_MS);
  });

  it('holds back what is closed after it, and is stored before it', () => {
    schedule.closed(first, 0);
    schedule.failedAndKept(first);
    expect(schedule.requestClose()).toBe(false);
    expect(schedule.closed(second, 0)).toBe(false);
    expect(schedule.closed(third, 0)).toBe(false);
    expect(schedule.canClose).toBe(false);
    expect(schedule.retry()).toBe(first);
    expect(schedule.succeeded()).toEqual([second, third]);
    expect(schedule.canClose).toBe(false);
  });

  it('puts batches that fail out of order back into their order', () => {
    for (const batch of [first, second, third]) schedule.closed(batch, 0);
    expect(schedule.failedAndKept(third)).toBe(RETRY_MS);
    expect(schedule.failedAndKept(first)).toBeUndefined();
    expect(schedule.failedAndKept(second)).toBeUndefined();
    expect(schedule.retry()).toBe(first);
    expect(schedule.succeeded()).toEqual([second, third]);
  });

  it('is retried after a pause again when another append succeeded while its retry was scheduled', () => {
    schedule.closed(first, 0);
    schedule.closed(second, 0);
    expect(schedule.failedAndKept(second)).toBe(RETRY_MS);
    // The caller cancels the scheduled retry here: the batch is in flight again.
    expect(schedule.succeeded()).toEqual([second]);
    expect(schedule.failedAndKept(second)).toBe(RETRY_MS);
  });
});

it('whatever fails in whatever order, all that is kept is stored, and nothing waits for nothing', () => {
  const step = fc.record({
    fails: fc.boolean(),
    keeps: fc.boolean(),
    which: fc.nat(),
    closes: fc.boolean(),
    retries: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      schedule = new BatchSchedule();
      const inFlight: Closed[] = [];
      const keeping = new Set<Closed>();
      const waiting = new Set<Closed>();
      let retryScheduled = false;
      let number = 0;
      const start = (batches: readonly Closed[]): void => {
        for (const batch of batches) {
          waiting.delete(batch);
          inFlight.push(batch);
        }
      };
      const settle = (which: number, fails: boolean): void => {
        const [batch] = inFlight.splice(which % inFlight.length, 1);
        if (!fails) {
          retryScheduled = false;
          start(schedule.succeeded());
        } else if (keeping.has(batch)) {
          waiting.add(batch);
          if (schedule.failedAndKept(batch) !== undefined) retryScheduled = true;
        } else schedule.failedAndDropped();
      };
      const retry = (): void => {
        retryScheduled = false;
        const batch = schedule.retry();
        if (!batch) return;
        // Order: the retried one is the first of all that wait.
        expect(batch.number).toBe(Math.min(...[...waiting].map((other) => other.number)));
        start([batch]);
      };
      for (const { fails, keeps, which, closes, retries } of steps) {
        if (closes) {
          const batch = { number: number++ };
          if (keeps) keeping.add(batch);
          if (schedule.closed(batch, 0)) inFlight.push(batch);
          else waiting.add(batch);
        } else if (retryScheduled && (retries || inFlight.length === 0)) retry();
        else if (inFlight.length > 0) settle(which, fails);
        // What waits is always waited for by something that will happen.
        expect(waiting.size === 0 || inFlight.length > 0 || retryScheduled).toBe(true);
      }
      while (inFlight.length > 0 || retryScheduled)
        if (inFlight.length > 0) settle(0, false);
        else retry();
      expect(waiting.size).toBe(0);
      expect(schedule.canClose).toBe(true);
    }),
    { numRuns: propertyRuns(100, 20) },
  );
});
