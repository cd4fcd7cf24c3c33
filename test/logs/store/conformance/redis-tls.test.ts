import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { SILENT_LOG } from '../../../../src/common/log.ts';
import { RedisStore } from '../../../../src/logs/store/redis/redis-store.ts';
import { hasRedis, makeCertificate, RedisServer } from '../../../support/redis/redis-server.ts';
import { storeSuite } from './store-suite.ts';

describe.runIf(hasRedis)('with redis-server', () => {
  storeSuite('redis, TLS and a password', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tailrace-certificate-'));
    const tls = makeCertificate(folder);
    const ca = readFileSync(tls.ca, 'utf8');
    const password = 'p@ss:w/o?rd%';
    const server = await RedisServer.start({ tls, password: `"${password}"` });
    const url = `rediss://default:${encodeURIComponent(password)}@127.0.0.1:${server.port}/3`;
    return {
      shared: true,
      open: (retention) => RedisStore.open({ url, ca, retention, log: SILENT_LOG }),
      remove: async () => {
        await server.remove();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  });
});
