/** When an alert fires, by a clock that the test sets. */
import { describe, expect, it } from 'vitest';
import {
  AlertRun,
  type AlertRunState,
  GROUPS_MAX,
  OTHER_VALUES,
} from '../../../../drains/viewer/alerts/conditions/alert-run.ts';
import { MatchWindow } from '../../../../drains/viewer/alerts/conditions/match-window.ts';
import type { AlertCondition, SampleLine } from '../../../../drains/viewer/alerts/records/alert-records.ts';

const MINUTE = 60_000;

/** An alert whose state is written down and read again after every step, as if the viewer were killed there. */
function alert(
  condition: AlertCondition,
  { cooldownMinutes = 0, groupBy }: { cooldownMinutes?: number; groupBy?: string } = {},
) {
  let saved: AlertRunState | undefined;
  const run = <T>(nowMs: number, step: (run: AlertRun) => T): T => {
    const one = new AlertRun({ condition, cooldownMinutes, groupBy }, nowMs, saved);
    const result = step(one);
    saved = JSON.parse(JSON.stringify(one.state)) as AlertRunState;
    return result;
  };
  return {
    start: (nowMs = 0) => run(nowMs, () => {}),
    match: (atMs: number, value = '') => run(atMs, (one) => one.add(value, atMs, undefined)),
    settle: (nowMs: number, watchedMs = nowMs) =>
      run(nowMs, (one) =>
        one
          .settle(nowMs, watchedMs)
          .map(({ kind, value, count }) => `${kind} ${value}${value && ' '}${count}`),
      ),
    groups: () => Object.keys(saved?.groups ?? {}).length,
  };
}

