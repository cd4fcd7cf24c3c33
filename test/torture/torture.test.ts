/** A short run of the checker; `npm run torture` takes as long as one likes. */
import { describe, expect, it } from 'vitest';
import { hasRedis } from '../support/redis-server.ts';
import { torture } from './torture.ts';

describe.runIf(hasRedis)('while routers, Redis and the drain are killed at random', () => {
  it('every promise holds', { timeout: 240_000 }, async () => {
    const said: string[] = [];
    const options = { seconds: 45, seed: 20261121, routers: 2, producers: 4 };
    const { broken, acknowledged } = await torture({ ...options, say: (text) => said.push(text) });
    expect(broken, said.join('\n')).toEqual([]);
    expect(acknowledged).toBeGreaterThan(1_000);
  });
});
