import { expect, test } from 'vitest';
import {
  defaultCounts,
  FormationError,
  parseDynoCount,
  parseFormation,
} from '../../../../src/apps/processes/config/formation-counts.ts';

const types = ['web', 'worker', 'release'];

test.each([
  ['web=2,worker=1', { web: 2, worker: 1, release: 0 }],
  ['web=2', { web: 2, worker: 0, release: 0 }],
  ['all=1', { web: 1, worker: 1, release: 0 }],
  ['all=2,web=0', { web: 0, worker: 2, release: 0 }],
  [' web=1 worker=100, release=1 ', { web: 1, worker: 100, release: 1 }],
])('%j', (text, counts) => {
  expect(parseFormation(text, types)).toEqual(counts);
});

test.each([
  ['wob=1', 'no process type "wob"; the Procfile has web, worker, release'],
  ['web=-1', 'web=-1 is not possible'],
  ['web=101', 'from 0 to 100'],
  ['web=1.5', 'whole number'],
  ['web=', 'whole number'],
  ['web=0x1', 'whole number'],
  ['web', 'is not TYPE=NUMBER'],
  ['web=1,web=2', 'given twice'],
  ['', 'is empty'],
])('%j is refused', (text, part) => {
  const parse = () => parseFormation(text, types);
  expect(parse).toThrow(FormationError);
  expect(parse).toThrow(part);
});

test('a count is a whole number, however it comes', () => {
  expect([parseDynoCount('web', '3'), parseDynoCount('web', 0)]).toEqual([3, 0]);
  expect(() => parseDynoCount('web', Number.NaN)).toThrow(FormationError);
});

test('by default there is one dyno of each type, but none of the release phase', () => {
  expect(defaultCounts(types)).toEqual({ web: 1, worker: 1, release: 0 });
});
