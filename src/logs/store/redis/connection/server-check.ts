/** Checks that a Redis can be used, and that its configuration loses nothing. */
import { TailraceError } from '../../../../common/errors.ts';
import { STORE_FORMAT, STORE_FORMAT_ERASED, STORE_FORMAT_KEY } from '../keys.ts';
import type { RedisConnection } from './connection.ts';

/** The first version with `XTRIM MINID`. */
const OLDEST_VERSION = [6, 2] as const;
/** Warns above this share of maxmemory. */
const MEMORY_WARNING_SHARE = 0.9;

/** What `INFO` reports of a server, for people. */
export interface RedisServerInfo {
  /** The two have version numbers of their own. */
  readonly server: 'Redis' | 'Valkey';
  readonly version: string;
  readonly mode: string;
  readonly role: string;
  readonly replicas: number;
  readonly usedBytes: number;
  /** 0: no limit. */
  readonly maxBytes: number;
  readonly policy: string;
  readonly append_only: boolean;
}

/**
 * Reads the `INFO` of the server; in a Cluster, of all masters.
 * @throws TailraceError when one doesn't answer.
 */
export async function readServerInfo(connection: RedisConnection): Promise<RedisServerInfo[]> {
  return (await connection.callMasters('info')).map((text) => parseServerInfo(String(text)));
}

/** @param text the reply to `INFO` */
export function parseServerInfo(text: string): RedisServerInfo {
  const fields = new Map(
    text.split('\r\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1)] as const;
    }),
  );
  const field = (name: string): string => fields.get(name) ?? '';
  const isValkey = field('server_name') === 'valkey';
  return {
    server: isValkey ? 'Valkey' : 'Redis',
    // Valkey has redis_version 7.2.4, for compatibility, and its own beside it.
    version: field(isValkey ? 'valkey_version' : 'redis_version'),
    mode: field('redis_mode'),
    role: field('role'),
    replicas: Number(field('connected_slaves')),
    usedBytes: Number(field('used_memory')),
    maxBytes: Number(field('maxmemory')),
    policy: field('maxmemory_policy'),
    append_only: field('aof_enabled') === '1',
  };
}

/**
 * Checks the version.
 * @throws TailraceError `settings` when it is too old
 */
export function assertSupportedVersion({ server, version }: RedisServerInfo): void {
  if (server === 'Valkey') return; // all of them can do what Redis 7.2 can
  const [major, minor] = version.split('.').map(Number);
  if (major > OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor >= OLDEST_VERSION[1])) return;
  throw new TailraceError(
    'settings',
    `Redis ${version} is too old: use Redis ${OLDEST_VERSION.join('.')} or newer, or Valkey.`,
  );
}

/** Warnings of what would lose lines sooner or later, each a sentence with what to do. */
export function serverWarnings({
  policy,
  usedBytes,
  maxBytes,
  role,
  append_only,
  replicas,
}: RedisServerInfo): string[] {
  const warnings: string[] = [];
  if (maxBytes > 0 && usedBytes > maxBytes * MEMORY_WARNING_SHARE)
    warnings.push(
      `Redis holds ${Math.round((usedBytes / maxBytes) * 100)} % of its maxmemory (${Math.round(maxBytes / 1_048_576)} MB): raise it, or hold less (TAILRACE_STREAM_BYTES, TAILRACE_STREAM_AGE), before it refuses lines.`,
    );
  if (policy !== '' && policy !== 'noeviction')
    warnings.push(
      `Redis has maxmemory-policy ${policy}${maxBytes === 0 ? ' (without a maxmemory, so far)' : ''}: when it is full it throws away whole streams, cursors and tokens. Set it to noeviction.`,
    );
  if (role === 'slave')
    warnings.push(
      'Redis is a read-only replica: point REDIS_URL at the master, or at the Sentinels (redis+sentinel://…/master).',
    );
  if (!append_only && replicas === 0)
    warnings.push(
      'Redis keeps its data in memory only (no append-only file, no replica): what it holds is lost when it stops. Set appendonly yes.',
    );
  return warnings;
}

/** The error when a master has fewer replicas than must have a line before it is acknowledged (`REDIS_WAIT`); or undefined. */
export function missingReplicas(masters: readonly RedisServerInfo[], wanted: number): string | undefined {
  const fewest = Math.min(...masters.map(({ replicas }) => replicas));
  if (fewest >= wanted) return undefined;
  return `REDIS_WAIT asks for ${wanted} replicas and Redis has ${fewest}: no line is taken. Bring replicas back, or lower REDIS_WAIT.`;
}

/**
 * Checks that the data in Redis has this version's format; sets the format when there is none.
 * @throws TailraceError `settings` when it has another
 */
export async function checkStoreFormat(connection: RedisConnection): Promise<void> {
  await connection.call('set', STORE_FORMAT_KEY, STORE_FORMAT, 'NX');
  const found = await connection.call('get', STORE_FORMAT_KEY);
  if (found === STORE_FORMAT || found === STORE_FORMAT_ERASED) return;
  throw new TailraceError(
    'settings',
    `The data in this Redis was laid out by another version of tailrace (format ${String(found)}): use that version, or another database.`,
  );
}
