import { expect, it } from 'vitest';
import { addAllCommands } from '../../src/cli/commands.ts';
import { completeWord } from '../../src/cli/completion/complete-word.ts';
import { TypedCommand } from '../../src/common/command-line/typed-command.ts';

const program = new TypedCommand('tailrace').enablePositionalOptions();
await addAllCommands(program);

it.each([
  [['logs', '-a', ''], 'apps'],
  [['logs', '--app', 'sh'], 'apps'],
  [['logs', ''], 'dynos'],
  [['logs', 'web.1', ''], 'dynos'],
  [['logs', '-s', ''], 'sources'],
  [['ps:restart', ''], 'dynos'],
  [['restart', ''], 'dynos'],
  [['ps:scale', ''], 'process types'],
  [['scale', 'web=1', 'wo'], 'process types'],
  [['drains:remove', ''], 'drains'],
  [['drains:info', '-a', 'shop', ''], 'drains'],
  [['config:get', ''], 'config vars'],
  [['config:unset', 'A', ''], 'config vars'],
  [['rollback', ''], 'releases'],
  [['addons:destroy', ''], 'add-ons'],
  [['addons:create', 'he'], 'services'],
  [['destroy', ''], 'apps'],
  [['start', '-f', ''], 'files'],
  [['run', '--', ''], 'files'],
])('completes %j with %s', (words, kind) => {
  expect(completeWord(program, words)).toEqual({ kind });
});

it.each([
  [['ro'], ['rollback', 'releases:rollback']],
  [
    ['logs', '--'],
    ['--follow', '--template', '--help'],
  ],
  [
    ['logs', '--level', ''],
    ['error', 'debug'],
  ],
  [
    ['logs', '--time', 'l'],
    ['local', 'short'],
  ],
  [
    ['help', 'l'],
    ['logs', 'drains:add'],
  ],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
])('completes %j among others with %j', (words, some) => {
  expect(completeWord(program, words)).toEqual({ kind: 'words', words: expect.arrayContaining(some) });
});

it.each([
  [['nothing-like-it', '']],
  [['create', '']],
  [['logs', '-q', '']],
  [['version', '']],
  [['logs', '-n', '']],
])('completes %j with nothing', (words) => {
  expect(completeWord(program, words)).toEqual({ kind: 'words', words: [] });
});
