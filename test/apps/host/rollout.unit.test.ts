import { expect, test } from 'vitest';
import {
  formationCounts,
  hasMemoryForBoth,
  isServing,
  rolloutStep,
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

test('new dynos take over when all of their web dynos are up', () => {
  expect(rolloutStep(web('up', 'starting'), 5_000)).toBe('wait');
  expect(rolloutStep(web('up', 'crashed'), 5_000)).toBe('wait');
  expect(rolloutStep(web('up', 'up'), 0)).toBe('take over');
  expect(rolloutStep([...web('up'), worker('starting')], 0)).toBe('take over');
});

test('after a minute some are enough, and none never', () => {
  expect(rolloutStep(web('up', 'crashed'), 59_999)).toBe('wait');
  expect(rolloutStep(web('up', 'crashed'), 60_000)).toBe('take over');
  expect(rolloutStep(web('starting'), 59_999)).toBe('wait');
  expect(rolloutStep(web('starting'), 60_000)).toBe('stuck');
  expect(rolloutStep(web('crashed'), 3_600_000)).toBe('stuck');
});

test('new dynos that all crash are stuck, but not for their first crash', () => {
  expect(rolloutStep(web('crashed'), 999)).toBe('wait');
  expect(rolloutStep(web('crashed', 'crashed'), 1_000)).toBe('stuck');
  expect(rolloutStep(web('crashed', 'starting'), 1_000)).toBe('wait');
});

test('what was stopped, or isn’t there, is not waited for', () => {
  expect(rolloutStep(web('down'), 0)).toBe('take over');
  expect(rolloutStep(web('down', 'starting'), 0)).toBe('wait');
  expect(rolloutStep([worker('starting')], 0)).toBe('take over');
});

test('two releases run side by side when the new one may need somewhat more than the old one uses', () => {
  expect(hasMemoryForBoth(100, 80)).toBe(true);
  expect(hasMemoryForBoth(100, 81)).toBe(false);
});
