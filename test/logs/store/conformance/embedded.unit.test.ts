import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { storeSuite } from './store-suite.ts';

for (const durability of ['process', 'disk'] as const)
  storeSuite(`embedded, durability ${durability}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tailrace-store-'));
    return {
      shared: false,
      open: async (retention) => new EmbeddedStore({ folder, retention, durability }),
      remove: () => rm(folder, { recursive: true, force: true }),
    };
  });
