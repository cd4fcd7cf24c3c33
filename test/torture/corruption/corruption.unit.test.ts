/** A sample of `npm run corruption`: damage to a small store of each kind. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { KINDS } from './kinds.ts';
import { corrupt } from './specimen.ts';

/** Of so many damages one is tried: odd, as every second one is a cut. */
const STEPS: Readonly<Record<string, number>> = {
  spool: 7,
  segments: 41,
  commits: 61,
  records: 4_001,
  parts: 151,
};

describe('damage to a small store', () => {
  it.each(Object.keys(KINDS))('of the kind %s is harmless, said or refused', async (kind) => {
    const specimen = await KINDS[kind]();
    onTestFinished(() => specimen.remove());
    const { counts, broken } = await corrupt(specimen, { seed: 5, step: STEPS[kind] });
    expect(broken).toEqual([]);
    expect(counts.said + counts.refused).toBeGreaterThan(0);
  });
});
