import { expect, test } from 'vitest';
import type { RoutedApp, Upstream } from '../../../../src/apps/http-router/app-lookup.ts';
import { failures } from '../../../../src/apps/http-router/error-codes.ts';
import { pickUpstream } from '../../../../src/apps/http-router/upstream/pick-upstream.ts';

interface Situation {
  readonly tried?: readonly string[];
  readonly quarantined?: readonly number[];
  readonly desired?: number;
  readonly random?: number;
}

/** @param states of web.1, web.2 …, which listen on ports 1, 2 … */
function pick(
  states: readonly string[],
  { tried = [], quarantined = [], desired = 1, random = 0 }: Situation = {},
) {
  const dynos = states.map((state, i): Upstream => ({ name: `web.${i + 1}`, port: i + 1, state }));
  const app: RoutedApp = {
    name: 'myapp',
    isBlank: false,
    maintenance: false,
    errorPages: {},
    webDynos: () => dynos,
    desiredWebDynos: () => desired,
    onChange: () => () => {},
    log() {},
  };
  const quarantine = { isQuarantined: (port: number) => quarantined.includes(port) };
  const choice = pickUpstream(app, tried, failures.connectTimeout, quarantine, () => random);
  return typeof choice === 'object' && 'name' in choice ? choice.name : choice;
}

test.each([
  [0, 'web.1'],
  [0.34, 'web.2'],
  [0.999, 'web.3'],
])('the random number %d chooses %s of three', (random, name) => {
  expect(pick(['up', 'up', 'up'], { random })).toBe(name);
});

test('only dynos that are up and did not fail this request are chosen', () => {
  expect(pick(['starting', 'up', 'crashed', 'up'], { tried: ['web.2'] })).toBe('web.4');
});

test('a quarantined dyno is chosen only if there is no other', () => {
  expect(pick(['up', 'up'], { quarantined: [1] })).toBe('web.2');
  expect(pick(['up', 'starting'], { quarantined: [1] })).toBe('web.1');
  expect(pick(['up'], { quarantined: [1] })).toBe('web.1');
});

test('a dyno that starts or stops, or that does not exist yet, is worth waiting for', () => {
  expect(pick(['starting'])).toBe('wait');
  expect(pick(['crashed', 'stopping'])).toBe('wait');
  expect(pick([])).toBe('wait');
});

test('what is wrong is named when no dyno is left', () => {
  expect(pick([], { desired: 0 })).toBe(failures.noDynos);
  expect(pick(['crashed', 'crashed'])).toBe(failures.crashed);
  expect(pick(['down'])).toBe(failures.crashed);
  expect(pick(['down', 'crashed'])).toBe(failures.crashed);
  expect(pick(['down', 'starting'])).toBe('wait');
  expect(pick(['down', 'up'])).toBe('web.2');
  expect(pick(['up', 'crashed'], { tried: ['web.1'] })).toBe(failures.connectTimeout);
});
