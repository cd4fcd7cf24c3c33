/**
 * Gives random input to every reader of foreign bytes: `npm run fuzz -- --inputs 10000000 --seed 1`. First to the fast paths, made by generators
 * that know the formats, held to the code that says what is right (test/fuzz/pairs); then to each reader of test/fuzz/targets, changed
 * byte by byte towards branches that didn't run before. What breaks a promise is printed with its seed. `--only WORD` takes those whose name
 * contains it.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const SEED_MAX = 0x7fff_ffff;

const root = join(fileURLToPath(import.meta.url), '..', '..');
const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * SEED_MAX)) },
    only: { type: 'string', default: '' },
  },
});
const inputs = Number(values.inputs);
const seed = Number(values.seed);
if (!Number.isSafeInteger(inputs) || inputs < 1) fail('--inputs is a number of at least 1.');
if (!Number.isSafeInteger(seed) || seed < 0 || seed > SEED_MAX)
  fail(`--seed is a number from 0 to ${SEED_MAX}.`);

/** Exit status of the first one when nothing in it is called so. */
const NONE = 3;
const options = ['--inputs', String(inputs), '--seed', String(seed), '--only', values.only];
// Branches are counted in the second one alone: that takes time.
const inPairs = run('pairs/main.js', options);
const inTargets = run('main.js', inPairs === NONE ? options : [...options, '--may-be-none']);
if ((inPairs !== 0 && inPairs !== NONE) || inTargets !== 0) process.exitCode = 1;

function run(program, args) {
  const path = join(root, 'dist', 'test', 'fuzz', program);
  return spawnSync(process.execPath, [path, ...args], { cwd: root, stdio: 'inherit' }).status;
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}
