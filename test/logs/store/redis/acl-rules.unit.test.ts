import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PACKAGE_ROOT } from '../../../../src/common/package-info.ts';
import { requiredRules, ruleFor } from '../../../../src/logs/store/redis/connection/acl-rules.ts';

it('the list of permissions is the one in docs/redis.md', () => {
  const docs = readFileSync(join(PACKAGE_ROOT, 'docs', 'redis.md'), 'utf8');
  expect(docs).toContain(`\nACL SETUSER tailrace on >PASSWORD -@all ${requiredRules().join(' ')}\n`);
});

it('every command of a script is in the list', () => {
  const folder = join(PACKAGE_ROOT, 'src', 'logs', 'store', 'redis', 'lua');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.lua'),
  );
  const names = files.flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/redis\.call\('(\w+)'/g)].map(([, name]) => name),
  );
  expect(names.length).toBeGreaterThan(40);
  expect(requiredRules()).toEqual(
    expect.arrayContaining([...new Set(names)].map((name) => `+${name.toLowerCase()}`)),
  );
});

it.each([
  ["NOPERM this user has no permissions to run the 'evalsha' command", undefined, '+evalsha'],
  ["NOPERM User tailrace has no permissions to run the 'cluster|slots' command", undefined, '+cluster|slots'],
  ['NOPERM this user has no permissions to access one of the keys used as arguments', 'XADD', '~tailrace:*'],
  ['NOPERM No permissions to access a key', undefined, '~tailrace:*'],
  ['NOPERM this user has no permissions to access one of the channels used as arguments', 'x', '&tailrace:*'],
  ["ERR The user executing the script can't run this command or subcommand", 'XADD', '+xadd'],
  ["ERR The user executing the script can't run this command or subcommand", undefined, undefined],
  [
    "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
    'XADD',
    '~tailrace:*',
  ],
  [
    "ERR The user executing the script can't publish to the channel mentioned in the command",
    'PUBLISH',
    '&tailrace:*',
  ],
])('what is missing is read from %s', (said, command, rule) => {
  expect(ruleFor(said, command)).toBe(rule);
});
