/** `npm run torture -- [--seconds 600] [--seed 1] [--routers 3] [--producers 6] [--stream-lines 2000]` */
import { parseArgs } from 'node:util';
import { torture } from './torture.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    routers: { type: 'string', default: '3' },
    producers: { type: 'string', default: '6' },
    'stream-lines': { type: 'string' },
  },
});
const seed = Number(values.seed);
process.stdout.write(`seed ${seed}\n`);
const startMs = Date.now();
const { violations, faults, ...figures } = await torture({
  seconds: Number(values.seconds),
  seed,
  routers: Number(values.routers),
  producers: Number(values.producers),
  streamLines: values['stream-lines'] ? Number(values['stream-lines']) : undefined,
  log: (text) => {
    process.stdout.write(`${((Date.now() - startMs) / 1_000).toFixed(1).padStart(7)} s  ${text}\n`);
  },
});
const rows = [...Object.entries(figures), ...Object.entries(faults)];
process.stdout.write(
  `\n${rows.map(([name, count]) => `${String(count).padStart(9)}  ${name}`).join('\n')}\n`,
);
for (const promise of violations) process.stdout.write(`BROKEN: ${promise}\n`);
process.stdout.write(violations.length === 0 ? 'Every promise held.\n' : `Broken promises; seed ${seed}.\n`);
process.exitCode = violations.length === 0 ? 0 : 1;
