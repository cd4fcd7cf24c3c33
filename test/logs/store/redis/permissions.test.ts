/** What Redis' access control lists must let the user do: each permission that is missing is named, in one sentence. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TailraceError } from '../../../../src/common/errors.ts';
import { requiredRules } from '../../../../src/logs/store/redis/connection/acl-rules.ts';
import { checkRedis } from '../../../../src/logs/store/redis/connection/redis-status.ts';
import { batchOf, linesOf, newAppId } from '../../../support/batches.ts';
import { RedisCluster } from '../../../support/redis/redis-deployments.ts';
import { hasRedis, RedisServer } from '../../../support/redis/redis-server.ts';
import { openRedisStoreForTest } from './harness.ts';

const WAIT = { replicas: 1, timeoutMs: 100 };

let users = 0;
/** Makes a user with these rules on each server. Returns what stands before the host in its URL. */
async function makeUser(servers: readonly RedisServer[], rules: readonly string[]): Promise<string> {
  const name = `user-${++users}`;
  for (const server of servers)
    await server.command('acl', 'setuser', name, 'on', '>secret', '-@all', ...rules);
  return `${name}:secret@`;
}

async function refusalOf(action: Promise<unknown>): Promise<TailraceError> {
  const error = await action.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof TailraceError) return error;
  throw new Error(`this was no refusal: ${String(error)}`);
}

describe.runIf(hasRedis)('a user of Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server?.remove());

  it('with exactly the permissions of the list can be used', async () => {
    const rules = requiredRules(['always', 'wait', 'database', 'label', 'sizes']);
    const user = await makeUser([server], rules);
    const { store } = await openRedisStoreForTest(`redis://${user}127.0.0.1:${server.port}/3`, {
      wait: { ...WAIT, replicas: 0 },
    });
    const app = newAppId();
    await store.append(app, batchOf('a'));
    expect(await store.storedBytes(app)).toBeGreaterThan(batchOf('a').bytes.length);
    expect((await store.status()).trouble).toBeUndefined();
    expect(await server.command('acl', 'log')).toEqual([]);
  });

  it.each(requiredRules(['always', 'wait', 'database']))(
    'without %s is refused, and told so',
    async (rule) => {
      const rules = requiredRules(['always', 'wait', 'database']).filter((other) => other !== rule);
      const user = await makeUser([server], rules);
      const url = `redis://${user}127.0.0.1:${server.port}/3`;
      const refusal = await refusalOf(openRedisStoreForTest(url, { wait: WAIT }));
      expect(refusal.code).toBe('settings');
      const text = `Redis doesn't let the user in REDIS_URL do all that is needed: give it ${rule} with ACL SETUSER (docs/redis.md has the whole list).`;
      expect(refusal.message).toBe(text);
      expect((await checkRedis(url, undefined, 1)).trouble).toBe(text);
    },
  );

  it('without several is told all of them at once', async () => {
    const missing = ['+info', '+publish', '+unlink', '+xadd'];
    const rules = requiredRules(['always']).filter((rule) => !missing.includes(rule));
    const user = await makeUser([server], rules);
    const refusal = await refusalOf(openRedisStoreForTest(`redis://${user}127.0.0.1:${server.port}`));
    expect(refusal.message).toContain(`give it ${missing.join(' ')} with`);
    const nothing = await makeUser([server], []);
    expect(
      (await refusalOf(openRedisStoreForTest(`redis://${nothing}127.0.0.1:${server.port}`))).message,
    ).toContain('give it +eval +evalsha +info +subscribe +unsubscribe +scan with');
  });

  it('may wait for replicas, also where the server has just become one itself', async () => {
    const replica = await RedisServer.start({ config: [`replicaof 127.0.0.1 ${server.port}`] });
    onTestFinished(() => replica.remove());
    const refusal = await refusalOf(openRedisStoreForTest(replica.url, { wait: WAIT, openMs: 2_000 }));
    expect(refusal).toMatchObject({ code: 'unavailable' });
    expect(refusal.message).toContain('Redis is a read-only replica');
  });

  it('that loses one while it is used: what is refused is to be sent again, and it is in the status', async () => {
    const user = await makeUser([server], requiredRules(['always']));
    const [name] = user.split(':');
    const { store } = await openRedisStoreForTest(`redis://${user}127.0.0.1:${server.port}`);
    const app = newAppId();
    await store.append(app, batchOf('before'));
    for (const taken of ['evalsha', 'xadd', 'time']) {
      await server.command('acl', 'setuser', name, `-${taken}`);
      const refusal = await refusalOf(store.append(app, batchOf('refused')));
      expect(refusal).toMatchObject({ code: 'unavailable', status: 503 });
      expect(refusal.message).toContain("Redis doesn't let the user in REDIS_URL");
      expect((await store.status()).trouble).toContain(`give it +${taken} with`);
      await server.command('acl', 'setuser', name, `+${taken}`);
      await store.append(app, batchOf(`after ${taken}`));
    }
    expect((await store.status()).trouble).toBeUndefined();
    expect((await store.bounds(app)).last).toBe(4);
  });

  it('that loses one in the midst of a call has what is sent again stored once, and what is stored isn’t refused', async () => {
    const user = await makeUser([server], requiredRules(['always']));
    const [name] = user.split(':');
    const { store } = await openRedisStoreForTest(`redis://${user}127.0.0.1:${server.port}`);
    const app = newAppId();
    await store.append(app, batchOf('before'));
    const batches = [batchOf('refused', 'and'), batchOf('sent again')].map((batch) => ({
      batch,
      frameId: '',
    }));
    await server.command('acl', 'setuser', name, '-hset');
    for (let attempt = 1; attempt <= 3; attempt++)
      expect((await refusalOf(store.appendAll(app, batches))).message).toContain(
        "Redis doesn't let the user",
      );
    await server.command('acl', 'setuser', name, '+hset');
    expect(await store.appendAll(app, batches)).toMatchObject([{ first: 2 }, { first: 4 }]);
    await server.command('acl', 'setuser', name, '-publish');
    expect(await store.append(app, batchOf('nobody is notified'))).toMatchObject({ first: 5 });
    expect((await store.status()).trouble).toContain('give it +publish with');
    expect(linesOf(await store.read(app, 0, 1e6))).toEqual([
      'before',
      'refused',
      'and',
      'sent again',
      'nobody is notified',
    ]);
  });

  it('of a Cluster needs what is listed for one, and no more', async () => {
    const cluster = await RedisCluster.start();
    onTestFinished(() => cluster.remove());
    const urlFor = (user: string): string => cluster.url.replace('//', `//${user}`);
    const all = requiredRules(['always', 'cluster', 'label', 'sizes']);
    const { store } = await openRedisStoreForTest(urlFor(await makeUser(cluster.servers, all)));
    const apps = [newAppId(), newAppId(), newAppId()];
    for (const app of apps) await store.append(app, batchOf('a'));
    expect(await store.heldBytes(apps)).toEqual(apps.map(() => batchOf('a').bytes.length));
    for (const app of apps) expect(await store.storedBytes(app)).toBeGreaterThan(0);
    expect((await store.status()).trouble).toBeUndefined();
    for (const server of cluster.servers) expect(await server.command('acl', 'log')).toEqual([]);
    for (const rule of ['+cluster|slots', '+asking', '+xadd', '~tailrace:*', '&tailrace:*']) {
      const user = await makeUser(
        cluster.servers,
        all.filter((other) => other !== rule),
      );
      const refusal = await refusalOf(openRedisStoreForTest(urlFor(user), { openMs: 2_000 }));
      expect(refusal.message).toContain(`give it ${rule} with`);
    }
  });
});
