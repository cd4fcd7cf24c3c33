import { describe } from 'vitest';
import { RedisStore } from '../../../../src/logs/store/redis/redis-store.ts';
import { RedisSentinels } from '../../../support/redis/redis-deployments.ts';
import { hasRedis } from '../../../support/redis/redis-server.ts';
import { storeSuite } from './store-suite.ts';

describe.runIf(hasRedis)('with redis-server', () => {
  storeSuite('redis, behind Sentinels', async () => {
    const sentinels = await RedisSentinels.start();
    return {
      shared: true,
      open: (retention) => RedisStore.open({ url: sentinels.url, retention, warn: () => {} }),
      remove: () => sentinels.remove(),
    };
  });
});
