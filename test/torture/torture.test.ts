/** Two short runs; `npm run torture` runs as long as one likes. */
import { describe, it } from 'vitest';
import { hasRedis } from '../support/redis/redis-server.ts';
import { torture } from './torture.ts';

const OPTIONS = { routers: 2, producers: 4 };

// Concurrent: they wait most of the time.
describe.runIf(hasRedis).concurrent('while routers, Redis and the drain are killed at random', () => {
  it('every promise holds', { timeout: 240_000 }, async ({ expect }) => {
    const log: string[] = [];
    const { violations, acknowledged, missing } = await torture({
      ...OPTIONS,
      seconds: 35,
      seed: 20261121,
      log: (text) => log.push(text),
    });
    expect(violations, log.join('\n')).toEqual([]);
    expect(acknowledged).toBeGreaterThan(1_000);
    expect(missing).toBe(0);
  });

  it('a stream that is too small loses lines, and L10s account for each', { timeout: 240_000 }, async ({
    expect,
  }) => {
    const log: string[] = [];
    const { violations, lossesReported } = await torture({
      ...OPTIONS,
      seconds: 15,
      seed: 20261122,
      streamLines: 400,
      log: (text) => log.push(text),
    });
    expect(violations, log.join('\n')).toEqual([]);
    expect(lossesReported).toBeGreaterThan(0);
  });
});