describe('lines to be shown', () => {
  it('are the first ten, which others replace a second later', () => {
    const run = new AlertRun(
      { condition: { kind: 'at-least', count: 1, minutes: 5 }, cooldownMinutes: 0 },
      0,
    );
    const shown = (atMs: number): void => {
      for (let i = 0; i < 15; i++) {
        const sample = run.wantsSample('', 0, atMs) ? ({ position: atMs + i } as SampleLine) : undefined;
        run.add('', atMs, sample);
      }
    };
    shown(0);
    shown(999);
    expect(run.settle(999, 999)[0].samples.map(({ position }) => position)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
    shown(1_000);
    shown(2_000);
    const [{ samples, count }] = run.settle(2_000, 2_000);
    expect([count, samples.map(({ position }) => position)]).toEqual([
      30,
      [1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007, 1_008, 1_009, 2_000],
    ]);
  });
});

describe('at least N matches in M minutes', () => {
  it('fires with the Nth match within the time, and not with one that comes later', () => {
    const three = alert({ kind: 'at-least', count: 3, minutes: 1 });
    for (const atMs of [0, 30_000]) three.match(atMs);
    expect(three.settle(59_999)).toEqual([]);
    three.match(59_999);
    expect(three.settle(59_999)).toEqual(['fired 3']);
    const late = alert({ kind: 'at-least', count: 3, minutes: 1 });
    for (const atMs of [0, 30_000, 60_000]) late.match(atMs);
    expect(late.settle(60_000)).toEqual([]);
  });

  it('counts every match in one notification or the next: none is told twice', () => {
    const one = alert({ kind: 'at-least', count: 1, minutes: 1 }, { cooldownMinutes: 10 });
    one.match(0);
    expect(one.settle(0)).toEqual(['fired 1']);
    for (let i = 1; i <= 50; i++) {
      one.match(i * 1_000);
      expect(one.settle(i * 1_000)).toEqual([]);
    }
    expect(one.settle(10 * MINUTE - 1)).toEqual([]);
    expect(one.settle(10 * MINUTE)).toEqual(['fired 50', 'resolved 0']);
    expect(one.settle(30 * MINUTE)).toEqual([]);
    expect(one.groups()).toBe(0);
  });

  it('is over when fewer are in the window, and fires again', () => {
    const two = alert({ kind: 'at-least', count: 2, minutes: 5 });
    two.match(0);
    two.match(1);
    expect(two.settle(1)).toEqual(['fired 2']);
    expect(two.settle(5 * MINUTE)).toEqual(['resolved 1']);
    two.match(20 * MINUTE);
    expect(two.settle(20 * MINUTE)).toEqual([]);
    two.match(21 * MINUTE);
    expect(two.settle(21 * MINUTE)).toEqual(['fired 2']);
  });

  it('is over after a pause in which nobody looked, and one match does not fire three', () => {
    const three = alert({ kind: 'at-least', count: 3, minutes: 1 });
    for (const atMs of [0, 1, 2]) three.match(atMs);
    expect(three.settle(2)).toEqual(['fired 3']);
    three.match(60 * MINUTE);
    expect(three.settle(60 * MINUTE)).toEqual(['resolved 1']);
  });

  it('counts each value for itself, and beyond a number of values all others together', () => {
    const apps = alert({ kind: 'at-least', count: 2, minutes: 1 }, { groupBy: 'app', cooldownMinutes: 10 });
    apps.match(0, 'shop');
    apps.match(1, 'blog');
    expect(apps.settle(1)).toEqual([]);
    apps.match(2, 'shop');
    expect(apps.settle(2)).toEqual(['fired shop 2']);
    apps.match(3, 'blog');
    expect(apps.settle(3)).toEqual(['fired blog 2']);
    for (let i = 0; i < GROUPS_MAX + 100; i++) apps.match(4, `user-${i}`);
    expect(apps.groups()).toBe(GROUPS_MAX + 1);
    expect(apps.settle(4)).toEqual([`fired ${OTHER_VALUES} 102`]);
    // What is over is forgotten, and its place is free.
    expect(apps.settle(20 * MINUTE).every((one) => one.startsWith('resolved'))).toBe(true);
    apps.settle(20 * MINUTE);
    expect(apps.groups()).toBe(0);
  });

  it('values may be called as what every object has', () => {
    const odd = alert({ kind: 'at-least', count: 2, minutes: 1 }, { groupBy: 'key' });
    for (const value of ['__proto__', 'constructor', '__proto__', 'constructor']) odd.match(0, value);
    expect(odd.settle(0)).toEqual(['fired __proto__ 2', 'fired constructor 2']);
  });

  it('is bounded in memory, and right to a sixty-fourth of its window then', () => {
    const window = new MatchWindow(60 * MINUTE);
    for (let at = 0; at < 60 * MINUTE; at += 10) window.add(at, 1);
    expect(window.toJSON().length).toBeLessThan(500);
    expect(window.countAt(60 * MINUTE - 10)).toBe(360_000);
    const half = window.countAt(90 * MINUTE);
    expect(Math.abs(half - 180_000)).toBeLessThan(360_000 / 32);
    expect(window.countAt(200 * MINUTE)).toBe(0);
  });
});

describe('no match in M minutes', () => {
  it('fires once when it is silent for as long, from its beginning on, and is over with the next match', () => {
    const none = alert({ kind: 'none', minutes: 10 });
    none.start(0);
    expect(none.settle(10 * MINUTE - 1)).toEqual([]);
    expect(none.settle(10 * MINUTE)).toEqual(['fired 0']);
    expect(none.settle(50 * MINUTE)).toEqual([]);
    none.match(51 * MINUTE);
    expect(none.settle(51 * MINUTE)).toEqual(['resolved 1']);
    expect(none.settle(60 * MINUTE)).toEqual([]);
    expect(none.settle(61 * MINUTE)).toEqual(['fired 0']);
  });

  it('says of nobody that he is silent whose lines were not read yet', () => {
    const none = alert({ kind: 'none', minutes: 10 });
    none.start(0);
    expect(none.settle(60 * MINUTE, 5 * MINUTE)).toEqual([]);
    none.match(8 * MINUTE);
    expect(none.settle(60 * MINUTE, 17 * MINUTE)).toEqual([]);
    expect(none.settle(60 * MINUTE, 18 * MINUTE)).toEqual(['fired 0']);
  });

  it('knows each value that was there', () => {
    const apps = alert({ kind: 'none', minutes: 10 }, { groupBy: 'app' });
    apps.start(0);
    expect(apps.settle(60 * MINUTE)).toEqual([]);
    apps.match(60 * MINUTE, 'shop');
    apps.match(65 * MINUTE, 'blog');
    expect(apps.settle(70 * MINUTE)).toEqual(['fired shop 0']);
    expect(apps.settle(75 * MINUTE)).toEqual(['fired blog 0']);
  });
});

describe('another condition', () => {
  it('begins anew, and with another cool-down goes on', () => {
    const first = new AlertRun(
      { condition: { kind: 'at-least', count: 2, minutes: 1 }, cooldownMinutes: 1 },
      0,
    );
    first.add('', 0, undefined);
    const second = new AlertRun(
      { condition: { kind: 'at-least', count: 2, minutes: 2 }, cooldownMinutes: 1 },
      5,
      first.state,
    );
    second.add('', 1, undefined);
    expect(second.settle(1, 1)).toEqual([]);
    const third = new AlertRun(
      { condition: { kind: 'at-least', count: 2, minutes: 1 }, cooldownMinutes: 7 },
      5,
      first.state,
    );
    third.add('', 1, undefined);
    expect(third.settle(1, 1)).toHaveLength(1);
  });
});
