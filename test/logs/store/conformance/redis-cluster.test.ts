import { describe } from 'vitest';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import { RedisStore } from '../../../../src/logs/store/redis/redis-store.ts';
import { RedisCluster } from '../../../support/redis/redis-deployments.ts';
import { hasRedis } from '../../../support/redis/redis-server.ts';
import { storeSuite } from './store-suite.ts';

describe.runIf(hasRedis)('with redis-server', () => {
  storeSuite('redis, a Cluster of three masters', async () => {
    const cluster = await RedisCluster.start();
    return {
      shared: true,
      open: (retention) => RedisStore.open({ url: cluster.url, retention, log: SILENT_LOG }),
      remove: () => cluster.remove(),
    };
  });
});
