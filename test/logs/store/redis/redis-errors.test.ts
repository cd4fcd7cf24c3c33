/** Errors of Redis are one sentence each, with what to do. */

import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { TailraceError } from '../../../../src/common/errors.ts';
import { streamKeys } from '../../../../src/logs/store/redis/keys.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { freePort } from '../../../support/free-port.ts';
import { hasRedis } from '../../../support/redis/redis-server.ts';
import { until } from '../../../support/until.ts';
import { AOF_ALWAYS, openRedisStoreForTest, startRedisForTest } from './harness.ts';

async function refusalOf(action: Promise<unknown>): Promise<TailraceError> {
  const error = await action.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof TailraceError) return error;
  throw new Error(`this was no refusal: ${String(error)}`);
}

describe.runIf(hasRedis)('a Redis', () => {
  it('that is out of memory rejects lines, and accepts them again when there is space', async () => {
    const server = await startRedisForTest({ config: ['maxmemory 4mb', 'maxmemory-policy noeviction'] });
    const { store } = await openRedisStoreForTest(server.url);
    const app = newAppId();
    let taken = 0;
    const refusal = await until('Redis is full', async () => {
      const random = Array.from({ length: 20 }, (_, i) =>
        `${taken + i} `.padEnd(4_000, String(Math.random())),
      );
      const error = await store.append(app, batchOf(...random)).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) taken += 20;
      return error as TailraceError | undefined;
    });
    expect(refusal).toMatchObject({ code: 'store_full', status: 503 });
    expect(refusal.message).toMatch(/out of memory.*maxmemory/);
    expect(await store.bounds(app)).toMatchObject({ first: 1, last: taken });
    await server.command('config', 'set', 'maxmemory', 1_000_000);
    expect((await refusalOf(store.transact('scope', [{ key: 'a', value: 1 }]))).code).toBe('store_full');
    await server.command('config', 'set', 'maxmemory', 0);
    expect((await store.append(app, batchOf('room'))).first).toBe(taken + 1);
    expect(linesOf(await store.read(app, taken, 1))).toEqual(['room']);
  });

  it('that is a read-only replica is an error that names the master or the Sentinels', async () => {
    const master = await startRedisForTest();
    const replica = await startRedisForTest({ config: [`replicaof 127.0.0.1 ${master.port}`] });
    await openRedisStoreForTest(master.url);
    await until('the replica is in sync', async () =>
      String(await replica.command('info', 'replication')).includes('master_link_status:up'),
    );
    const refusal = await refusalOf(openRedisStoreForTest(replica.url));
    expect(refusal.message).toMatch(/read-only replica: point REDIS_URL at the master/);
  });

  it('that wants a password is an error, and so is a wrong one', async () => {
    const server = await startRedisForTest({ password: 'right' });
    const missing = await refusalOf(openRedisStoreForTest(server.url));
    expect(missing).toMatchObject({ code: 'settings' });
    expect(missing.message).toContain('asks for a password');
    const wrong = await refusalOf(openRedisStoreForTest(`redis://:wrong@127.0.0.1:${server.port}`));
    expect(wrong).toMatchObject({ code: 'settings' });
    expect(wrong.message).toContain('refuses the user name or password');
    expect(wrong.message).not.toContain('wrong@');
    await openRedisStoreForTest(`redis://:right@127.0.0.1:${server.port}`);
  });

  it('that reports an error is quoted without what was sent: that may be secret', async () => {
    const server = await startRedisForTest({ password: 'right' });
    const { store, warnings } = await openRedisStoreForTest(`redis://:right@127.0.0.1:${server.port}`);
    await server.command('acl', 'setuser', 'default', '-evalsha', '-eval');
    const refusal = await refusalOf(store.transact('scope', [{ key: 'drain/1', value: 'https://u:hush@h' }]));
    const wrong = await refusalOf(openRedisStoreForTest(`redis://:hush@127.0.0.1:${server.port}`));
    for (const error of [refusal, wrong])
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('hush');
    expect(warnings.join()).not.toContain('hush');
  });

  it('that doesn’t answer is named in the error', async () => {
    const port = await freePort();
    const refusal = await refusalOf(
      openRedisStoreForTest(`redis://:hush@127.0.0.1:${port}`, { openMs: 200 }),
    );
    expect(refusal.message).toContain(
      `Redis at redis://127.0.0.1:${port} doesn't answer (connect ECONNREFUSED 127.0.0.1:${port}): start it, or correct its address.`,
    );
    expect(refusal.code).toBe('unavailable');
  });

  it('that loads its data from disk is waited for, with a warning', async () => {
    const server = await startRedisForTest({ config: ['dbfilename dump.rdb'] });
    const script = "for i = 1, 1500 do redis.call('SET', 'key' .. i, string.rep('x', 1000)) end";
    await server.command('eval', script, 0);
    await server.command('save');
    await server.signal('SIGKILL');
    // Microseconds a key: a second and a half.
    server.addConfig('key-load-delay 1000', 'loading-process-events-interval-bytes 1024');
    await server.start();
    const refusal = await refusalOf(openRedisStoreForTest(server.url, { openMs: 300 }));
    expect(refusal.message).toMatch(/loading its data from disk/);
    const { store } = await openRedisStoreForTest(server.url, { openMs: 30_000 });
    expect((await store.append(newAppId(), batchOf('loaded'))).first).toBe(1);
  });

  it('that has thrown away some of a stream’s keys takes lines, and gives what is left', async () => {
    const server = await startRedisForTest();
    const { store } = await openRedisStoreForTest(server.url);
    const cases = [
      { lost: ['state'], first: 1, kept: ['1', '2', '3', '4'] },
      { lost: ['state', 'index'], first: 4, kept: ['1', '2', '3', '4'] },
      { lost: ['index'], first: 4, kept: ['1', '2', '3', '4'] },
      { lost: ['lines'], first: 1, kept: ['4'] },
    ] as const;
    const streams = cases.map((one) => ({ ...one, app: newAppId() }));
    const sinceMs = Date.now();
    const emptied = newAppId();
    for (const app of [...streams.map((one) => one.app), emptied])
      for (const line of ['1', '2', '3']) await store.append(app, batchOf(line));
    const before = await store.bounds(streams[0].app);
    await store.close();
    for (const { app, lost } of streams)
      await server.command('del', ...lost.map((key) => streamKeys(app)[key]));
    await server.command('xtrim', streamKeys(emptied).index, 'MAXLEN', '0');
    await server.command('del', streamKeys(emptied).state);
    // One that has never seen them.
    const { store: other } = await openRedisStoreForTest(server.url);
    expect(await other.bounds(streams[0].app)).toEqual(before);
    expect(await other.sequenceAt(streams[0].app, sinceMs)).toBe(0);
    expect(await other.sequenceAt(streams[0].app, Date.now() + 60_000)).toBe(3);
    expect(await other.bounds(emptied)).toMatchObject({ first: 1, last: 0 });
    expect(await other.sequenceAt(emptied, sinceMs)).toBe(0);
    expect((await other.append(emptied, batchOf('4'))).first).toBe(4);
    for (const { app, first, kept } of streams) {
      expect((await other.append(app, batchOf('4'))).first).toBe(4);
      expect(await other.bounds(app)).toMatchObject({ first, last: 4 });
      expect(linesOf(await other.read(app, 0, 1e6))).toEqual(kept);
      expect(linesOf(await other.readBefore(app, 5, 1e6)).length).toBeGreaterThan(0);
    }
  });

  it('that may evict data is warned of', async () => {
    const evicting = await startRedisForTest({ config: ['maxmemory 100mb', 'maxmemory-policy allkeys-lru'] });
    expect((await openRedisStoreForTest(evicting.url)).warnings).toEqual([
      expect.stringMatching(/maxmemory-policy allkeys-lru: .* Set it to noeviction/),
      expect.stringMatching(/in memory only.*appendonly yes/),
    ]);
    const careful = await startRedisForTest({ config: AOF_ALWAYS });
    expect((await openRedisStoreForTest(careful.url)).warnings).toEqual([]);
  });
});
