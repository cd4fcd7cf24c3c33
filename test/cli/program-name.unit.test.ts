import { expect, it } from 'vitest';
import { programName, withProgramName } from '../../src/cli/program-name.ts';

it.each([
  [undefined, 'tailrace'],
  ['npx', 'npx tailrace'],
  ['start', 'npx tailrace'],
  ['test', 'tailrace'],
])('run by npm as %j, the program is called %s', (npm_lifecycle_event, name) => {
  expect(programName({ npm_lifecycle_event })).toBe(name);
});

it('hints name the program so', () => {
  expect(withProgramName('Make one with `tailrace create NAME`.', 'npx tailrace')).toBe(
    'Make one with `npx tailrace create NAME`.',
  );
});
