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

  it('aren’t held up by one with a key of another kind, which is told, and go on when it is gone', async () => {
    const server = await startRedisForTest();
    const { store } = await openRedisStoreForTest(server.url);
    const apps = Array.from({ length: 30 }, newAppId);
    const wrong = { 0: 'state', 7: 'index', 12: 'lines', 29: 'state' } as const;
    const broken = Object.keys(wrong).map(Number) as (keyof typeof wrong)[];
    const keyOf = (i: keyof typeof wrong) => streamKeys(apps[i])[wrong[i]];
    for (const i of broken) {
      await store.append(apps[i], batchOf('before'));
      await server.command('set', keyOf(i), 'another kind');
    }
    // Again and again, as lines of syslog are tried.
    for (let attempt = 1; attempt <= 3; attempt++) {
      const results = await Promise.allSettled(apps.map((app) => store.append(app, batchOf('a line'))));
      expect(results.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual(broken);
      for (const i of broken) {
        const { reason } = results[i] as PromiseRejectedResult;
        expect(reason).toMatchObject({ code: 'unavailable' });
        expect(reason.message).toMatch(new RegExp(`^In Redis ${keyOf(i)} is of another kind .*RENAME it`));
        expect(reason).not.toBeInstanceOf(UnansweredAppend);
      }
    }
    await server.command('unlink', ...broken.map(keyOf));
    const sequences = await Promise.all(broken.map((i) => store.append(apps[i], batchOf('behind it'))));
    // Of the one whose batches were gone the header was there, of a batch that wasn't the same: a gap, which readers count.
    expect(sequences.map(({ first }) => first)).toEqual([2, 2, 3, 2]);
    const kept = await Promise.all(broken.map(async (i) => linesOf(await readAll(store, apps[i]))));
    expect(kept).toEqual([
      ['before', 'behind it'],
      ['before', 'behind it'],
      ['behind it'],
      ['before', 'behind it'],
    ]);
    for (const i of broken) await store.append(apps[i], batchOf('and on'));
  });

  it('go on where a version before has left a batch without its header', async () => {
    const server = await startRedisForTest();
    const { store } = await openRedisStoreForTest(server.url);
    const app = newAppId();
    await store.append(app, batchOf('before'));
    const keys = streamKeys(app);
    await server.command(
      'eval',
      "redis.call('XADD', KEYS[1], '2-0', redis.call('XRANGE', KEYS[1], '-', '+')[1][2][1], '')",
      1,
      keys.lines,
    );
    expect(await store.append(app, batchOf('behind'))).toMatchObject({ first: 3, last: 3 });
    expect(await store.append(app, batchOf('and on'))).toMatchObject({ first: 4 });
    expect((await store.bounds(app)).last).toBe(4);
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
