/** A sample of `npm run corruption`, another one in each run: damage to a small store of each kind. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { FIRST_SEED, propertyRuns } from '../../support/properties/property-runs.ts';
import { KINDS } from './kinds.ts';
import { corrupt } from './specimen.ts';

/** Of so many damages one is tried: odd, as every second one is a cut. */
const STEPS: Readonly<Record<string, number>> = {
  spool: 7,
  segments: 41,
  commits: 61,
  running: 91,
  records: 4_001,
  parts: 151,
};

/** In so many parts somebody's work is content with one. */
const PARTS = 14;

describe(`damage to a small store (first seed ${FIRST_SEED})`, () => {
  it.each(Object.keys(KINDS))('of the kind %s is harmless, said or refused', async (kind) => {
    const specimen = await KINDS[kind]();
    onTestFinished(() => specimen.remove());
    const step = ((STEPS[kind] * PARTS) / Math.min(PARTS, propertyRuns(PARTS))) | 1;
    // Each kind has its own, or each byte would be tried.
    expect(step).toBeGreaterThan(1);
    const { counts, broken } = await corrupt(specimen, { seed: FIRST_SEED, step });
    expect(broken).toEqual([]);
    expect(counts.said + counts.refused).toBeGreaterThan(0);
  });
});
