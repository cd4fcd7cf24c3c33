import { describe, expect, it } from 'vitest';
import { Interval } from '../../../../src/apps/addon-services/metrics/interval.ts';
import { chooseStep, metricsReport } from '../../../../src/apps/addon-services/metrics/report.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-11-28T12:00:00Z');

function minute(change: (interval: Interval) => void) {
  const interval = new Interval();
  change(interval);
  return interval.toStored();
}

const request = (path: string, status: number, durationMs: number) => ({
  method: 'GET',
  path,
  status,
  durationMs,
  bytes: 100,
});

describe('a report', () => {
  const intervals = [
    {
      startMs: START,
      interval: minute((one) => {
        one.lines = 3;
        one.recordRequest(request('/users/1', 200, 10));
        one.recordRequest(request('/users/2', 200, 30));
        one.recordRequest(request('/slow', 500, 1_000));
        one.recordError('H12');
        one.recordValue({ kind: 'sample', name: 'memory_total', value: 50, unit: 'MB', source: 'web.1' }, 1);
        one.recordValue({ kind: 'count', name: 'signups', value: 4, unit: '', source: 'web.1' }, 1);
        one.recordValue({ kind: 'measure', name: 'db', value: 8, unit: 'ms', source: 'web.1' }, 1);
      }),
    },
    {
      startMs: START + 2 * MINUTE,
      interval: minute((one) => {
        one.recordRequest(request('/users/3', 302, 20));
        one.recordValue({ kind: 'sample', name: 'memory_total', value: 70, unit: 'MB', source: 'web.1' }, 3);
        one.recordValue({ kind: 'sample', name: 'memory_total', value: 60, unit: 'MB', source: 'web.1' }, 2);
      }),
    },
  ];
  const report = metricsReport(intervals, START, START + 3 * MINUTE);

  it('has a point for each step, none where nothing was', () => {
    expect(report.times).toEqual([START, START + MINUTE, START + 2 * MINUTE]);
    expect(report.throughput).toEqual({ '2xx': [2, 0, 0], '3xx': [0, 0, 1], '5xx': [1, 0, 0] });
    expect(report.latency.p50.map((ms) => ms && Math.round(ms))).toEqual([30, null, 20]);
    expect(report.errors).toEqual({ H12: [1, 0, 0] });
    expect(report.samples).toEqual({
      memory_total: { unit: 'MB', sources: { 'web.1': [50, null, 70] } },
    });
    expect(report.counts).toEqual({ 'signups web.1': [4, 0, 0] });
    expect(report.measures['db web.1'].p99[0]).toBeCloseTo(8, 0);
    expect(report.totals).toEqual({ requests: 4, errors: 1, lines: 3, bytes: 400 });
  });

  it('lists routes by the time that they took', () => {
    expect(report.routes.map(({ route, count, errors }) => [route, count, errors])).toEqual([
      ['GET /slow', 1, 1],
      ['GET /users/:id', 3, 0],
    ]);
    expect(report.routes.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  });

  it('has no more points than a curve has room for, however long the range', () => {
    expect(chooseStep(0, 60 * MINUTE)).toBe(MINUTE);
    for (const days of [1, 2, 7, 31, 90]) {
      const range = days * 24 * 60 * MINUTE;
      expect(range / chooseStep(0, range)).toBeLessThanOrEqual(240);
    }
  });

  it('bounds routes and names, and says what was left out', () => {
    const interval = new Interval();
    for (let i = 0; i < 1_000; i++) {
      interval.recordRequest(
        request(
          `/page-${'abcdefghij'[i % 10]}${'klmnopqrst'[Math.floor(i / 10) % 10]}${'uvwxyzabcd'[Math.floor(i / 100)]}`,
          200,
          1,
        ),
      );
      interval.recordValue({ kind: 'count', name: `n${i}`, value: 1, unit: '', source: 's' }, 1);
    }
    const stored = interval.toStored();
    expect(Object.keys(stored.routes).length).toBe(201);
    expect(Object.values(stored.routes).reduce((sum, { count }) => sum + count, 0)).toBe(1_000);
    expect(Object.keys(stored.counts).length).toBe(500);
    expect(stored.dropped).toBe(500);
  });
});
