/** The first part of `npm run fuzz`: `node dist/test/fuzz/pairs/main.js [--inputs 100000] [--seed 1] [--only WORD]` */
import { parseArgs } from 'node:util';
import { checkPair } from './fuzz-pair.ts';
import { FUZZ_PAIRS } from './pairs.ts';

/** Exit status when none is called like that. */
const NONE = 3;
/** Between two lines about one pair. */
const REPORT_MS = 30_000;

// Refusals are made by the million, and nobody reads where.
Error.stackTraceLimit = 0;

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});
const inputs = Number(values.inputs);
const seed = Number(values.seed);
const pairs = FUZZ_PAIRS.filter(({ name }) => name.includes(values.only));
if (pairs.length === 0) process.exit(NONE);
for (const pair of pairs) {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  let shownMs = startMs;
  const speed = (done: number): string => {
    const { user, system } = process.cpuUsage(cpu);
    return `${Math.round(done / ((user + system) / 1e6))} inputs a second of processor time`;
  };
  try {
    await checkPair(pair, {
      inputs,
      seed,
      onProgress: (done) => {
        if (performance.now() - shownMs < REPORT_MS) return;
        shownMs = performance.now();
        process.stdout.write(`  ${pair.name}: ${done} inputs, ${speed(done)}\n`);
      },
    });
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
    process.stdout.write(`${pair.name}: the same ${inputs} times (${seconds} s, ${speed(inputs)})\n`);
  } catch (error) {
    process.exitCode = 1;
    process.stdout.write(`${pair.name}: BROKEN by ${error instanceof Error ? error.stack : String(error)}\n`);
  }
}
