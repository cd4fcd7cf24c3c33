import type { Settings } from '../../common/config/settings.ts';
import type { Log } from '../../common/log.ts';
import type { Retention, Store } from './contract.ts';
import { EmbeddedStore, type EmbeddedStoreOptions } from './embedded/embedded-store.ts';
import { readCaCertificate } from './redis/connection/redis-url.ts';

type StoreSettings = Pick<
  Settings,
  | 'data'
  | 'durability'
  | 'redisUrl'
  | 'redisCa'
  | 'redisWait'
  | 'redisWaitTimeoutMs'
  | 'streamLines'
  | 'streamBytes'
  | 'streamAgeMs'
>;

/**
 * Opens the store that the settings name: Redis when there is a `REDIS_URL`, else the one in the data folder. A server calls its
 * `onServerStarted` later.
 * @param openMs how long to wait for a Redis that is unavailable, ms; left out for a server: long enough for one that starts beside it
 * @param embedded for a store in the data folder
 * @throws TailraceError when it can't be used, with what to do.
 */
export async function openStore(
  settings: StoreSettings,
  log: Log,
  openMs?: number,
  embedded: Pick<EmbeddedStoreOptions, 'mayTrim' | 'onSynced'> = {},
): Promise<Store> {
  const retention: Retention = {
    lines: settings.streamLines,
    bytes: settings.streamBytes,
    ageMs: settings.streamAgeMs,
  };
  if (settings.redisUrl === '') {
    const { data, durability } = settings;
    const store = new EmbeddedStore({
      folder: data,
      retention,
      durability,
      ...embedded,
      onProblem: (message) => log.warn({}, message),
    });
    log.info({ store: 'embedded', folder: data, durability }, 'store opened');
    return store;
  }
  const ca = settings.redisCa === '' ? undefined : readCaCertificate(settings.redisCa);
  // Loaded only where it is used: a client for Redis is much code.
  const { RedisStore } = await import('./redis/redis-store.ts');
  const wait = { replicas: settings.redisWait, timeoutMs: settings.redisWaitTimeoutMs };
  const store = await RedisStore.open({
    url: settings.redisUrl,
    ca,
    retention,
    wait,
    log,
    openMs,
    forServer: openMs === undefined,
  });
  log.info({ store: 'redis', replicas: wait.replicas }, 'store opened');
  return store;
}

/** Is this the address of a Redis, rather than a folder? */
export function isRedisUrl(text: string): boolean {
  return /^rediss?(?:\+\w+)?:\/\//.test(text);
}
