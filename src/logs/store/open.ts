import type { Settings } from '../../common/config/settings.ts';
import type { Retention, Store } from './contract.ts';
import { EmbeddedStore } from './embedded/embedded-store.ts';
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
 * Opens the store that the settings name: Redis when there is a `REDIS_URL`, else the one in the data folder.
 * @param openMs how long to wait for a Redis that is unavailable, ms; left out: long enough for one that starts beside the server
 * @throws TailraceError when it can't be used, with what to do.
 */
export async function openStore(
  settings: StoreSettings,
  warn: (fields: object, message: string) => void,
  openMs?: number,
): Promise<Store> {
  const retention: Retention = {
    lines: settings.streamLines,
    bytes: settings.streamBytes,
    ageMs: settings.streamAgeMs,
  };
  if (settings.redisUrl === '')
    return new EmbeddedStore({ folder: settings.data, retention, durability: settings.durability });
  const ca = settings.redisCa === '' ? undefined : readCaCertificate(settings.redisCa);
  // Loaded only where it is used: a client for Redis is much code.
  const { RedisStore } = await import('./redis/redis-store.ts');
  const wait = { replicas: settings.redisWait, timeoutMs: settings.redisWaitTimeoutMs };
  return RedisStore.open({ url: settings.redisUrl, ca, retention, wait, warn, openMs });
}

/** Is this the address of a Redis, rather than a folder? */
export function isRedisUrl(text: string): boolean {
  return /^rediss?(?:\+\w+)?:\/\//.test(text);
}
