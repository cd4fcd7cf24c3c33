/** `npm run soak -- [--minutes 180] [--rate 50000] [--seed 1] [--to soak-report] [--pause 6000] [--snapshots]` */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeEnvironment, formatLoadAverage } from '../../bench/rig/report.ts';
import { toReport, toSvg } from './report.ts';
import { soak } from './soak.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '180' },
    rate: { type: 'string', default: '50000' },
    seed: { type: 'string', default: '1' },
    to: { type: 'string', default: 'soak-report' },
    pause: { type: 'string', default: '6000' },
    snapshots: { type: 'boolean', default: false },
  },
});
const { to } = values;
const [minutes, rate, seed] = [Number(values.minutes), Number(values.rate), Number(values.seed)];
mkdirSync(to, { recursive: true });
const begun = describeEnvironment();
const seconds = minutes * 60;
const { findings, violations, sent, counts, cores, leftBehind } = await soak({
  seconds,
  rate,
  seed,
  sampleMs: Math.min(5_000, (seconds * 1_000) / 100),
  collections: 40,
  pauseMaxMs: Number(values.pause),
  // Streams of dynos and the audit stream are full after some minutes, too: from then on nothing should grow.
  env: { TAILRACE_STREAM_BYTES: '512KB' },
  onSnapshot: values.snapshots
    ? (name, snapshot) => writeFileSync(join(to, `${name}.heapsnapshot`), snapshot)
    : undefined,
  log: (text) => void process.stdout.write(`${text}\n`),
});
const report = toReport(
  `${minutes} minutes at ${rate} lines/s`,
  [
    begun,
    `load average after: ${formatLoadAverage()}`,
    `\`npm run soak -- --minutes ${minutes} --rate ${rate} --seed ${seed} --pause ${values.pause}\``,
    `${sent} lines sent; the server used ${cores.toFixed(2)} cores`,
    `what came and went: ${[...counts].map(([name, count]) => `${count} ${name}`).join(', ')}`,
    `left behind: ${Object.entries(leftBehind)
      .map(([what, [before, after]]) => `${after} ${what} of ${before} before`)
      .join(', ')}`,
    violations.length === 0 ? 'every line came once, in order' : `**broken**: ${violations.join('; ')}`,
  ],
  findings,
);
writeFileSync(join(to, 'report.md'), report);
for (const { series } of findings) writeFileSync(join(to, `${series.name}.svg`), toSvg(series));
process.stdout.write(`\n${report}`);
process.exitCode = violations.length > 0 || findings.some(({ isGrowing }) => isGrowing) ? 1 : 0;
