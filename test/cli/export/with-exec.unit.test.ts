import { expect, it } from 'vitest';
import { containerCommand, withExec } from '../../../src/cli/export/export-spec.ts';

it.each([
  ['node server.js', 'exec node server.js'],
  ['NODE_ENV=production node server.js', 'NODE_ENV=production exec node server.js'],
  [`A=1 B='two words' C="x \\" y" node x`, `A=1 B='two words' C="x \\" y" exec node x`],
  ['A=$HOME/x\\ y bin/web', 'A=$HOME/x\\ y exec bin/web'],
  ['  gunicorn app:app --bind 0.0.0.0:$PORT', '  exec gunicorn app:app --bind 0.0.0.0:$PORT'],
  ['env A=1 node x', 'exec env A=1 node x'],
  ['./bin/start > log', 'exec ./bin/start > log'],
  ['[program x', 'exec [program x'],
])('%s gets exec', (command, expected) => {
  expect(withExec(command)).toBe(expected);
});

it.each([
  '! node x',
  '[[ -n $A ]]',
  '[ -n "$A" ]',
  'cd web && node x',
  'A=1',
  'A=1 B=2 ',
  'exec node x',
  'node a.js; node b.js',
  'node x &',
  'while true; do node x; done',
  'test -f x',
  'time node x',
  '{ node x',
  'A=$(date) node x',
  'A="unclosed node x',
  '2>&1 node x',
  '. ./env.sh',
  'eval $COMMAND',
  '',
])('%s stays as it is', (command) => {
  expect(withExec(command)).toBe(command);
});

it.each(['node server.js', 'A=1 bin/web -p $PORT', `bin/web \${PORT} \${HOST:-0.0.0.0}`])(
  '%s is the same in every shell of a container',
  (command) => {
    expect(containerCommand(command)).toEqual(['/bin/sh', '-c', withExec(command)]);
  },
);

it.each([
  '[[ -n $A ]] && node x',
  `node \${A//x/y}`,
  "node $'a\\tb'",
  'node {a,b}',
  'source ./env; node x',
  'cat <(date)',
])('%s is run by bash where a container has it', (command) => {
  const [shell, flag, choice, script] = containerCommand(command, 'export A=1; ');
  expect([shell, flag, script]).toEqual(['/bin/sh', '-c', `export A=1; ${withExec(command)}`]);
  expect(choice).toContain('exec bash -c "$0"; else exec sh -c "$0"');
});
