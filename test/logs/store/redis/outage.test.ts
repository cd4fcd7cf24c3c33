/** Redis becomes unavailable and available again: nothing that was acknowledged is lost, and everything goes on by itself. */
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AppId, Store } from '../../../../src/logs/store/contract.ts';
import { COMMAND_TIMEOUT_MS } from '../../../../src/logs/store/redis/connection/clients.ts';
import { appendChannel, streamKeys } from '../../../../src/logs/store/redis/keys.ts';
import { StreamReaders } from '../../../../src/logs/store/stream-reader.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { RedisSentinels } from '../../../support/redis/redis-deployments.ts';
import { hasRedis } from '../../../support/redis/redis-server.ts';
import { until } from '../../../support/until.ts';
import { readAll } from '../conformance/streams.ts';
import {
  AOF_ALWAYS,
  callAppendScript,
  openRedisStoreForTest,
  RetryingAppender,
  startRedisForTest,
} from './harness.ts';

/** Everything that was acknowledged is stored, with the sequences that the append gave, and in the order of the appends. */
async function expectKept(
  store: Store,
  app: AppId,
  { acknowledged: taken }: RetryingAppender,
): Promise<void> {
  const held = await readAll(store, app);
  const at = new Map(held.flatMap((batch) => linesOf([batch]).map((text, i) => [batch.first + i, text])));
  for (const { text, first } of taken) expect(at.get(first)).toBe(text);
  const sequences = taken.map(({ first }) => first);
  expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
  // However often an append failed: its lines are stored once.
  const texts = held.flatMap((batch) => linesOf([batch]));
  expect(texts).toEqual([...new Set(texts)]);
}

/** Follows a stream through a shared reader, as tails and drains do. */
function follow(store: Store, app: AppId): { newest: () => number; close: () => void } {
  const { reader, close } = new StreamReaders(store).open(app);
  return { newest: () => reader.newest, close };
}

/** Lines are appended by one router and followed by another: resolves when more than `count` were acknowledged. */
async function produceAndFollow(url: string, count: number) {
  const { store } = await openRedisStoreForTest(url);
  const { store: other } = await openRedisStoreForTest(url);
  const app = newAppId();
  const tail = follow(other, app);
  const producer = new RetryingAppender(store, app);
  await until('some lines', () => producer.acknowledged.length > count);
  return { store, app, tail, producer };
}

