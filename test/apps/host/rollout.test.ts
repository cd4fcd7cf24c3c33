import { expect, test } from 'vitest';
import {
  canTakeOver,
  formationCounts,
  isServing,
  typesStoppedAtOnce,
} from '../../../src/apps/host/rollout.ts';
import type { DynoState } from '../../../src/apps/processes/dyno.ts';

const web = (...states: DynoState[]) => states.map((state) => ({ type: 'web', state }));
const worker = (state: DynoState) => ({ type: 'worker', state });

test('a release runs the process types that it has, and none that nobody has scaled', () => {
  const entries = [{ type: 'web' }, { type: 'worker' }];
  expect(formationCounts(entries, { web: 2, clock: 1 })).toEqual({ web: 2, worker: 0 });
});

test('only web dynos overlap with those of the next release', () => {
  expect(typesStoppedAtOnce([{ type: 'web' }, { type: 'worker' }, { type: 'webhooks' }])).toEqual([
    'worker',
    'webhooks',
  ]);
});

test('an app serves requests while one web dyno is up', () => {
  expect(isServing([...web('crashed', 'up')])).toBe(true);
  expect(isServing([...web('starting', 'crashed', 'down'), worker('up')])).toBe(false);
});

test('new dynos take over when none of their web dynos is starting', () => {
  expect(canTakeOver(web('up', 'starting'), 0)).toBe(false);
  expect(canTakeOver(web('up', 'up'), 0)).toBe(true);
  expect(canTakeOver([...web('up'), worker('starting')], 0)).toBe(true);
});

test('new dynos take over when they crashed, or weren’t up within a minute', () => {
  expect(canTakeOver(web('crashed'), 0)).toBe(true);
  expect(canTakeOver(web('starting'), 59_999)).toBe(false);
  expect(canTakeOver(web('starting'), 60_000)).toBe(true);
});

test('a release without web dynos takes over at once', () => {
  expect(canTakeOver([worker('starting')], 0)).toBe(true);
});
