import { TailraceError } from '../../../../common/errors.ts';
import { askService } from '../local/ask-service.ts';
import { findProgram, programWord } from '../local/find-program.ts';
import type { LocalInstance, ProcessService } from '../local/local-service.ts';
import { machineSamples } from '../local/machine-samples.ts';
import { hitRate } from './hit-rate.ts';
import { readRedisLines } from './lines/redis-lines.ts';

export const redisService: ProcessService = {
  kind: 'process',
  service: 'heroku-redis',
  missing: () =>
    findProgram('redis-server')
      ? undefined
      : 'redis-server is not installed on the server: apt-get install redis-server (or the package redis of your system).',
  files: ({ port, password, plan }) => ({
    'redis.conf': [
      `port ${port}`,
      // Where there is no IPv6, it is left out.
      'bind 127.0.0.1 -::1',
      'appendonly yes',
      // An answer says that it is on the disk: with `everysec` it may still be in the process, which can be killed.
      'appendfsync always',
      // What a kill cut off was never confirmed.
      'aof-load-truncated yes',
      // The append-only file is all that is needed; without room for a snapshot Redis would refuse writes.
      'save ""',
      `requirepass ${password}`,
      ...(plan.memoryMb === undefined ? [] : [`maxmemory ${plan.memoryMb}mb`, 'maxmemory-policy noeviction']),
      ...(plan.connections === undefined ? [] : [`maxclients ${plan.connections}`]),
      '',
    ].join('\n'),
  }),
  command: () => `exec ${programWord('redis-server')} redis.conf`,
  // With the name of its only user: an empty one is sent as a name by redis-cli.
  facts: ({ port, password }) => ({ url: `redis://default:${password}@localhost:${port}` }),
  async info(instance) {
    const facts = await askRedis(instance);
    return [
      { name: 'Plan', values: [instance.plan.description] },
      { name: 'Status', values: ['available'] },
      { name: 'Version', values: [facts.redis_version ?? '?'] },
      { name: 'Connections', values: [`${facts.connected_clients}/${facts.maxclients}`] },
      { name: 'Memory', values: [facts.used_memory_human ?? '?'] },
      { name: 'Maxmemory', values: [facts.maxmemory_policy ?? '?'] },
    ];
  },
  async checkPlan(instance, plan) {
    const limitMb = plan.memoryMb ?? Number.POSITIVE_INFINITY;
    if (limitMb >= (instance.plan.memoryMb ?? Number.POSITIVE_INFINITY)) return;
    const usedMb = Number((await askRedis(instance)).used_memory) / 1_048_576;
    if (usedMb < limitMb) return;
    throw new TailraceError(
      'invalid_params',
      `${instance.name} holds ${Math.ceil(usedMb)} MB, and with ${plan.name} (${plan.description}) it would refuse every write: make it smaller first, or choose a larger plan.`,
    );
  },
  async samples(instance) {
    const facts = await askRedis(instance);
    return {
      // Its own isn't one of the app's.
      'active-connections': Number(facts.connected_clients) - 1,
      'max-connections': facts.maxclients,
      ...machineSamples(instance.folder),
      'memory-redis': `${facts.used_memory}bytes`,
      'hit-rate': hitRate(facts.keyspace_hits, facts.keyspace_misses),
      'evicted-keys': facts.evicted_keys,
    };
  },
  readLines: readRedisLines,
};

/** The answer to INFO, by name. @throws TailraceError */
function askRedis({ port, password, name }: LocalInstance): Promise<Record<string, string>> {
  return askService(name, async (late) => {
    const { Redis } = await import('ioredis');
    const client = new Redis({
      host: '127.0.0.1',
      port,
      password,
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
    });
    // Errors of its connection are those of the command.
    client.on('error', () => undefined);
    late.addEventListener('abort', () => client.disconnect());
    try {
      await client.connect();
      const lines = (await client.info()).split('\r\n').filter((line) => line.includes(':'));
      return Object.fromEntries(lines.map((line) => line.split(/:(.*)/s).slice(0, 2)));
    } finally {
      client.disconnect();
    }
  });
}
