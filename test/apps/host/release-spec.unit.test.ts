import { expect, test } from 'vitest';
import { slugReleaseSpec } from '../../../src/apps/host/release-spec.ts';

const RUNTIME = { env: { PATH: '/bin', TZ: 'UTC' }, cwd: '/data/host', profileScript: '. ./.profile' };

test('a release has the commands of its slug, in their order, and the counts of the formation record', () => {
  const slug = { id: 's', processTypes: { web: 'node web.js', worker: 'node worker.js' } };
  const spec = slugReleaseSpec({ version: 7, config: {} }, slug, { web: 2, clock: 1 }, RUNTIME);
  expect(spec).toMatchObject({ version: 7, slug: 's', cwd: '/data/host', profileScript: '. ./.profile' });
  expect(spec.entries).toEqual([
    { type: 'web', command: 'node web.js', line: 1 },
    { type: 'worker', command: 'node worker.js', line: 2 },
  ]);
  expect(spec.counts).toEqual({ web: 2, worker: 0 });
});

test('config vars are stronger than the environment of the server', () => {
  const spec = slugReleaseSpec(
    { version: 1, config: { TZ: 'Europe/Berlin', A: '1' } },
    { id: 's', processTypes: {} },
    {},
    RUNTIME,
  );
  expect(spec.env).toEqual({ PATH: '/bin', TZ: 'Europe/Berlin', A: '1' });
});
