/** `npm run corruption -- [--kind spool,segments,commits,running,records,parts] [--step 1] [--seed 1]` */
import { parseArgs } from 'node:util';
import { KINDS } from './kinds.ts';
import { corrupt } from './specimen.ts';

const { values } = parseArgs({
  options: {
    kind: { type: 'string', default: Object.keys(KINDS).join(',') },
    step: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
  },
});
const print = (text: string): void => void process.stdout.write(`${text}\n`);
let isBroken = false;
print(`seed ${values.seed}, every ${values.step}th damage`);
for (const kind of values.kind.split(',')) {
  const open = KINDS[kind];
  if (!open) throw new Error(`There is no kind "${kind}": use ${Object.keys(KINDS).join(', ')}.`);
  const specimen = await open();
  const { counts, broken } = await corrupt(specimen, {
    seed: Number(values.seed),
    step: Number(values.step),
    onProgress: print,
  });
  const { whole, said, refused, ended } = counts;
  print(
    `${kind}: ${whole} whole, ${said} said, ${refused} refused, ${ended} ended early, ${broken.length} broken`,
  );
  for (const one of broken) print(`BROKEN: ${one}`);
  isBroken ||= broken.length > 0;
  await specimen.remove();
}
print(isBroken ? 'Promises were broken.' : 'Every promise held.');
process.exitCode = isBroken ? 1 : 0;
