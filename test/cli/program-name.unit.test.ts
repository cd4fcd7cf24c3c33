import { expect, it } from 'vitest';
import { programName, withProgramName } from '../../src/cli/program-name.ts';
import { nameProgram, programOf } from '../../src/common/text/program-name.ts';

it.each([
  [undefined, 'tailrace'],
  ['npx', 'npx tailrace'],
  ['start', 'npx tailrace'],
  ['test', 'tailrace'],
])('run by npm as %j, the program is called %s', (npm_lifecycle_event, name) => {
  expect(programName({ npm_lifecycle_event })).toBe(name);
});

it.each([
  ['Search with tailrace addons:open shop-x', 'npx tailrace', 'Search with npx tailrace addons:open shop-x'],
  ['Search with tailrace addons:open shop-x', 'heroku', 'Search with heroku addons:open shop-x'],
  ['(`tailrace auth:token` prints one)', 'heroku', '(`tailrace auth:token` prints one)'],
  ['Make one with: tailrace create NAME', 'npx tailrace', 'Make one with: npx tailrace create NAME'],
  ['deploy with: git push tailrace main', 'npx tailrace', 'deploy with: git push tailrace main'],
  ['another `tailrace` of tailrace itself', 'npx tailrace', 'another `tailrace` of tailrace itself'],
  ['Already: `npx tailrace logs`', 'npx tailrace', 'Already: `npx tailrace logs`'],
])('%j for %s', (text, program, wanted) => expect(nameProgram(text, program)).toBe(wanted));

it.each([
  [{}, 'tailrace'],
  [{ 'tailrace-program': 'npx tailrace' }, 'npx tailrace'],
  [{ 'tailrace-program': 'rm -rf /' }, 'tailrace'],
  [{ 'user-agent': 'heroku-cli/10.0.0 linux-x64' }, 'heroku'],
])('%j was called %s', (headers, name) => expect(programOf(headers)).toBe(name));

it('hints name the program so', () => {
  expect(withProgramName('Make one with `tailrace create NAME`.', 'npx tailrace')).toBe(
    'Make one with `npx tailrace create NAME`.',
  );
});
