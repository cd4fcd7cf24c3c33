/** Checks what the user in `REDIS_URL` may do. */
import { TailraceError } from '../../../../common/errors.ts';
import { PROBE_CHANNEL, probeKeys } from '../keys.ts';
import { LUA_SCRIPTS } from '../lua-scripts.ts';
import { missingRulesText, requiredRules, ruleFor } from './acl-rules.ts';
import type { RedisConnection } from './connection.ts';

/** What a user is told who may: there is no such script; a server that has just become a replica waits for none. */
const ALLOWED = /\bNOSCRIPT\b|WAIT cannot be used with replica/;
/** Of no script. */
const NO_SCRIPT = '0'.repeat(40);

/**
 * Checks that the user may do all that is needed, by doing it.
 * @param wait are replicas waited for (`REDIS_WAIT`)?
 * @throws TailraceError `settings` when it may not, with what to do; any other when Redis can't be asked.
 */
export async function checkPermissions(connection: RedisConnection, wait: boolean): Promise<void> {
  const missing = new Set<string>();
  const attempt = async (name: string, send: () => Promise<unknown>): Promise<void> => {
    try {
      await send();
    } catch (error) {
      const said = saidOf(error);
      if (/\bNOPERM\b/.test(said)) missing.add(ruleFor(said, name) ?? `+${name}`);
      else if (!ALLOWED.test(said)) throw error;
    }
  };
  for (const [name, send] of directCommands(connection, wait)) await attempt(name, send);
  if (!missing.has('+eval'))
    await attempt('eval', async () => {
      for (const [name, said] of await runProbe(connection))
        missing.add(ruleFor(said, name) ?? `+${name.toLowerCase()}`);
    });
  if (missing.size === 0) return;
  throw new TailraceError('settings', missingRulesText(requiredRules().filter((rule) => missing.has(rule))));
}

/** Tries what runs in scripts: the names of the commands that are refused, with what Redis says. */
async function runProbe(connection: RedisConnection): Promise<[string, string][]> {
  const keys = probeKeys();
  const commands = JSON.stringify(scriptedCommands(keys));
  const { source } = LUA_SCRIPTS.probe;
  const refused = (await connection.call('eval', source, keys.length, ...keys, commands)) as string[];
  return refused.flatMap((name, i): [string, string][] => (i % 2 === 0 ? [[name, refused[i + 1]]] : []));
}

/** Commands that don't run in scripts, each so that it changes nothing. */
function directCommands(
  connection: RedisConnection,
  wait: boolean,
): readonly (readonly [string, () => Promise<unknown>])[] {
  const { database } = connection.address;
  const call = (name: string, ...args: (string | number)[]) =>
    [name, () => connection.call(name, ...args)] as const;
  return [
    call('info', 'server'),
    call('scan', 0, 'COUNT', 1),
    call('eval', 'return 1', 0),
    call('evalsha', NO_SCRIPT, 0),
    ['subscribe', () => connection.subscribe([PROBE_CHANNEL])],
    ['unsubscribe', () => connection.unsubscribe([PROBE_CHANNEL])],
    ...(wait ? [call('wait', 0, 0)] : []),
    ...(database > 0 ? [call('select', database)] : []),
    ...(connection.isCluster ? [call('asking')] : []),
  ];
}

/** Commands that run in scripts as well; their keys expire soon, and are removed at the end. */
function scriptedCommands([stream, hash, set, text]: readonly string[]): (string | number)[][] {
  const expiring = [stream, hash, set, text].map((key) => ['pexpire', key, 10_000]);
  return [
    ['time'],
    ['set', text, '1', 'PX', 10_000],
    ['get', text],
    ['incr', text],
    ['hset', hash, 'field', '1'],
    ['hget', hash, 'field'],
    ['hmget', hash, 'field'],
    ['hgetall', hash],
    ['hlen', hash],
    ['hdel', hash, 'another'],
    ['zadd', set, 0, 'member'],
    ['zrem', set, 'another'],
    ['zrangebylex', set, '-', '+'],
    ['xadd', stream, '*', 'field', '1'],
    ['xrange', stream, '-', '+', 'COUNT', 1],
    ['xrevrange', stream, '+', '-', 'COUNT', 1],
    ['xtrim', stream, 'MINID', 0],
    ['exists', hash],
    ['pttl', hash],
    ['persist', hash],
    ...expiring,
    ['publish', PROBE_CHANNEL, ''],
    ['unlink', stream, hash, set, text],
  ];
}

/** What Redis said: errors of the connection have it as their cause. */
function saidOf(error: unknown): string {
  return error instanceof TailraceError ? String(error.cause) : String(error);
}
