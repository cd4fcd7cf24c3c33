/** The health of a Redis, for people: of a store that is open, or of a Redis that no server uses yet. */

import { SILENT_LOG } from '../../../../common/log.ts';
import { errorMessage } from '../../../../common/text/error-message.ts';
import type { StoreStatus } from '../../contract.ts';
import { STORE_FORMAT, STORE_FORMAT_KEY, WRITE_PROBE_KEY } from '../keys.ts';
import { RedisConnection } from './connection.ts';
import { checkPermissions } from './permissions.ts';
import { parseRedisUrl } from './redis-url.ts';
import { assertSupportedVersion, missingReplicas, readServerInfo, serverWarnings } from './server-check.ts';

/** Clocks that are this far apart mislead: lines are stored by Redis' clock, and queried by the routers'. */
const CLOCK_SKEW_MAX_MS = 5_000;
/** How long connecting may take when only the status is wanted. */
const CONNECT_TIMEOUT_MS = 2_000;

/**
 * Checks the servers behind an open connection, and whether they accept writes; never rejects.
 * @param wait how many replicas must have a line before it is acknowledged.
 */
export async function redisStatus(connection: RedisConnection, wait: number): Promise<StoreStatus> {
  const address = connection.address.text;
  try {
    await checkPermissions(connection, wait > 0);
    const askedMs = performance.now();
    const servers = await readServerInfo(connection);
    const answer_ms = Math.round((performance.now() - askedMs) * 10) / 10;
    const [first] = servers;
    assertSupportedVersion(first);
    const skewMs = await clockSkewMs(connection);
    const { usedBytes: _used, maxBytes: _max, ...facts } = first;
    const sum = (field: 'usedBytes' | 'maxBytes' | 'replicas'): number =>
      servers.reduce((total, server) => total + server[field], 0);
    const total = {
      address,
      ...facts,
      ...(connection.isCluster ? { masters: servers.length } : {}),
      replicas: sum('replicas'),
      ...(wait > 0 ? { wait_for_replicas: wait } : {}),
      used_bytes: sum('usedBytes'),
      max_bytes: sum('maxBytes'),
      answer_ms,
    };
    const warnings = new Set(servers.flatMap((server) => serverWarnings(server)));
    if (Math.abs(skewMs) > CLOCK_SKEW_MAX_MS)
      warnings.add(
        `Redis' clock is ${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} this router's: set both by NTP, or --since and the order of times mislead.`,
      );
    const trouble = (await writeError(connection)) ?? missingReplicas(servers, wait);
    return { kind: 'redis', trouble, concerns: [...warnings], facts: total };
  } catch (error) {
    return { kind: 'redis', trouble: errorMessage(error), concerns: [], facts: { address } };
  }
}

/** Connects to a Redis only to check it, as {@link redisStatus} does; nothing is stored there. Never rejects. */
export async function checkRedis(url: string, ca: string | undefined, wait: number): Promise<StoreStatus> {
  let connection: RedisConnection | undefined;
  try {
    connection = new RedisConnection({ address: parseRedisUrl(url), ca, log: SILENT_LOG });
    await connection.ready(CONNECT_TIMEOUT_MS);
    const format = await connection.call('get', STORE_FORMAT_KEY);
    const status = await redisStatus(connection, wait);
    if (status.trouble !== undefined || format === null || format === STORE_FORMAT) return status;
    const trouble = `The data in this Redis was laid out by another version of tailrace (format ${String(format)}): use that version, or another database.`;
    return { ...status, trouble };
  } catch (error) {
    return { kind: 'redis', trouble: errorMessage(error), concerns: [], facts: {} };
  } finally {
    connection?.close();
  }
}

/** Reading may work when writing doesn't: out of memory, a replica, a disk that is full. Tried with a key that expires at once. */
async function writeError(connection: RedisConnection): Promise<string | undefined> {
  try {
    await connection.call('set', WRITE_PROBE_KEY, 1, 'PX', 1_000);
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}

/** Whole milliseconds since 1970, by Redis' clock. */
export async function redisTime(connection: RedisConnection): Promise<number> {
  const [seconds, micros] = (await connection.call('time')) as [string, string];
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

/** By how many milliseconds Redis' clock is ahead, less the time that the reply took. */
async function clockSkewMs(connection: RedisConnection): Promise<number> {
  const before = Date.now();
  const redisMs = await redisTime(connection);
  return redisMs > Date.now() ? redisMs - Date.now() : Math.min(0, redisMs - before);
}
