/** A short run of `npm run soak`: what is exact is held here, speeds and slopes are for the long ones. */
import { expect, it } from 'vitest';
import { soak } from './soak.ts';

it('everybody who comes and goes leaves nothing behind, and every line comes once', {
  timeout: 300_000,
}, async () => {
  const log: string[] = [];
  const { violations, sent, counts, findings } = await soak({
    seconds: 6,
    rate: 200,
    seed: 20261129,
    sampleMs: 500,
    collections: 3,
    pauseMaxMs: 2_000,
    log: (text) => log.push(text),
  });
  expect(violations, log.join('\n')).toEqual([]);
  expect(sent).toBeGreaterThan(0);
  for (const name of ['tails', 'drains', 'scalings', 'apps', 'bad senders'])
    expect(counts.get(name), name).toBeGreaterThan(0);
  for (const { series } of findings) expect(series.points.length, series.title).toBeGreaterThan(0);
});
