import { describe, expect, it } from 'vitest';
import { substituteProcessType } from '../../../../src/apps/host/one-off/process-type-command.ts';

const ENTRIES = [
  { type: 'web', command: 'node web.js' },
  { type: 'worker-2', command: 'cd jobs && node worker.js' },
  { type: 'rake', command: 'bundle exec rake' },
];

describe('the command of a one-off dyno', () => {
  it.each([
    ['web', 'node web.js'],
    ['  web  ', 'node web.js'],
    ['worker-2 --once "a b"', 'cd jobs && node worker.js --once "a b"'],
    ['rake db:migrate', 'bundle exec rake db:migrate'],
    [
      'web ; echo "\uFFFF heroku-command-exit-status: $?"',
      'node web.js ; echo "\uFFFF heroku-command-exit-status: $?"',
    ],
    ['web\n--once', 'node web.js\n--once'],
    ['web.js', 'web.js'],
    ['web2', 'web2'],
    ['webs --x', 'webs --x'],
    ['./web', './web'],
    ['WEB', 'WEB'],
    ['worker --once', 'worker --once'],
    ['web/run', 'web/run'],
    ['echo web', 'echo web'],
    ['constructor', 'constructor'],
    ['', ''],
  ])('%j is %j', (typed, expected) => {
    expect(substituteProcessType(typed, ENTRIES)).toBe(expected);
  });

  it('is what was typed when the app has no process types', () => {
    expect(substituteProcessType('web', [])).toBe('web');
  });
});
