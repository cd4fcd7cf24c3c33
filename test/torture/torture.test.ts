/** Short runs of `npm run torture`. */
import { describe, it } from 'vitest';
import { missing } from '../support/program.ts';
import { type TortureResult, torture } from './torture.ts';

/** A disk that writes nothing is for the long runs: LMDB may end the process then. */
const FAULTS = ['killed', 'stopped', 'frozen', 'network', 'drain', 'DNS', 'clock', 'power cut'];

async function run(options: Partial<Parameters<typeof torture>[0]>): Promise<[TortureResult, string]> {
  const log: string[] = [];
  const result = await torture({
    store: 'embedded',
    seconds: 12,
    seed: 20261121,
    routers: 2,
    pauseMaxMs: 400,
    durability: 'disk',
    only: FAULTS,
    log: (text) => log.push(text),
    ...options,
  });
  return [result, log.join('\n')];
}

// Concurrent: they wait most of the time.
const isMissing = missing('redis-server', 'cc', 'libc.so', 'faketime', 'libnss_wrapper.so');
describe.skipIf(isMissing).concurrent('while everything is killed, frozen and cut off at random', () => {
  it('every promise holds on the embedded store', { timeout: 300_000 }, async ({ expect }) => {
    const [{ violations, acknowledged }, log] = await run({});
    expect(violations, log).toEqual([]);
    expect(acknowledged).toBeGreaterThan(500);
  });

  it('every promise holds on Redis', { timeout: 300_000 }, async ({ expect }) => {
    const [{ violations, acknowledged }, log] = await run({ store: 'redis', seed: 20261122 });
    expect(violations, log).toEqual([]);
    expect(acknowledged).toBeGreaterThan(500);
  });
});
