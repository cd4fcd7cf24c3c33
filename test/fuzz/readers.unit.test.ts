/** Every reader of foreign bytes, with a few random inputs; `npm run fuzz` gives them millions. */
import { describe, expect, it } from 'vitest';
import { propertyRuns } from '../support/properties/property-runs.ts';
import { fuzz } from './engine/fuzz.ts';
import { errorOf } from './engine/fuzz-target.ts';
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
