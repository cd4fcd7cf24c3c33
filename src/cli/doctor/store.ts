/** The store: as the running server sees it, or, while none runs, as one would find it. */

import type { Settings } from '../../common/config/settings.ts';
import { errorMessage } from '../../common/text/error-message.ts';
import type { StoreStatus } from '../../logs/store/contract.ts';
import { type CheckResult, resultsOf } from './check-result.ts';

const result = resultsOf('store');

/** Of the status that a store reports. */
export function checkStoreStatus({ kind, trouble, concerns, facts }: StoreStatus): CheckResult[] {
  const results = concerns.map((text) => result('concern', text));
  if (trouble !== undefined) return [result('trouble', trouble), ...results];
  const { address, server, version, role, replicas, masters } = facts;
  const servers = masters === undefined ? role : `${masters} masters`;
  const what =
    kind === 'redis'
      ? `${server} ${version} at ${address} (${servers}, ${replicas} replicas)`
      : 'embedded, in the data folder';
  return [result('ok', what), ...results];
}

/** The Redis that the settings name; without one, the data folder. */
export async function checkStore({ redisUrl, redisCa, redisWait, data }: Settings): Promise<CheckResult[]> {
  if (redisUrl !== '') {
    const [{ checkRedis }, { readCaCertificate }] = await Promise.all([
      import('../../logs/store/redis/connection/redis-status.ts'),
      import('../../logs/store/redis/connection/redis-url.ts'),
    ]);
    try {
      return checkStoreStatus(
        await checkRedis(redisUrl, redisCa === '' ? undefined : readCaCertificate(redisCa), redisWait),
      );
    } catch (error) {
      return [result('trouble', errorMessage(error))];
    }
  }
  const { assertStoreUsable } = await import('../../logs/store/embedded/records/store-file.ts');
  try {
    assertStoreUsable(data);
  } catch (error) {
    return [result('trouble', errorMessage(error))];
  }
  return [result('ok', 'embedded, in the data folder')];
}
