/** Builds that start more and more. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { runStep } from '../../../src/apps/build/steps/build-step.ts';
import { ProcessLimit } from '../../../src/apps/build/steps/process-limit.ts';
import { killByVariable } from '../../../src/apps/processes/kill-daemonized.ts';
import { ticksSinceBoot } from '../../../src/common/processes/process-identity.ts';
import { until } from '../../support/until.ts';

const MAX = 40;

/** A program of a build, and how it is limited. */
function build(script: string) {
  const id = randomUUID();
  const sinceTicks = ticksSinceBoot();
  const limit = new ProcessLimit({ variable: `REQUEST_ID=${id}`, sinceTicks, max: MAX });
  onTestFinished(async () => {
    await limit.close();
    await killByVariable(`REQUEST_ID=${id}`, sinceTicks);
  });
  const env = { PATH: process.env.PATH, REQUEST_ID: id };
  const step = { program: 'bash', args: ['-c', script, id], cwd: '/', env, signal: limit.signal };
  return { id, limit, result: runStep({ ...step, onLine: () => {} }) };
}

/** Processes with these words in their command lines. */
const countOf = (words: string) =>
  execFileSync('ps', ['-eo', 'stat,args'])
    .toString()
    .split('\n')
    .filter((line) => !line.startsWith('Z') && line.includes(words)).length;

// Each has its name as an argument, by which it is found without its environment, and ends by itself.
it.each<[string, (seconds: string) => string]>([
  ['in its group', (seconds) => `for i in {1..80}; do sleep ${seconds} & done; wait`],
  ['without an environment', (seconds) => `for i in {1..80}; do env -i sleep ${seconds} & done; wait`],
  ['outside of its group', (seconds) => `for i in {1..80}; do setsid sleep ${seconds} & done; wait`],
  [
    'behind one that has ended',
    (seconds) => `f() { [ $1 = 0 ] && exec sleep ${seconds}; f $(($1-1)) & f $(($1-1)) & wait; }; f 6`,
  ],
])('one with too many processes is ended: %s', { timeout: 120_000 }, async (_name, script) => {
  const seconds = `600.${Math.trunc(Math.random() * 1e9)}`;
  const { limit, result } = build(script(seconds));
  expect((await result).status).toBe(137);
  expect(String(limit.signal.reason)).toMatch(
    /^BuildError: The build had more than 40 processes at once, and was ended: /,
  );
  await limit.close();
  await until('none is left', () => countOf(`sleep ${seconds}`) === 0);
});

it('one with many, and beside many, goes on', { timeout: 120_000 }, async () => {
  const others = build(`for i in {1..30}; do sleep 600 & done; wait`);
  const { limit, result } = build('for i in {1..30}; do sleep 1 & done; wait; exit 3');
  expect((await result).status).toBe(3);
  expect(limit.signal.aborted).toBe(false);
  expect(others.limit.signal.aborted).toBe(false);
});
