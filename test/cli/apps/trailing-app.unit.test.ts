import { expect, it } from 'vitest';
import { splitTrailingApp } from '../../../src/cli/dynos/trailing-app.ts';

it.each([
  ['bash -a shop', ['bash'], false],
  ['rake db:migrate --app shop', ['rake', 'db:migrate'], false],
  ['rake --app=shop -x', ['rake'], false],
  ['./job --no-tty -a shop --exit-code', ['./job'], true],
])('%s', (line, words, noTty) => {
  expect(splitTrailingApp(line.split(' '))).toEqual({ words, app: 'shop', noTty });
});

it.each([
  'bash',
  '-a shop',
  'ls -a',
  'ls -a ..',
  'grep -x',
  'flask --app shop shell',
  'echo -a A -x',
  'node --app=',
])('%s is a command as it is', (line) => {
  expect(splitTrailingApp(line.split(' '))).toBeUndefined();
});
