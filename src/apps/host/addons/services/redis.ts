import { findProgram } from '../local/find-program.ts';
import type { ProcessService } from '../local/local-service.ts';

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
      `requirepass ${password}`,
      ...(plan.memoryMb === undefined ? [] : [`maxmemory ${plan.memoryMb}mb`, 'maxmemory-policy noeviction']),
      ...(plan.connections === undefined ? [] : [`maxclients ${plan.connections}`]),
      '',
    ].join('\n'),
  }),
  command: () => 'exec redis-server redis.conf',
  // With the name of its only user: an empty one is sent as a name by redis-cli.
  facts: ({ port, password }) => ({ url: `redis://default:${password}@localhost:${port}` }),
};
