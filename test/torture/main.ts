/** `npm run torture -- [--minutes 10] [--seed 1] [--store embedded] [--durability disk] [--routers 3] [--pause 400] [--damage] [--only kill,…] [--faults-per-minute 30] [--each 10] [--at-once 3]` */
import { parseArgs } from 'node:util';
import { STORES, type StoreName } from './deployments/deployment.ts';
import { torture } from './torture.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    store: { type: 'string', default: 'embedded' },
    durability: { type: 'string', default: 'disk' },
    routers: { type: 'string', default: '3' },
    pause: { type: 'string', default: '400' },
    'stream-lines': { type: 'string' },
    damage: { type: 'boolean', default: false },
    only: { type: 'string' },
    'faults-per-minute': { type: 'string' },
    each: { type: 'string' },
    'at-once': { type: 'string' },
  },
});
const isStore = (name: string): name is StoreName => (STORES as readonly string[]).includes(name);
const numberOf = (name: 'stream-lines' | 'faults-per-minute' | 'each' | 'at-once'): number | undefined => {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  // Without a fault every promise would hold.
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0`);
  return value;
};
const { store, seed, durability } = values;
if (!isStore(store)) throw new Error(`There is no store "${store}": use ${STORES.join(', ')}.`);
process.stdout.write(`store ${store}, seed ${seed}, durability ${durability}\n`);
const startMs = Date.now();
const { violations, faults, readers, schedule, ...figures } = await torture({
  store,
  seconds: Number(values.minutes) * 60,
  seed: Number(seed),
  routers: Number(values.routers),
  pauseMaxMs: Number(values.pause),
  durability: durability === 'process' ? 'process' : 'disk',
  damages: values.damage,
  streamLines: numberOf('stream-lines'),
  only: values.only?.split(','),
  faultsPerMinute: numberOf('faults-per-minute'),
  each: numberOf('each'),
  atOnce: numberOf('at-once'),
  log: (text) => {
    process.stdout.write(`${((Date.now() - startMs) / 1_000).toFixed(1).padStart(7)} s  ${text}\n`);
  },
});
const rows = [...Object.entries(figures), ...Object.entries(faults)];
process.stdout.write(
  `\n${rows.map(([name, count]) => `${String(count).padStart(9)}  ${name}`).join('\n')}\n\n`,
);
for (const { name, delivered, duplicates, takenBack, missing, silenced, lost } of readers)
  process.stdout.write(
    `${name}: ${delivered} lines, ${duplicates} came again${takenBack > 0 ? ` (${takenBack} of them taken back by a failover)` : ''}, ${missing} are missing${silenced > 0 ? ` (${silenced} of them while the network was silent)` : ''}, ${lost} counted as lost\n`,
  );
if (violations.length > 0) {
  process.stdout.write(`\nThe schedule of seed ${seed}:\n`);
  for (const { atMs, name, forMs, dice } of schedule)
    process.stdout.write(`${String(atMs).padStart(9)} ms  ${name}, ${forMs} ms, dice ${dice}\n`);
}
for (const promise of violations) process.stdout.write(`BROKEN: ${promise}\n`);
process.stdout.write(
  violations.length === 0 ? '\nEvery promise held.\n' : `\nBroken promises; seed ${seed}.\n`,
);
process.exitCode = violations.length === 0 ? 0 : 1;
