import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from '../../../../src/logs/store/redis/connection/redis-url.ts';

describe('REDIS_URL', () => {
  it('names a single server', () => {
    expect(parseRedisUrl('redis://localhost')).toMatchObject({
      kind: 'single',
      nodes: [{ host: 'localhost', port: 6379 }],
      database: 0,
      tls: false,
    });
    expect(parseRedisUrl('redis://10.0.0.1:7000/2')).toMatchObject({
      nodes: [{ host: '10.0.0.1', port: 7000 }],
      database: 2,
    });
    expect(parseRedisUrl('redis://[::1]:7000').nodes).toEqual([{ host: '::1', port: 7000 }]);
  });

  it('has a user and a password, encoded or not', () => {
    expect(parseRedisUrl('rediss://me:p%40ss@h:1')).toMatchObject({
      username: 'me',
      password: 'p@ss',
      tls: true,
    });
    expect(parseRedisUrl('redis://:secret@h')).toMatchObject({ username: undefined, password: 'secret' });
    expect(parseRedisUrl('redis://:a/b@c:d%@h:1').password).toBe('a/b@c:d%');
  });

  it('names a Cluster or Sentinels', () => {
    expect(parseRedisUrl('redis+cluster://a:1,b:2')).toMatchObject({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    });
    expect(parseRedisUrl('rediss+sentinel://u:p@a,b:2/logs/4')).toMatchObject({
      kind: 'sentinel',
      nodes: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 2 },
      ],
      master: 'logs',
      database: 4,
      tls: true,
    });
  });

  it('can be printed without its password', () => {
    for (const url of ['redis://u:hush@h:1/2', 'rediss+sentinel://:hush@a:1,b:2/logs'])
      expect(parseRedisUrl(url).text).not.toContain('hush');
    expect(parseRedisUrl('rediss+sentinel://:hush@a:1,b:2/logs').text).toBe('rediss+sentinel://a:1,b:2/logs');
  });

  it.each([
    ['http://h', 'it is no Redis URL'],
    ['redis://', 'it is no Redis URL'],
    ['redis://a:1,b:2', 'several hosts'],
    ['redis://a:99999', 'no host:port'],
    ['redis://a/first', 'no number of a database'],
    ['redis+sentinel://a:1', 'names no master'],
    ['redis+cluster://a:1/3', 'only database 0'],
  ])('is refused when it says %s', (url, why) => {
    expect(() => parseRedisUrl(url)).toThrow(why);
  });

  it('is refused without showing its password', () => {
    expect(() => parseRedisUrl('redis://u:hush@a:1,b:2')).toThrow(/^(?!.*hush)/);
  });
});
