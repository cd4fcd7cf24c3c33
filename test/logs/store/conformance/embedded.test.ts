import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedStore } from '../../../../src/logs/store/embedded/embedded-store.ts';
import { storeSuite } from './store-suite.ts';

storeSuite('embedded, durability process', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tailrace-store-'));
  return {
    shared: false,
    open: async (retention) => new EmbeddedStore({ folder, retention, durability: 'process' }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
});