describe.runIf(hasRedis)('when Redis', () => {
  it('is killed and restarted during appends, what was acknowledged is stored', async () => {
    const server = await startRedisForTest({ config: AOF_ALWAYS });
    const { store, warnings } = await openRedisStoreForTest(server.url);
    const app = newAppId();
    const tail = follow(store, app);
    const producer = new RetryingAppender(store, app);
    for (let round = 0; round < 3; round++) {
      const before = producer.acknowledged.length;
      await until('some lines', () => producer.acknowledged.length > before + 50);
      const failures = producer.failures.length;
      await server.signal('SIGKILL');
      await until('an append is refused', () => producer.failures.length > failures);
      await server.start();
    }
    const before = producer.acknowledged.length;
    await until('lines are taken again', () => producer.acknowledged.length > before + 50);
    await producer.stop();
    await expectKept(store, app, producer);
    // Not as long as a command waits for its reply.
    expect(producer.usualRefusalMs).toBeLessThan(COMMAND_TIMEOUT_MS - 1_000);
    const { last } = await store.bounds(app);
    await until('the reader has caught up', () => tail.newest() === last);
    expect(warnings.some((text) => text.includes('connection to Redis is lost'))).toBe(true);
    expect(warnings.some((text) => text.includes('answers again'))).toBe(true);
    tail.close();
  });

  it('hangs, appends fail in bounded time, and succeed when it goes on', async () => {
    const server = await startRedisForTest({ config: AOF_ALWAYS });
    const { store } = await openRedisStoreForTest(server.url);
    const app = newAppId();
    const producer = new RetryingAppender(store, app);
    await until('some lines', () => producer.acknowledged.length > 10);
    await server.signal('SIGSTOP');
    await until('an append is refused', () => producer.failures.length > 0);
    await server.signal('SIGCONT');
    const before = producer.acknowledged.length;
    await until('lines are taken again', () => producer.acknowledged.length > before + 10);
    await producer.stop();
    await expectKept(store, app, producer);
  });

  it('hangs, many calls that wait for it at once add no listeners without end', async () => {
    const server = await startRedisForTest();
    const { store } = await openRedisStoreForTest(server.url);
    const warnings: Error[] = [];
    const collect = (warning: Error): void => void warnings.push(warning);
    process.on('warning', collect);
    onTestFinished(() => void process.off('warning', collect));
    await server.signal('SIGSTOP');
    const calls = Array.from({ length: 50 }, () => store.get('', 'key').catch((error: unknown) => error));
    for (const outcome of await Promise.all(calls)) expect(outcome).toMatchObject({ code: 'unavailable' });
    await server.signal('SIGCONT');
    await until('Redis to answer again', () =>
      store.get('', 'key').then(
        () => true,
        () => false,
      ),
    );
    expect(warnings).toEqual([]);
  });

  it('loses the pub/sub connection, lines come all the same', async () => {
    const server = await startRedisForTest();
    const [{ store: here }, { store: there }] = [
      await openRedisStoreForTest(server.url),
      await openRedisStoreForTest(server.url),
    ];
    const app = newAppId();
    const tail = follow(here, app);
    for (let i = 1; i <= 5; i++) {
      await server.command('client', 'kill', 'type', 'pubsub');
      await there.append(app, batchOf(`${i}`));
      await until(`line ${i}`, () => tail.newest() === i);
    }
    tail.close();
  });

  it('loses every notification, lines come all the same', async () => {
    const server = await startRedisForTest();
    const { store } = await openRedisStoreForTest(server.url);
    const app = newAppId();
    const tail = follow(store, app);
    for (let i = 1; i <= 5; i++) {
      const call = { origin: 'somebody', number: i, deadline: Number.MAX_SAFE_INTEGER };
      await callAppendScript(server, [[app, [`${i}`]]], call);
      await until(`line ${i}`, () => tail.newest() === i);
    }
    expect(linesOf(await store.read(app, 0, 1e6))).toEqual(['1', '2', '3', '4', '5']);
    tail.close();
  });

  it('fails over to a replica, everything goes on there', async () => {
    const sentinels = await RedisSentinels.start(AOF_ALWAYS);
    try {
      const { store, app, tail, producer } = await produceAndFollow(sentinels.url, 100);
      const master = await sentinels.master();
      await master.signal('SIGKILL');
      await until('another master', async () => (await sentinels.master()) !== master);
      const before = producer.acknowledged.length;
      await until('lines are taken again', () => producer.acknowledged.length > before + 100);
      await producer.stop();
      // Replication is asynchronous: of the lines before the failover the last ones may be gone. No sequence comes twice.
      const sequences = producer.acknowledged.map(({ first }) => first);
      expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
      const { last } = await store.bounds(app);
      expect(last).toBe(sequences.at(-1));
      const texts = linesOf(await readAll(store, app));
      expect(texts).toEqual([...new Set(texts)]);
      await until('the reader of another router has caught up', () => tail.newest() === last);
      tail.close();
    } finally {
      await sentinels.remove();
    }
  });

  it('fails over while a Sentinel hangs, everything goes on there', async () => {
    const sentinels = await RedisSentinels.start();
    try {
      const { store, app, tail, producer } = await produceAndFollow(sentinels.url, 10);
      // The one that is queried first: the others notify of the failover while its reply is awaited.
      const [hanging, awake] = sentinels.sentinels;
      const master = await sentinels.master(awake);
      await hanging.signal('SIGSTOP');
      await master.signal('SIGKILL');
      await until('another master', async () => (await sentinels.master(awake)) !== master);
      const before = producer.acknowledged.length;
      await until('lines are taken again', () => producer.acknowledged.length > before + 10);
      await producer.stop();
      // The connection may break once more when the other Sentinels have agreed.
      const { last } = await until('the bounds', () => store.bounds(app).catch(() => undefined));
      const texts = linesOf(await readAll(store, app));
      expect(texts).toEqual([...new Set(texts)]);
      await until('the reader of another router has caught up', () => tail.newest() === last);
      await hanging.signal('SIGCONT');
      tail.close();
    } finally {
      await sentinels.remove();
    }
  });

  it('has lost an append that the others had heard of before its reply came, its numbers aren’t given anew', async () => {
    const server = await startRedisForTest();
    const { store } = await openRedisStoreForTest(server.url);
    const app = newAppId();
    const tail = follow(store, app);
    const channel = appendChannel(app);
    const listener = new Redis(server.port);
    onTestFinished(() => listener.disconnect());
    const messages: string[] = [];
    listener.on('message', (_channel, message) => messages.push(message));
    await listener.subscribe(channel);
    await store.append(app, batchOf('1'));
    const [origin] = (await until('the notification', () => messages[0])).split(' ');
    await until('the reader to have caught up', () => tail.newest() === 1);
    // What is told of an append whose lines and whose reply are lost.
    await server.command('publish', channel, `${origin} 8`);
    await until('new numbers', async () => (await store.append(app, batchOf('x'))).first > 8);
    expect((await store.read(app, 1, 1e6)).filter(({ first }) => first > 2 && first <= 8)).toEqual([]);
    tail.close();
  });

  it('has lost the end of a stream, new lines get new sequences and readers see the gap', async () => {
    const server = await startRedisForTest();
    const [{ store: here }, { store: there }] = [
      await openRedisStoreForTest(server.url),
      await openRedisStoreForTest(server.url),
    ];
    const app = newAppId();
    const tail = follow(here, app);
    for (let i = 1; i <= 10; i++) await there.append(app, batchOf(`${i}`));
    await until('all are seen', () => tail.newest() === 10);
    // As after a failover to a replica that had the first six.
    const { lines, index, state } = streamKeys(app);
    for (let i = 7; i <= 10; i++)
      for (const key of [lines, index]) await server.command('xdel', key, `${i}-0`);
    await server.command('hset', state, 'next', 7);
    const { store: third } = await openRedisStoreForTest(server.url);
    await until('the next sequence is raised by a router that saw more', async () => {
      return Number(await server.command('hget', state, 'next')) === 11;
    });
    await third.append(app, batchOf('11'));
    await until('the new line is seen', () => tail.newest() === 11);
    expect((await here.read(app, 6, 1e6)).map(({ first }) => first)).toEqual([11]);
    expect(await server.command('pttl', state)).toBe(-1);
    tail.close();
    // A router that appended knows its own sequences, also without subscribers.
    const unread = newAppId();
    await there.append(unread, batchOf('1', '2', '3'));
    const keys = streamKeys(unread);
    await server.command('del', keys.lines, keys.index, keys.state);
    // What others raise of a removed stream expires, and stays once something is appended.
    await server.command('hset', keys.state, 'next', 2);
    await server.command('pexpire', keys.state, 1_000_000);
    expect(await there.append(unread, batchOf('4'))).toMatchObject({ first: 4, last: 4 });
    expect(await there.bounds(unread)).toMatchObject({ first: 4, last: 4 });
    expect(await server.command('pttl', keys.state)).toBe(-1);
  });
});
