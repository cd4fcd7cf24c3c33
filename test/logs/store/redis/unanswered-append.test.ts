/** Answers that never come: whatever happened to an append, its lines are stored once or not at all, and it is known which. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AppId, Store } from '../../../../src/logs/store/contract.ts';
import { streamKeys } from '../../../../src/logs/store/redis/keys.ts';
import { UnansweredAppend } from '../../../../src/logs/store/unanswered-append.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { RedisCluster } from '../../../support/redis/redis-deployments.ts';
import { RedisProxy } from '../../../support/redis/redis-proxy.ts';
import { hasRedis, type RedisServer } from '../../../support/redis/redis-server.ts';
import { until } from '../../../support/until.ts';
import { readAll } from '../conformance/streams.ts';
import { callAppendScript, openRedisStoreForTest, startRedisForTest } from './harness.ts';

/** A deadline that never comes. */
const NEVER = Number.MAX_SAFE_INTEGER;

async function errorOf(action: Promise<unknown>): Promise<unknown> {
  return action.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function storedLines(store: Store, app: AppId): Promise<string[]> {
  return linesOf(await readAll(store, app));
}

async function openBehindProxy(server: RedisServer) {
  const proxy = await RedisProxy.start(server.port);
  onTestFinished(() => proxy.close());
  const { store } = await openRedisStoreForTest(proxy.url);
  return { proxy, store };
}

/** Resolves when a store takes lines again. */
async function untilTaken(store: Store): Promise<void> {
  const app = newAppId();
  await until('lines are taken', () =>
    store.append(app, batchOf('a probe')).then(
      () => true,
      () => false,
    ),
  );
}

describe.runIf(hasRedis)('an append whose answer is lost', () => {
  it('is stored once when it is appended again, and others keep their order behind it', async () => {
    const server = await startRedisForTest();
    const { proxy, store } = await openBehindProxy(server);
    const app = newAppId();
    await store.append(app, batchOf('before'));
    for (let round = 1; round <= 3; round++) {
      const [batch, behind] = [batchOf(`lost ${round}`, 'second'), batchOf(`behind ${round}`)];
      const lost = proxy.loseAnswerTo(`lost ${round}`);
      const failed = errorOf(store.append(app, batch));
      await lost;
      const error = await failed;
      expect(error).toBeInstanceOf(UnansweredAppend);
      await until('lines are taken', () =>
        store.append(app, batch).then(
          () => true,
          () => false,
        ),
      );
      expect(await (error as UnansweredAppend).stored).toBe(true);
      await store.append(app, behind);
    }
    const expected = [1, 2, 3].flatMap((round) => [`lost ${round}`, 'second', `behind ${round}`]);
    expect(await storedLines(store, app)).toEqual(['before', ...expected]);
  });

  it('gives the same result when it is appended again, with those that were queued with it', async () => {
    const server = await startRedisForTest();
    const { proxy, store } = await openBehindProxy(server);
    const app = newAppId();
    const batches = ['one', 'two', 'three'].map((text) => batchOf(`lost ${text}`, text));
    const named = batchOf('named');
    await store.append(app, named, { frameId: 'a frame' });
    // What comes in the turn of an answer is one call.
    const lost = proxy.loseAnswerTo('lost two');
    const failed = [
      ...batches.map((batch) => errorOf(store.append(app, batch))),
      errorOf(store.append(app, batchOf('named again'), { frameId: 'a frame' })),
      errorOf(store.append(app, batchOf('named too'), { frameId: 'another frame' })),
    ];
    await lost;
    for (const error of await Promise.all(failed)) {
      expect(error).toBeInstanceOf(UnansweredAppend);
      expect(await (error as UnansweredAppend).stored).toBe(true);
    }
    const again = await Promise.all(batches.map((batch) => store.append(app, batch)));
    expect(again.map(({ first, last, duplicate }) => [first, last, duplicate])).toEqual([
      [2, 3, false],
      [4, 5, false],
      [6, 7, false],
    ]);
    expect(await store.append(app, batchOf('named too'), { frameId: 'another frame' })).toMatchObject({
      first: 8,
      duplicate: true,
    });
    expect((await store.bounds(app)).last).toBe(8);
  });

  it('is known to be stored without being appended again, and readers get it', async () => {
    const server = await startRedisForTest();
    const { proxy, store } = await openBehindProxy(server);
    const app = newAppId();
    await store.append(app, batchOf('before'));
    let grown = 0;
    store.subscribe(app, () => grown++);
    const lost = proxy.loseAnswerTo('nobody appends it again');
    const failed = errorOf(store.append(app, batchOf('nobody appends it again')));
    await lost;
    expect(await ((await failed) as UnansweredAppend).stored).toBe(true);
    await until('readers are notified', () => grown > 0);
    expect(await storedLines(store, app)).toEqual(['before', 'nobody appends it again']);
  });

  it('in a Cluster is stored once', async () => {
    const cluster = await RedisCluster.start();
    onTestFinished(() => cluster.remove());
    const { store } = await openRedisStoreForTest(cluster.url);
    const app = newAppId();
    const texts: string[] = [];
    let cutting = true;
    // The client sends a command again by itself when its connection breaks.
    const cut = (async () => {
      while (cutting)
        for (const server of cluster.servers) {
          await server.command('client', 'kill', 'type', 'normal');
          await new Promise(setImmediate);
        }
    })();
    for (let i = 0; i < 100; i++) {
      const batch = batchOf(`${i}`);
      await until('it is taken', () =>
        store.append(app, batch).then(
          () => true,
          () => false,
        ),
      );
      texts.push(`${i}`);
    }
    cutting = false;
    await cut;
    // The last cut may still break a read, which is not tried again by itself.
    const stored = await until('it can be read', () => storedLines(store, app).catch(() => undefined));
    expect(stored).toEqual(texts);
  });
});

describe.runIf(hasRedis)('an append to a Redis that hangs', () => {
  it('is never stored once it was refused', async () => {
    const server = await startRedisForTest();
    const { store } = await openRedisStoreForTest(server.url);
    const [app, silent] = [newAppId(), newAppId()];
    await store.append(app, batchOf('before'));
    await server.signal('SIGSTOP');
    const refused = ['on its way', 'queued', 'queued too'].map((text) => batchOf(text));
    const errors = await Promise.all(
      [
        ...refused.map((batch) => store.append(app, batch)),
        // Of an app from which nothing came before.
        store.append(silent, batchOf('refused')),
      ].map(errorOf),
    );
    expect(errors.every((error) => error instanceof Error)).toBe(true);
    const unanswered = errors.filter((error) => error instanceof UnansweredAppend);
    expect(unanswered).toHaveLength(2);
    await server.signal('SIGCONT');
    expect(await Promise.all(unanswered.map(({ stored }) => stored))).toEqual([false, false]);
    // What was sent then has been read from the connections by now.
    await untilTaken(store);
    expect(await storedLines(store, app)).toEqual(['before']);
    expect(await storedLines(store, silent)).toEqual([]);
    for (const batch of refused) await store.append(app, batch);
    expect(await storedLines(store, app)).toEqual(['before', 'on its way', 'queued', 'queued too']);
  });

  it('is not stored by what comes late over a network that held it up', async () => {
    const server = await startRedisForTest();
    const { proxy, store } = await openBehindProxy(server);
    const app = newAppId();
    await store.append(app, batchOf('before'));
    proxy.hold();
    const error = await errorOf(store.append(app, batchOf('held up')));
    expect(error).toBeInstanceOf(UnansweredAppend);
    proxy.release();
    expect(await (error as UnansweredAppend).stored).toBe(false);
    await untilTaken(store);
    expect(await storedLines(store, app)).toEqual(['before']);
  });
});

describe.runIf(hasRedis)('the name of an append', () => {
  function scriptOn(server: RedisServer, app: AppId) {
    return {
      state: streamKeys(app).state,
      run: (origin: string, number: number, deadline: number | '-', texts: readonly string[]) =>
        callAppendScript(server, [[app, texts]], { origin, number, deadline }) as Promise<number[]>,
    };
  }

  it('makes the same call the same lines, and one that was given up none', async () => {
    const server = await startRedisForTest();
    const { run } = scriptOn(server, newAppId());
    const [, at, ...answer] = await run('router', 1, NEVER, ['a', 'b']);
    expect(answer).toEqual([1, 0, 2, 0]);
    expect((await run('router', 1, NEVER, ['a', 'b'])).slice(1)).toEqual([at, 1, 0, 2, 0]);
    expect((await run('router', 1, '-', ['a', 'b'])).slice(1)).toEqual([at, 1, 0, 2, 0]);
    // Of another router it is another call.
    expect((await run('other', 1, NEVER, ['a'])).slice(2)).toEqual([3, 0]);
    // Never sent, asked about, and then it comes.
    expect(await run('router', 2, '-', ['late'])).toEqual([expect.any(Number), 0]);
    expect(await run('router', 2, NEVER, ['late'])).toEqual([expect.any(Number), 0]);
    expect(await run('router', 1, NEVER, ['a', 'b'])).toEqual([expect.any(Number), 0]);
    expect((await run('router', 3, NEVER, ['c'])).slice(2)).toEqual([4, 0]);
    // After its deadline.
    expect(await run('router', 4, at - 1, ['too late'])).toEqual([expect.any(Number)]);
    expect((await run('router', 5, at + 60_000, ['in time'])).slice(2)).toEqual([5, 0]);
  });

  it('takes bounded memory: of routers that have ended only so many are remembered', async () => {
    const server = await startRedisForTest();
    const { run, state } = scriptOn(server, newAppId());
    for (let i = 0; i < 260; i++) await run(`router-${i}`, 1, NEVER, ['a']);
    const fields = (await server.command('hkeys', state)) as string[];
    expect(fields.filter((name) => name.startsWith('p:')).length).toBeLessThanOrEqual(200);
    expect(fields).toContain('p:router-259');
    // Long ago.
    for (let i = 0; i < 260; i++) await server.command('hset', state, `p:router-${i}`, '1 1 1000');
    await run('new', 1, NEVER, ['a']);
    const left = (await server.command('hkeys', state)) as string[];
    expect(left.filter((name) => name.startsWith('p:'))).toEqual(['p:new']);
  });
});
