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

// Branches are counted in the second one alone: that takes time.
for (const program of ['pairs/main.js', 'main.js']) {
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'dist', 'test', 'fuzz', program),
      ...['--inputs', String(inputs), '--seed', String(seed), '--only', values.only],
      // A word that names something in one of them needs to name nothing in the other.
      '--may-be-none',
    ],
    { cwd: root, stdio: 'inherit' },
  );
  if (status !== 0) process.exitCode = 1;
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}
