/**
 * Gives random input to every reader of foreign bytes: `npm run fuzz -- --inputs 10000000 --seed 1`. First to the fast paths of lines in, made by
 * generators that know the formats, held to the scalar readers; then to each reader of test/fuzz/targets, changed byte by byte towards
 * branches that didn't run before. What breaks a promise is printed with its seed. `--only WORD` takes those whose name contains it.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** File → inputs of one run of all that `npm test` makes (`propertyRuns`). */
const FILES = {
  'test/logs/sources/fast-path.unit.test.ts': 3_000,
  'test/logs/sources/formats/records.unit.test.ts': 4_000,
  'test/logs/sources/formats/direct-records.unit.test.ts': 1_000,
};
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
const files = Object.entries(FILES).filter(([file]) => file.includes(values.only));

for (const [file, runs] of files) {
  process.stdout.write(`${file}: ${inputs} inputs from seed ${seed} on\n`);
  const { status } = spawnSync(
    process.execPath,
    [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--project', 'unit', file],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, PROPERTY_RUNS: String(inputs / runs), FUZZ_SEED: String(seed) },
    },
  );
  if (status !== 0) process.exitCode = 1;
}
const { status } = spawnSync(
  process.execPath,
  [
    join(root, 'dist', 'test', 'fuzz', 'main.js'),
    ...['--inputs', String(inputs), '--seed', String(seed), '--only', values.only],
    // A word that names a file needs to name no reader.
    ...(files.length > 0 ? ['--may-be-none'] : []),
  ],
  { cwd: root, stdio: 'inherit' },
);
if (status !== 0) process.exitCode = 1;

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}
