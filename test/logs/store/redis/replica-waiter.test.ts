/** `REDIS_WAIT`: lines are acknowledged when so many replicas have them. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { TailraceError } from '../../../../src/common/errors.ts';
import type { Store } from '../../../../src/logs/store/contract.ts';
import { checkRedis } from '../../../../src/logs/store/redis/connection/redis-status.ts';
import { recordKeys, streamKeys } from '../../../../src/logs/store/redis/keys.ts';
import { type StreamReader, StreamReaders } from '../../../../src/logs/store/stream-reader.ts';
import type { Batch } from '../../../../src/logs/syslog/batch.ts';
import { forEachMatch } from '../../../../src/logs/tails/line-scan.ts';
import type { TailEncoding } from '../../../../src/logs/tails/output/encodings.ts';
import { parseTailQuery } from '../../../../src/logs/tails/tail-query.ts';
import { TailSession } from '../../../../src/logs/tails/tail-session.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { RedisCluster, RedisSentinels } from '../../../support/redis/redis-deployments.ts';
import { hasRedis, type RedisServer } from '../../../support/redis/redis-server.ts';
import { until } from '../../../support/until.ts';
import { readAll } from '../conformance/streams.ts';
import { AOF_ALWAYS, openRedisStoreForTest, startRedisForTest } from './harness.ts';

/** The master counts on the replica. */
async function inSync(master: RedisServer): Promise<void> {
  await until('the replica is in sync', async () =>
    String(await master.command('info', 'replication')).includes('state=online'),
  );
}

/** Cuts a master off from its replica, which would take its place all the same. */
async function loseReplica(servers: readonly RedisServer[], master: RedisServer): Promise<void> {
  for (const server of servers) {
    if (!String(await server.command('info', 'replication')).includes(`master_port:${master.port}`)) continue;
    await server.command('config', 'set', 'masteruser', 'nobody', 'masterauth', 'wrong');
    await server.command('client', 'kill', 'type', 'master');
  }
  await until('the replica is gone', async () =>
    String(await master.command('info', 'replication')).includes('connected_slaves:0'),
  );
}

/** Lines of any text, also such as no source sends. */
const TEXTS: TailEncoding<readonly string[]> = {
  format: 'text',
  cache: new WeakMap(),
  encode(batches, range, filter) {
    const lines: string[] = [];
    const reached = forEachMatch(batches, range, filter, ({ textStart, textEnd }, bytes) =>
      lines.push(bytes.toString('utf8', textStart, textEnd)),
    );
    return { ...reached, lines };
  },
  encodeOne: (line) => [line],
};

/** What a tail gets, and where it is told to be. */
interface Followed {
  readonly lines: string[];
  readonly positions: number[];
  hasEnded: boolean;
}

function follow(reader: StreamReader, query: Record<string, string>, tail: boolean): Followed {
  const followed: Followed = { lines: [], positions: [], hasEnded: false };
  const session = new TailSession(reader, parseTailQuery(query, { tail }), {
    encoding: TEXTS,
    write: (lines) => followed.lines.push(...lines),
    reportPosition: ({ position }) => followed.positions.push(position),
    canWrite: () => true,
    end: () => {
      followed.hasEnded = true;
    },
  });
  onTestFinished(() => session.close());
  void session.start();
  return followed;
}

