import { describe, expect, it } from 'vitest';
import { checkStoreStatus } from '../../../../src/cli/doctor/store.ts';
import type { StoreStatus } from '../../../../src/logs/store/contract.ts';
import { redisError } from '../../../../src/logs/store/redis/connection/redis-errors.ts';
import {
  assertSupportedVersion,
  parseServerInfo,
  type RedisServerInfo,
  serverWarnings,
} from '../../../../src/logs/store/redis/connection/server-check.ts';

describe('what INFO reports', () => {
  const facts: RedisServerInfo = {
    server: 'Redis',
    version: '7.0.15',
    mode: 'standalone',
    role: 'master',
    replicas: 1,
    usedBytes: 0,
    maxBytes: 0,
    policy: 'noeviction',
    append_only: false,
  };

  it('is an error when the version is too old', () => {
    expect(() => assertSupportedVersion({ ...facts, version: '6.0.16' })).toThrow('Redis 6.0.16 is too old');
    expect(() => assertSupportedVersion({ ...facts, version: '5.0.3' })).toThrow('too old');
    for (const version of ['6.2.0', '7.0.15', '8.2.1']) assertSupportedVersion({ ...facts, version });
    expect(serverWarnings(facts)).toEqual([]);
  });

  it('has the name and version of Redis or of Valkey', () => {
    const info = (...fields: string[]): string =>
      ['# Server', ...fields, 'redis_mode:standalone'].join('\r\n');
    expect(parseServerInfo(info('redis_version:8.2.1'))).toMatchObject({ server: 'Redis', version: '8.2.1' });
    const valkey = parseServerInfo(info('redis_version:7.2.4', 'server_name:valkey', 'valkey_version:9.0.0'));
    expect(valkey).toMatchObject({ server: 'Valkey', version: '9.0.0' });
    assertSupportedVersion({ ...valkey, version: '1.0.0' });
    const status: StoreStatus = { kind: 'redis', concerns: [], facts: { ...valkey, address: 'a:1' } };
    expect(checkStoreStatus(status)).toMatchObject([
      { level: 'ok', text: expect.stringMatching(/^Valkey 9\.0\.0 at a:1/) },
    ]);
  });

  it.each([
    [
      "OOM command not allowed when used memory > 'maxmemory'. script: 9a8f, on @user_script:70.",
      'store_full',
    ],
    ['ERR Error running script (call to f_1): @user_script:70: -OOM command not allowed', 'store_full'],
    ['MISCONF Redis is configured to save RDB snapshots', 'store_full'],
    ["READONLY You can't write against a read only replica.", 'unavailable'],
    ['LOADING Redis is loading the dataset in memory', 'unavailable'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'settings'],
    ['NOAUTH Authentication required.', 'settings'],
    ["NOPERM this user has no permissions to run the 'evalsha' command", 'settings'],
    ['CLUSTERDOWN Hash slot not served', 'unavailable'],
    ['NOREPLICAS Not enough good replicas to write.', 'unavailable'],
    ['All sentinels are unreachable and retry is disabled.', 'unavailable'],
    ['self-signed certificate', 'unavailable'],
    ['certificate has expired', 'unavailable'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'unavailable'],
    ['NOTREADY', 'unavailable'],
    ['Connection is closed.', 'unavailable'],
    ['ERR something new', 'unavailable'],
  ])('becomes one sentence: %s', (said, code) => {
    const error = redisError(new Error(said), 'redis://h:1', false);
    expect(error.code).toBe(code);
    expect(error.message.length).toBeGreaterThan(30);
    // What worked before doesn't end a server, and senders wait.
    const later = redisError(new Error(said), 'redis://h:1', true);
    expect(later.code).toBe(code === 'settings' ? 'unavailable' : code);
  });

  it.each([
    ['certificate has expired', /has expired: renew it/],
    ['certificate is not yet valid', /isn't valid yet by this machine's clock/],
    [
      'WRONGPASS invalid username-password pair or user is disabled.',
      /takes this password again.*ACL SETUSER/,
    ],
    ['WRONGTYPE tailrace:{1}:index', /^In Redis tailrace:\{1\}:index is of another kind/],
  ])('says what to do while it runs: %s', (said, text) => {
    expect(redisError(new Error(said), 'redis://h:1', true).message).toMatch(text);
  });
});
