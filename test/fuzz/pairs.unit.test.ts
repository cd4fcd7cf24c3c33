/** Every fast path does what the code does that says what is right, on a few random inputs; `npm run fuzz` gives them millions. */
import { describe, expect, it } from 'vitest';
import { FIRST_SEED, propertyRuns } from '../support/properties/property-runs.ts';
import { checkPair } from './pairs/fuzz-pair.ts';
import { FUZZ_PAIRS } from './pairs/pairs.ts';
import { takenFast } from './pairs/records.ts';
import { bytesTakenFast } from './pairs/streams.ts';

describe.each(FUZZ_PAIRS)('$name', ({ name, check, inputs }) => {
  const runs = propertyRuns(inputs);

  it(`is the same both ways (first seed ${FIRST_SEED})`, { timeout: 60_000 + runs * 10 }, async () => {
    await checkPair({ name, check, inputs }, { inputs: runs, seed: FIRST_SEED });
    if (runs < 100) return;
    // It isn't what is right beside itself.
    if (name === 'syslog-streams') expect(bytesTakenFast()).toBeGreaterThan(runs * 20);
    if (name !== 'records') return;
    expect(takenFast.records).toBeGreaterThan(runs / 8);
  });
});