describe.runIf(hasRedis)('with REDIS_WAIT', () => {
  it('what was acknowledged is on the replica, and with too few replicas lines are rejected', async () => {
    const master = await startRedisForTest();
    const replica = await startRedisForTest({ config: [`replicaof 127.0.0.1 ${master.port}`] });
    await inSync(master);
    const wait = { replicas: 1, timeoutMs: 1_000 };
    const { store, warnings } = await openRedisStoreForTest(master.url, { wait });
    await until('the replica keeps up', () =>
      store.append(newAppId(), batchOf('first')).catch(() => undefined),
    );
    const app = newAppId();
    const { state } = streamKeys(app);
    for (let i = 1; i <= 100; i++) {
      expect((await store.append(app, batchOf(`${i}`))).last).toBe(i);
      expect(Number(await replica.command('hget', state, 'next'))).toBe(i + 1);
    }

    await replica.signal('SIGSTOP');
    const late = batchOf('late');
    const refusal = await store.append(app, late).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(TailraceError);
    expect(refusal).toMatchObject({ code: 'unavailable', status: 503 });
    expect(String(refusal)).toMatch(
      /0 of Redis' replicas had the lines within 1000 ms, and REDIS_WAIT asks for 1/,
    );
    // What comes now is rejected before it is stored: retries would store it many times. So is what is stored already, which is
    // not stored again.
    const refused = ['refused', 'refused', 'refused'].map((text) => store.append(newAppId(), batchOf(text)));
    for (const refusal of await Promise.allSettled([
      ...refused,
      store.append(app, late),
      store.append(app, batchOf('refused')),
    ]))
      expect(refusal).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    // Reading, records and leases don't wait for replicas.
    expect(linesOf(await store.read(app, 100, 1))).toEqual(['late']);
    expect(await store.transact('scope', [{ key: 'a', value: 1 }])).toBe(true);

    await replica.signal('SIGCONT');
    const appended = await until('the replica is back', () => store.append(app, late).catch(() => undefined));
    expect(appended).toMatchObject({ first: 101, last: 101, duplicate: false });
    expect((await store.append(app, batchOf('next'))).first).toBe(102);
    expect(linesOf(await readAll(store, app)).slice(100)).toEqual(['late', 'next']);
    expect(warnings.filter((text) => text.includes('REDIS_WAIT'))).toEqual([]);
  });

  it('who follows a stream sees lines when replicas have them, whichever router appended them', async () => {
    const master = await startRedisForTest();
    const replica = await startRedisForTest({ config: [`replicaof 127.0.0.1 ${master.port}`] });
    await inSync(master);
    const wait = { replicas: 1, timeoutMs: 300 };
    const [{ store }, { store: other }] = [
      await openRedisStoreForTest(master.url, { wait }),
      await openRedisStoreForTest(master.url, { wait }),
    ];
    const app = newAppId();
    await until('the replica keeps up', () =>
      other.append(newAppId(), batchOf('first')).catch(() => undefined),
    );
    await other.append(app, batchOf('first'));
    const readers = [store, other].map((one) => new StreamReaders(one).open(app));
    for (const { close } of readers) onTestFinished(close);
    const texts = async (): Promise<string[][]> =>
      Promise.all(readers.map(async ({ reader }) => linesOf(await reader.readAfter(0))));
    await until('both to follow', async () => (await texts()).every(({ length }) => length === 1));

    await replica.signal('SIGSTOP');
    const late = batchOf('late');
    await expect(other.append(app, late)).rejects.toMatchObject({ code: 'unavailable' });
    // It is in the master, and a router that was told of it, or has looked, knows no more of it than before.
    expect(Number(await master.command('hget', streamKeys(app).state, 'next'))).toBe(3);
    await expect(other.append(app, late)).rejects.toMatchObject({ code: 'unavailable' });
    for (const one of [store, other]) {
      expect(linesOf(await one.read(app, 0, 1_000))).toEqual(['first']);
      expect(await one.bounds(app)).toMatchObject({ first: 1, last: 1 });
    }
    expect(await texts()).toEqual([['first'], ['first']]);
    // Who got it from a router that knew that replicas have it comes to one that doesn't know yet.
    const [{ reader }] = readers;
    const moved = follow(reader, { after: '2' }, true);
    const asking = follow(reader, { after: '2' }, false);
    const older = follow(reader, { before: '3', lines: '10' }, false);
    await until(
      'all to have what there is',
      () => moved.positions.length > 0 && asking.hasEnded && older.lines.length > 0,
    );
    expect(moved.positions[0]).toBe(2);
    expect(asking).toEqual({ lines: [], positions: [2], hasEnded: true });
    expect(older).toMatchObject({ lines: ['first'], hasEnded: false });
    // Whether a line is gone, or was never there, a master says that has its replicas.
    const gone = follow(reader, { after: '9' }, true);

    await replica.signal('SIGCONT');
    // Nobody appends it again.
    await until('both to have it', async () => (await texts()).every((all) => all.join() === 'first,late'));
    await until('the place of who got what is gone', () => gone.positions.length > 0);
    expect(gone.positions[0]).toBeLessThan(3);
    await until('what was asked for', () => older.hasEnded);
    expect(older.lines).toEqual(['first', 'late']);
    await until('an append', () => store.append(app, batchOf('next')).catch(() => undefined));
    await until('both tails to get it', () => [moved, gone].every(({ lines }) => lines.includes('next')));
    expect(moved.lines).toEqual(['next']);
    expect(gone.lines.at(-1)).toBe('next');
  });

  it.each([
    ['behind Sentinels', () => RedisSentinels.start()],
    ['in a Cluster', () => RedisCluster.start([], 1)],
  ])(
    '%s, numbers of lines that a failover took back, and nobody had, are given out again',
    async (_, start) => {
      const redis = await start();
      onTestFinished(() => redis.remove());
      const wait = { replicas: 1, timeoutMs: 200 };
      const [{ store }, { store: other }] = [
        await openRedisStoreForTest(redis.url, { wait }),
        await openRedisStoreForTest(redis.url, { wait }),
      ];
      const app = newAppId();
      const { state } = streamKeys(app);
      const [here, there] = [store, other].map((one) => {
        const { reader, close } = new StreamReaders(one).open(app);
        onTestFinished(close);
        return follow(reader, { after: '0' }, true);
      });
      const kept = batchOf('kept');
      await until('the replica keeps up', () => store.append(app, kept).catch(() => undefined));
      await until('both to have it', () => [here, there].every(({ lines }) => lines.length === 1));

      const master = redis instanceof RedisCluster ? await redis.masterOf(state) : await redis.master();
      await loseReplica(redis.servers, master);
      const [lost, others] = [batchOf('lost 1', 'lost 2', 'lost 3'), batchOf("another router's")];
      const refused = await Promise.allSettled([store.append(app, lost), other.append(app, others)]);
      for (const refusal of refused)
        expect(refusal).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
      expect(Number(await master.command('hget', state, 'next'))).toBe(6);
      await redis.failOver(state);

      const append = (one: Store, batch: Batch) =>
        until('an append', () => one.append(app, batch).catch(() => undefined));
      expect(await append(other, others)).toMatchObject({ first: 2, duplicate: false });
      expect(await append(store, lost)).toMatchObject({ first: 3, last: 5, duplicate: false });
      expect(await append(store, batchOf('next'))).toMatchObject({ first: 6 });
      const all = ['kept', "another router's", 'lost 1', 'lost 2', 'lost 3', 'next'];
      await until('both to have all', () => [here, there].every(({ lines }) => lines.at(-1) === 'next'));
      // A loss would be told between them, as the store's absence is.
      for (const { lines } of [here, there])
        expect(lines.filter((line) => !line.includes('heroku[logplex]: The store is'))).toEqual(all);
    },
  );

  it('who begins to follow a stream while replicas are away sees what is too old to be taken back', async () => {
    const master = await startRedisForTest();
    const { store } = await openRedisStoreForTest(master.url, { wait: { replicas: 1, timeoutMs: 100 } });
    const { store: router } = await openRedisStoreForTest(master.url);
    const app = newAppId();
    const old = batchOf('old');
    await router.restore(app, { ...old, first: 1, last: 1, storedAtMs: Date.now() - 600_000 });
    await router.append(app, batchOf('new'));
    const { reader, close } = new StreamReaders(store).open(app);
    onTestFinished(close);
    await reader.ready;
    expect(reader.newest).toBe(1);
    expect(linesOf(await reader.readAfter(0))).toEqual(['old']);
  });

  it('a frame that another router stored, and a failover took back, isn’t acknowledged as one that was there', async () => {
    const master = await startRedisForTest();
    const replica = await startRedisForTest({ config: [`replicaof 127.0.0.1 ${master.port}`] });
    await inSync(master);
    const wait = { replicas: 1, timeoutMs: 60_000 };
    const [{ store }, { store: other }] = [
      await openRedisStoreForTest(master.url, { wait }),
      await openRedisStoreForTest(master.url, { wait }),
    ];
    const app = newAppId();
    const { state, lines, index, frameIds } = streamKeys(app);
    const has = (lastOf: string, next: number): Promise<true> =>
      until(
        'the master to have it',
        async () => Number(await master.command('hget', lastOf, 'next')) === next,
      );
    const frame = { batch: batchOf('named'), frameId: 'a frame' };

    await replica.signal('SIGSTOP');
    const first = store.append(app, frame.batch, frame).catch(() => {});
    await has(state, 2);
    // The other router waits for replicas of this one, and then looks for the frame.
    const elsewhere = newAppId();
    const before = other.append(elsewhere, batchOf('before'));
    await has(streamKeys(elsewhere).state, 2);
    const again = other.appendAll(app, [frame, { batch: batchOf('behind'), frameId: '' }]);
    const outcome = again.catch((error: unknown) => error);
    await has(state, 3);
    for (const key of frameIds) await master.command('hdel', key, frame.frameId);
    for (const key of [lines, index]) await master.command('xdel', key, '1-0');
    await replica.signal('SIGCONT');
    expect(await before).toMatchObject({ first: 1 });
    expect(await outcome).toMatchObject({ code: 'unavailable' });
    await first;
  });

  it('a record waits for replicas when that is asked for, and not when there are none', async () => {
    const master = await startRedisForTest();
    const replica = await startRedisForTest({ config: [`replicaof 127.0.0.1 ${master.port}`] });
    await inSync(master);
    const { store } = await openRedisStoreForTest(master.url, { wait: { replicas: 1, timeoutMs: 60_000 } });
    const app = newAppId();
    const write = (value: number): Promise<boolean> =>
      store.transact(app, [{ key: 'cursor', value, ifVersion: value - 1 }], { replicated: true });
    const of = (server: RedisServer): Promise<unknown> =>
      server.command('hget', recordKeys(app).values, 'cursor');
    await until('the replica keeps up', () => store.append(app, batchOf('first')).catch(() => undefined));
    for (let value = 1; value <= 50; value++) {
      expect(await write(value)).toBe(true);
      expect(await of(replica)).toBe(`${value}:${value}`);
    }
    expect(await write(50)).toBe(false);

    await replica.signal('SIGSTOP');
    let isOver = false;
    const late = write(51).finally(() => (isOver = true));
    await until('the master to have it', async () => (await of(master)) === '51:51');
    // Behind the answer to the write on the same connection.
    expect(await store.get(app, 'cursor')).toMatchObject({ version: 51 });
    expect(isOver).toBe(false);
    // Written, and gone when replicas are asked, as after a failover.
    const change = { key: 'taken back', value: 1, ifVersion: 0 };
    const takenBack = store.transact(app, [change], { replicated: true });
    await until('the master to lose it', () => master.command('hdel', recordKeys(app).values, 'taken back'));
    await replica.signal('SIGCONT');
    expect(await late).toBe(true);
    expect(await takenBack).toBe(false);

    // With replicas away only the first one waits.
    const { store: impatient } = await openRedisStoreForTest(master.url, {
      wait: { replicas: 1, timeoutMs: 1_000 },
    });
    await replica.signal('SIGKILL');
    const tookMs: number[] = [];
    for (let version = 51; version < 71; version++) {
      const beganMs = performance.now();
      const change = { key: 'cursor', value: 0, ifVersion: version };
      expect(await impatient.transact(app, [change], { replicated: true })).toBe(true);
      tookMs.push(performance.now() - beganMs);
    }
    expect(tookMs[0]).toBeGreaterThan(900);
    // A busy machine may delay some of the others as much.
    expect(tookMs.filter((ms) => ms > 900).length).toBeLessThan(10);
    await replica.start();
    await until('records to wait for the replica again', async () => {
      const { version } = (await impatient.get(app, 'cursor')) ?? { version: 0 };
      const change = { key: 'cursor', value: version, ifVersion: version };
      await impatient.transact(app, [change], { replicated: true });
      return (await of(replica)) === `${version + 1}:${version}`;
    });
  });

  it('a master of a Cluster that becomes a replica, and stays, is left', async () => {
    const cluster = await RedisCluster.start([], 1);
    onTestFinished(() => cluster.remove());
    const { store } = await openRedisStoreForTest(cluster.url, { wait: { replicas: 1, timeoutMs: 1_000 } });
    const app = newAppId();
    await store.append(app, batchOf('before'));
    const old = await cluster.masterOf(streamKeys(app).state);
    // A failover that isn't done within five seconds is given up, and has to be asked for again.
    for (let isNew = false; !isNew; ) {
      for (const server of cluster.servers)
        if (String(await server.command('info', 'replication')).includes(`master_port:${old.port}`))
          await server.command('cluster', 'failover');
      isNew = await until(
        'another master',
        async () => (await cluster.masterOf(streamKeys(app).state)) !== old,
        8_000,
      ).catch(() => false);
    }
    const batch = batchOf('behind');
    await until('an append', () => store.append(app, batch).catch(() => undefined));
    expect(linesOf(await readAll(store, app))).toEqual(['before', 'behind']);
  });

  it('too few replicas are reported in the status', async () => {
    const alone = await startRedisForTest({ config: AOF_ALWAYS });
    const { store, warnings } = await openRedisStoreForTest(alone.url, {
      wait: { replicas: 2, timeoutMs: 100 },
    });
    const sentence = 'REDIS_WAIT asks for 2 replicas and Redis has 0: no line is taken.';
    expect(warnings.join()).toContain(sentence);
    expect((await store.status()).trouble).toContain(sentence);
    expect((await checkRedis(alone.url, undefined, 2)).trouble).toContain(sentence);
    expect((await checkRedis(alone.url, undefined, 0)).trouble).toBeUndefined();
  });
});
