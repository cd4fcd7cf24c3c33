/**
 * The search for inputs. In a file of its own, which `vitest.config.ts` begins with: a look at what ran takes as long as there are functions
 * in the process, and what counts branches throws away all that was optimized in it.
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { BranchCoverage } from './coverage.ts';
import { fuzz } from './fuzz.ts';
import type { FuzzTarget } from './fuzz-target.ts';

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
    const coverage = new BranchCoverage((url) => url.includes('fuzz.unit.test'));
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
