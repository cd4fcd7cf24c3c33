/** The clients behind a connection: for one server, for a master named by Sentinels, for a Cluster. */
import { isIP } from 'node:net';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { type BackoffRange, backoffMs } from '../../../../common/backoff.ts';
import type { RedisAddress } from './redis-url.ts';

/** A command that wasn't answered within this time has failed; the client reconnects. */
export const COMMAND_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** A Sentinel that took longer to name the master hangs: the next one is queried. */
const SENTINEL_TIMEOUT_MS = 2_000;
/** Back-off between attempts to reconnect. */
export const RECONNECT: BackoffRange = { firstMs: 50, maxMs: 1_000 };

export interface RedisClientOptions {
  readonly address: RedisAddress;
  /** PEM of the CA that signed the servers' certificates, when the system doesn't know it. */
  readonly ca?: string;
  /** How long a command itself may block (`WAIT`), ms; such a connection has no subscriber. */
  readonly waitMs?: number;
}

/** Makes a client for commands and one for messages; a Cluster's is both. They start to connect. */
export function makeClients({ address, ca, waitMs }: RedisClientOptions): {
  commands: Redis | Cluster;
  subscriber: Redis | Cluster;
} {
  const retryStrategy = (attempt: number): number => backoffMs(attempt, RECONNECT);
  const [{ host: name }] = address.nodes;
  // An address is no server name (RFC 6066 section 3); the nodes of a Cluster have addresses.
  const tls = address.tls ? { ca, ...(isIP(name) ? {} : { servername: name }) } : undefined;
  const common = {
    username: address.username,
    password: address.password,
    tls,
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: 10_000,
    connectionName: 'tailrace',
    disableClientInfo: true,
    commandTimeout: COMMAND_TIMEOUT_MS + (waitMs ?? 0),
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // A master was demoted to a replica: the name may resolve to the new one by now.
    reconnectOnError: (error: Error) => /\bREADONLY\b/.test(error.message),
  } as const;
  if (address.kind === 'cluster') {
    const cluster = new Cluster([...address.nodes], {
      redisOptions: common,
      enableOfflineQueue: false,
      // What is wrong is in the error of each command; when a client connects again and again, nobody is told.
      enableReadyCheck: false,
      clusterRetryStrategy: retryStrategy,
      slotsRefreshTimeout: 2_000,
      retryDelayOnFailover: 100,
      retryDelayOnClusterDown: 200,
      maxRedirections: 16,
    });
    return { commands: cluster, subscriber: cluster };
  }
  const [{ host, port }] = address.nodes;
  const single: RedisOptions = {
    ...common,
    db: address.database,
    retryStrategy,
    enableOfflineQueue: false,
    ...(address.kind === 'single'
      ? { host, port }
      : {
          sentinels: [...address.nodes],
          name: address.master,
          sentinelRetryStrategy: retryStrategy,
          sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
          sentinelTLS: tls,
          enableTLSForSentinelMode: address.tls,
          failoverDetector: true,
        }),
  };
  const commands = new Redis(single);
  if (waitMs !== undefined) return { commands, subscriber: commands };
  return { commands, subscriber: new Redis({ ...single, autoResubscribe: false }) };
}

/** The slot of a key in a Cluster: CRC-16 (XMODEM) of its hash tag. */
export function hashSlot(key: string): number {
  const open = key.indexOf('{');
  const close = key.indexOf('}', open + 1);
  const hashed = open !== -1 && close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc % 16_384;
}
