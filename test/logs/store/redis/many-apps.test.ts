/** Appends of many apps at once share calls of Redis; what happens to one of them happens to no other. */
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AppId, Store } from '../../../../src/logs/store/contract.ts';
import { recordKeys, streamKeys } from '../../../../src/logs/store/redis/keys.ts';
import { UnansweredAppend } from '../../../../src/logs/store/unanswered-append.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { RedisProxy } from '../../../support/redis/redis-proxy.ts';
import { hasRedis, type RedisServer } from '../../../support/redis/redis-server.ts';
import { until } from '../../../support/until.ts';
import { readAll } from '../conformance/streams.ts';
import { callAppendScript, openRedisStoreForTest, startRedisForTest } from './harness.ts';

const APPS = 700;

async function scriptCalls(server: RedisServer): Promise<number> {
  const client = new Redis(server.port);
  const info = await client.info('commandstats');
  client.disconnect();
  return ['eval', 'evalsha'].reduce(
    (sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0),
    0,
  );
}

async function expectLines(store: Store, apps: readonly AppId[], lines: (i: number) => string[]) {
  const stored = await Promise.all(apps.map(async (app) => linesOf(await readAll(store, app))));
  expect(stored).toEqual(apps.map((_, i) => lines(i)));
}

describe.runIf(hasRedis)('many apps at once', () => {
  it('share calls, get sequences of their own, and readers are notified of theirs', async () => {
    const server = await startRedisForTest();
    const { store } = await openRedisStoreForTest(server.url);
    const { store: other } = await openRedisStoreForTest(server.url);
    const apps = Array.from({ length: APPS }, newAppId);
    const grown = new Map<AppId, number>();
    for (const app of apps.slice(0, 20))
      other.subscribe(app, () => grown.set(app, (grown.get(app) ?? 0) + 1));
    await store.append(newAppId(), batchOf('the first call knows the clock'));
    const before = await scriptCalls(server);
    for (let round = 0; round < 2; round++) {
      const results = await Promise.all(
        apps.map((app, i) =>
          i % 3 === 0
            ? store.append(app, batchOf(`${round} of ${i}`), { frameId: `frame ä ${round}` })
            : store.append(app, batchOf(`${round} of ${i}`)),
        ),
      );
      expect(new Set(results.map(({ first }) => first))).toEqual(new Set([round + 1]));
    }
    expect((await scriptCalls(server)) - before).toBeLessThan(APPS / 4);
    await until('readers are notified', () => grown.size === 20);
    const again = await Promise.all(
      apps.map((app) => store.append(app, batchOf('again'), { frameId: 'frame ä 1' })),
    );
    expect(again.map(({ duplicate }) => duplicate)).toEqual(apps.map((_, i) => i % 3 === 0));
    await expectLines(store, apps, (i) => [`0 of ${i}`, `1 of ${i}`, ...(i % 3 === 0 ? [] : ['again'])]);
  });

  it('aren’t held up by one whose stream can’t be written to', async () => {
    const server = await startRedisForTest();
    const { store } = await openRedisStoreForTest(server.url);
    const apps = Array.from({ length: 30 }, newAppId);
    for (const broken of [apps[0], apps[7], apps[29]])
      await server.command('set', streamKeys(broken).state, 'no hash');
    const results = await Promise.allSettled(apps.map((app) => store.append(app, batchOf('a line'))));
    const broken = [0, 7, 29];
    expect(results.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual(broken);
    for (const i of broken) {
      const { reason } = results[i] as PromiseRejectedResult;
      expect(String(reason)).toMatch(/refuses a command: .*WRONGTYPE/);
      expect(reason).not.toBeInstanceOf(UnansweredAppend);
    }
    await server.command('unlink', ...broken.map((i) => streamKeys(apps[i]).state));
    for (const i of broken) await store.append(apps[i], batchOf('a line'));
    await expectLines(store, apps, () => ['a line']);
  });

  it('are all stored once when the answer to a call is lost', async () => {
    const server = await startRedisForTest();
    const proxy = await RedisProxy.start(server.port);
    onTestFinished(() => proxy.close());
    const { store } = await openRedisStoreForTest(proxy.url);
    const apps = Array.from({ length: 50 }, newAppId);
    await Promise.all(apps.map((app) => store.append(app, batchOf('before'))));
    const lost = proxy.loseAnswerTo('lost 40');
    const batches = apps.map((_, i) => batchOf(`lost ${i}`));
    const errors = await Promise.all(
      apps.map((app, i) =>
        store.append(app, batches[i]).then(
          () => undefined,
          (error: unknown) => error,
        ),
      ),
    );
    await lost;
    expect(errors[40]).toBeInstanceOf(UnansweredAppend);
    // Those whose lines are stored are told so, and appended again they aren't stored twice.
    for (const [i, app] of apps.entries()) {
      if (errors[i] === undefined) continue;
      await until('it is taken', () =>
        store.append(app, batches[i]).then(
          () => true,
          () => false,
        ),
      );
      if (errors[i] instanceof UnansweredAppend) expect(await errors[i].stored).toBe(true);
    }
    await Promise.all(apps.map((app) => store.append(app, batchOf('behind'))));
    await expectLines(store, apps, (i) => ['before', `lost ${i}`, 'behind']);
  });

  it('have names of their own in one call: what was stored before is told again, and the rest isn’t given up for it', async () => {
    const server = await startRedisForTest();
    const [one, two, three] = [newAppId(), newAppId(), newAppId()];
    const call = { origin: 'router', number: 1, deadline: Number.MAX_SAFE_INTEGER };
    const [, at] = await callAppendScript(server, [[one, ['a', 'b']]], call);
    const asked = await callAppendScript(server, [[three, ['never']]], { ...call, deadline: '-' });
    expect(asked).toEqual([expect.any(Number), 0]);
    const answer = await callAppendScript(
      server,
      [
        [one, ['a', 'b']],
        [two, ['c']],
        [three, ['never']],
        [newAppId(), ['d']],
      ],
      call,
    );
    expect(answer.slice(1)).toEqual([at, 1, 0, 2, 0, expect.any(Number), 1, 0, 0, expect.any(Number), 1, 0]);
  });

  it('have records that are found by app, also those that routers of earlier versions made and removed', async () => {
    const server = await startRedisForTest();
    const client = new Redis(server.port);
    onTestFinished(() => client.disconnect());
    const { values, keys, revision } = recordKeys('');
    const [one, two] = [newAppId(), newAppId()];
    // As an earlier version does it: without an index.
    const write = async (key: string, value: unknown): Promise<void> => {
      if (value === undefined) await client.multi().hdel(values, key).zrem(keys, key).incr(revision).exec();
      else
        await client
          .multi()
          .hset(values, key, `1:${JSON.stringify(value)}`)
          .zadd(keys, 0, key)
          .incr(revision)
          .exec();
    };
    const textsOf = async (store: Store, app: AppId): Promise<unknown[]> =>
      (await store.listOfApp(app, 'token/')).map(({ key }) => key.slice('token/'.length));
    for (let i = 0; i < 1_200; i++) await write(`token/${i}`, { app: i % 400 ? two : one, text: '\ud800' });
    const { store } = await openRedisStoreForTest(server.url);
    const { store: other } = await openRedisStoreForTest(server.url);
    expect(await textsOf(store, one)).toEqual(['0', '400', '800']);
    await other.transact('', [{ key: 'token/a', value: { app: one } }]);
    expect(await textsOf(store, one)).toEqual(['0', '400', '800', 'a']);
    await write('token/b', { app: one });
    await store.transact('', [{ key: 'token/c', value: { app: one } }]);
    await write('token/400', undefined);
    expect(await textsOf(other, one)).toEqual(['0', '800', 'a', 'b', 'c']);
    expect(await store.listOfApp(two, 'token/')).toHaveLength(1_197);
  });
});
