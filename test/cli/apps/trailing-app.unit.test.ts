import { expect, it } from 'vitest';
import { splitTrailingApp } from '../../../src/cli/dynos/trailing-app.ts';

const isRemote = (name: string): boolean => name === 'staging';

it.each([
  ['bash -a shop', ['bash'], false],
  ['rake db:migrate --app shop', ['rake', 'db:migrate'], false],
  ['rake --app=shop -x', ['rake'], false],
  ['ls -r dist -a shop', ['ls', '-r', 'dist'], false],
  ['./job --no-tty -a shop --exit-code', ['./job'], true],
])('%s', (line, words, noTty) => {
  expect(splitTrailingApp(line.split(' '), isRemote)).toEqual({ words, app: 'shop', noTty });
});

it.each([
  'rake db:migrate -r staging',
  'rake db:migrate --remote=staging -x',
  'rake db:migrate --remote staging',
])('%s', (line) => {
  const words = ['rake', 'db:migrate'];
  expect(splitTrailingApp(line.split(' '), isRemote)).toEqual({ words, remote: 'staging', noTty: false });
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
  'ls -r dist',
  '-r staging',
])('%s is a command as it is', (line) => {
  expect(splitTrailingApp(line.split(' '), isRemote)).toBeUndefined();
});
