/** A short run of the checker; `npm run torture` takes as long as one likes. */
import { describe, it } from 'vitest';
import { hasRedis } from '../support/redis/redis-server.ts';
import { torture } from './torture.ts';

const OPTIONS = { routers: 2, producers: 4 };

// Beside each other: most of the time is waited.
describe.runIf(hasRedis).concurrent('while routers, Redis and the drain are killed at random', () => {
  it('every promise holds', { timeout: 240_000 }, async ({ expect }) => {
    const said: string[] = [];
    const {
      violations: broken,
      acknowledged,
      missing,
    } = await torture({
      ...OPTIONS,
      seconds: 35,
      seed: 20261121,
      log: (text) => said.push(text),
    });
    expect(broken, said.join('\n')).toEqual([]);
    expect(acknowledged).toBeGreaterThan(1_000);
    expect(missing).toBe(0);
  });

  it('a stream that is too small loses lines, and L10s account for each', { timeout: 240_000 }, async ({
    expect,
  }) => {
    const said: string[] = [];
    const { violations: broken, lossesReported: accounted } = await torture({
      ...OPTIONS,
      seconds: 15,
      seed: 20261122,
      streamLines: 400,
      log: (text) => said.push(text),
    });
    expect(broken, said.join('\n')).toEqual([]);
    expect(accounted).toBeGreaterThan(0);
  });
});
