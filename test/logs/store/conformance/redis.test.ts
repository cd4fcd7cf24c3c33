import { describe } from 'vitest';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import { RedisStore } from '../../../../src/logs/store/redis/redis-store.ts';
import { hasRedis, RedisServer } from '../../../support/redis/redis-server.ts';
import { storeSuite } from './store-suite.ts';

describe.runIf(hasRedis)('with redis-server', () => {
  storeSuite('redis, a single server', async () => {
    const server = await RedisServer.start();
    return {
      shared: true,
      open: (retention) => RedisStore.open({ url: server.url, retention, log: SILENT_LOG }),
      remove: () => server.remove(),
    };
  });
});
