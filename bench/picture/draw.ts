/** Draws bench/results.svg from bench/RESULTS.md: `node dist/bench/picture/draw.js`; `npm run bench` does it at its end. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../rig/processes.ts';
import { drawRatios } from './draw-ratios.ts';
import { readRatios } from './ratios.ts';

const folder = join(ROOT, 'bench');
const ratios = readRatios(readFileSync(join(folder, 'RESULTS.md'), 'utf8'));
writeFileSync(join(folder, 'results.svg'), drawRatios(ratios, 'Drawn from the tables of bench/RESULTS.md.'));
process.stdout.write(`bench/results.svg: ${ratios.length} ratios\n`);
