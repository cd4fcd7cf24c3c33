/** Every reader of foreign bytes, with a few random inputs; `npm run fuzz` gives them millions. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { propertyRuns } from '../support/properties/property-runs.ts';
import { BranchCoverage } from './engine/coverage.ts';
import { fuzz } from './engine/fuzz.ts';
import { errorOf, type FuzzTarget } from './engine/fuzz-target.ts';
import { FOUND } from './found.ts';
import { FUZZ_TARGETS } from './targets/targets.ts';

const SEED = Math.floor(Math.random() * 0x7fff_ffff);

describe.each(FUZZ_TARGETS)('$name', (target) => {
  it(`keeps its promises for any bytes (seed ${SEED})`, async () => {
    const found = await fuzz(target, { inputs: propertyRuns(500), seed: SEED });
    expect(found?.error, found?.input.toString('base64')).toBeUndefined();
  });

  const found = FOUND[target.name] ?? [];
  if (found.length > 0)
    it('keeps them for what was found once', async () => {
      for (const input of found)
        expect(await errorOf(target, Buffer.from(input, 'latin1')), input).toBeUndefined();
    });
});

describe('the search for inputs', () => {
  /** All at once, chance doesn't find them. */
  function isMagic(text: string): boolean {
    if (text[0] !== 'F') return false;
    if (text[1] !== 'U') return false;
    return text[2] === '!';
  }

  const target: FuzzTarget = {
    name: 'magic',
    seeds: ['text'],
    words: ['F', 'U', '!'],
    check(input) {
      if (isMagic(input.toString('latin1'))) throw new Error('found');
    },
  };

  it('goes on from what ran a new branch, and leaves out what is not needed', async () => {
    const coverage = new BranchCoverage((url) => url.includes('readers.unit.test'));
    onTestFinished(() => coverage.close());
    const found = await fuzz(target, { inputs: 100_000, seed: 7, coverage });
    expect(found?.input.toString()).toBe('FU!');
  });

  it('gives the same inputs for the same seed', async () => {
    const inputs = async (): Promise<string[]> => {
      const seen: string[] = [];
      await fuzz(
        { ...target, check: (input) => void seen.push(input.toString('latin1')) },
        { inputs: 100, seed: 5 },
      );
      return seen;
    };
    expect(await inputs()).toEqual(await inputs());
  });
});
