import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { drawRatios } from '../../bench/picture/draw-ratios.ts';
import { readRatios } from '../../bench/picture/ratios.ts';

const RESULTS = `# Results

## The ways out

| | lines a CPU second | of all runs | × baseline |
| --- | ---: | ---: | ---: |
| HTTPS, <JSON> lines | 1,071,429 | 1 to 2 | 0.35 |
| JSON lines, level=debug | - | - | - |

## Lines of many apps that alternate, embedded

| | apps | lines a CPU second | of all runs | × 10 apps |
| --- | ---: | ---: | ---: | ---: |
| post | 10 | 124,481 | 1 to 2 | 1.00 |
| post | 1,000 | 88,757 | 1 to 2 | 0.71 |

### The ways out

| | lines a CPU second | of all runs | × baseline | goal |
| --- | ---: | ---: | ---: | ---: |
| HTTPS, <JSON> lines | 2,071,429 | 1 to 2 | 0.75 | 0.80 |

## One busy app

| tails | deliveries/s |
| --- | ---: |
| 1 | 2 |
`;

describe('the picture of the results', () => {
  it('shows what the newest table of each heading says per CPU second, and nothing else', () => {
    expect(readRatios(RESULTS)).toEqual([
      { table: 'The ways out', name: 'HTTPS, <JSON> lines', value: 0.75, goal: 0.8 },
      {
        table: 'Lines of many apps that alternate, embedded',
        name: 'post, 1,000 apps',
        value: 0.71,
        goal: 0.67,
      },
    ]);
  });

  it('says of each whether the goal is met, as text too', () => {
    const svg = drawRatios(readRatios(RESULTS), 'a note');
    expect(svg).toContain('HTTPS, &#60;JSON&#62; lines');
    expect(svg).toMatch(/class="missed".*0\.75 of 0\.80/);
    expect(svg).toMatch(/class="met".*0\.71 of 0\.67/);
  });

  it('is drawn from the results that are there', () => {
    const results = readFileSync(new URL('../../bench/RESULTS.md', import.meta.url), 'utf8');
    const svg = readFileSync(new URL('../../bench/results.svg', import.meta.url), 'utf8');
    expect(svg).toBe(drawRatios(readRatios(results), 'Drawn from the tables of bench/RESULTS.md.'));
    expect(readRatios(results).length).toBeGreaterThan(50);
  });
});
