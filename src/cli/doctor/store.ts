/** The store: as the running server sees it, or, while none runs, as one would find it. */
import { join } from 'node:path';
import type { Settings } from '../../common/config/settings.ts';
import type { StoreStatus } from '../../logs/store/contract.ts';
import { refuseOtherFile } from '../../logs/store/embedded/trouble.ts';
import { about, type Finding } from './finding.ts';

const finding = about('store');

/** What a store says of itself. */
export function storeFindings({ kind, trouble, concerns, facts }: StoreStatus): Finding[] {
  const findings = concerns.map((text) => finding('concern', text));
  if (trouble !== undefined) return [finding('trouble', trouble), ...findings];
  const { address, server, version, role, replicas, masters } = facts;
  const servers = masters === undefined ? role : `${masters} masters`;
  const what =
    kind === 'redis'
      ? `${server} ${version} at ${address} (${servers}, ${replicas} replicas)`
      : 'embedded, in the data folder';
  return [finding('ok', what), ...findings];
}

/** The Redis that the settings name; without one, what lies in the data folder. */
export async function examineStore({ redisUrl, redisCa, redisWait, data }: Settings): Promise<Finding[]> {
  if (redisUrl !== '') {
    const [{ examineRedis }, { readCertificate }] = await Promise.all([
      import('../../logs/store/redis/connection/status.ts'),
      import('../../logs/store/redis/connection/address.ts'),
    ]);
    try {
      return storeFindings(
        await examineRedis(redisUrl, redisCa === '' ? undefined : readCertificate(redisCa), redisWait),
      );
    } catch (error) {
      return [finding('trouble', error instanceof Error ? error.message : String(error))];
    }
  }
  try {
    refuseOtherFile(join(data, 'store.mdb'));
  } catch {
    return [
      finding(
        'trouble',
        `${join(data, 'store.mdb')} is not a store: move it away, or choose another folder with TAILRACE_DATA.`,
      ),
    ];
  }
  return [finding('ok', 'embedded, in the data folder')];
}
