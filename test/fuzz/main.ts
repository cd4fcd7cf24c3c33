/** The second part of `npm run fuzz`: `node dist/test/fuzz/main.js [--inputs 100000] [--seed 1] [--only WORD] [--blind]` */
import { parseArgs } from 'node:util';
import { BranchCoverage } from './engine/coverage.ts';
import { fuzz } from './engine/fuzz.ts';

const SEED_MAX = 0x7fff_ffff;
/** Between two lines about one target. */
const REPORT_MS = 30_000;

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * SEED_MAX)) },
    only: { type: 'string', default: '' },
    blind: { type: 'boolean', default: false },
    'may-be-none': { type: 'boolean', default: false },
  },
});
const inputs = Number(values.inputs);
const seed = Number(values.seed);
if (!Number.isSafeInteger(inputs) || inputs < 1) fail('--inputs is a number of at least 1.');
if (!Number.isSafeInteger(seed) || seed < 0 || seed > SEED_MAX)
  fail(`--seed is a number from 0 to ${SEED_MAX}.`);
const coverage = values.blind ? undefined : new BranchCoverage((url) => /\/dist\/(src|drains)\//.test(url));
const { FUZZ_TARGETS } = await import('./targets/targets.ts');
const targets = FUZZ_TARGETS.filter(({ name }) => name.includes(values.only));
if (targets.length === 0 && values['may-be-none']) process.exit();
if (targets.length === 0)
  fail(`No reader is called like that: there are ${FUZZ_TARGETS.map(({ name }) => name).join(', ')}.`);

process.stdout.write(`${inputs} inputs for each reader, seed ${seed}\n`);
for (const target of targets) {
  const startMs = performance.now();
  let shownMs = startMs;
  coverage?.forget();
  let kept = 0;
  const found = await fuzz(target, {
    inputs,
    seed,
    coverage,
    onProgress: (done, corpus) => {
      kept = corpus;
      if (performance.now() - shownMs < REPORT_MS) return;
      shownMs = performance.now();
      process.stdout.write(`  ${target.name}: ${done} inputs\n`);
    },
  });
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  if (!found) {
    process.stdout.write(`${target.name}: every promise held (${seconds} s, ${kept} inputs kept)\n`);
    continue;
  }
  process.exitCode = 1;
  const { input, error } = found;
  process.stdout.write(
    `${target.name}: BROKEN by ${JSON.stringify(input.toString('latin1'))} (latin-1)\n  base64: ${input.toString('base64')}\n`,
  );
  process.stdout.write(`  ${error instanceof Error ? error.stack : String(error)}\n`);
}

function fail(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}
