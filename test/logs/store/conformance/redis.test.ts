import { describe } from 'vitest';
import { RedisStore } from '../../../../src/logs/store/redis/redis-store.ts';
import { hasRedis, RedisServer } from '../../../support/redis/redis-server.ts';
import { storeSuite } from './store-suite.ts';

describe.runIf(hasRedis)('with redis-server', () => {
  storeSuite('redis, a single server', async () => {
    const server = await RedisServer.start();
    return {
      shared: true,
      open: (retention) => RedisStore.open({ url: server.url, retention, warn: () => {} }),
      remove: () => server.remove(),
    };
  });
});
