/** Several `tailrace serve` on one Redis behave as one. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { type HttpReceiver, startHttpReceiver } from '../../support/receivers/receivers.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { type App, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

interface Status {
  readonly pid: number;
  readonly routers: readonly { readonly pid: number; readonly drains: number }[];
  readonly store: { readonly kind: string; readonly facts: Record<string, unknown> };
}

/** Starts Redis and so many routers on it. */
async function startRouters(
  count: number,
): Promise<{ redis: RedisServer; routers: Server[]; join: () => Promise<Server> }> {
  const redis = await RedisServer.start({ config: ['appendonly yes'] });
  onTestFinished(() => redis.remove());
  const join = (): Promise<Server> => startServerForTest({ env: { REDIS_URL: redis.url } });
  const routers = await Promise.all(Array.from({ length: count }, join));
  return { redis, routers, join };
}

/** How many drains each router works on, as one of them sees it; most first. */
async function sharesSeenBy(router: Server): Promise<number[]> {
  const { routers } = await router.request<Status>('GET', '/status');
  return routers.map(({ drains }) => drains).sort((a, b) => b - a);
}

async function push(router: Server, app: App, ...lines: string[]): Promise<void> {
  const answer = await fetch(`${router.url}/logs?token=${app.token}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${router.key}`, 'content-type': 'text/plain' },
    body: `${lines.join('\n')}\n`,
  });
  expect(answer.status).toBe(204);
}

/** Reads a live tail until the test is over. */
function tail(router: Server, app: App): { text: string } {
  const seen = { text: '' };
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const read = async (): Promise<void> => {
    const answer = await fetch(`${router.url}/apps/${app.name}/logs?tail=true&lines=0`, {
      headers: { authorization: `Bearer ${router.key}` },
      signal: ending.signal,
    });
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) seen.text += decoder.decode(chunk);
  };
  read().catch(() => {});
  return seen;
}

describe.runIf(hasRedis)('several routers on one Redis', () => {
  it('show a line that enters at one at the tails of all', async () => {
    const { routers } = await startRouters(2);
    const [here, there] = routers;
    const app = await here.createApp();
    const [mine, theirs] = [tail(here, app), tail(there, app)];
    await until('both tails follow', async () => {
      await push(here, app, 'are you there?');
      return mine.text.includes('are you there?') && theirs.text.includes('are you there?');
    });
    await push(there, app, 'from there');
    await until('the line is here', () => mine.text.includes('from there'));
    await push(here, app, 'from here');
    await until('the line is there', () => theirs.text.includes('from here'));
    expect(await there.readMessages(app)).toContain('from here');
  });

  it('make what is made at one known at all', async () => {
    const { routers } = await startRouters(2);
    const [here, there] = routers;
    const app = await here.createApp();
    const token = await here.addToken(app, 'nginx');
    // The other one looks the token up, and is told when it is revoked.
    await push(there, { ...app, token }, 'accepted');
    await here.request('DELETE', `/apps/${app.name}/tokens/${token}`);
    await until('the token is worth nothing at the other one', async () => {
      const answer = await fetch(`${there.url}/logs`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`token:${token}`)}`, 'content-type': 'text/plain' },
        body: 'refused\n',
      });
      return answer.status === 401;
    });
  });

  it('share the drains evenly, and each line goes to each drain once', async () => {
    const { routers, join } = await startRouters(2);
    const [one, two] = routers;
    const app = await one.createApp();
    const receivers = await Promise.all(Array.from({ length: 9 }, () => startHttpReceiver()));
    for (const { url } of receivers) await one.createDrain(app, url);
    await until('two routers share them', async () => String(await sharesSeenBy(two)) === '5,4');
    const texts = Array.from({ length: 40 }, (_, i) => `line ${i}`);
    for (const [i, text] of texts.entries()) await push(routers[i % 2], app, text);
    for (const receiver of receivers) {
      await until('the drain has everything', () => receiver.acceptedMessages().length >= texts.length);
      expect(receiver.acceptedMessages()).toEqual(texts);
    }
    await join();
    await until('three routers share them', async () => String(await sharesSeenBy(one)) === '3,3,3');
    const { store } = await one.request<Status>('GET', '/status');
    expect(store).toMatchObject({ kind: 'redis', facts: { role: 'master' } });
  });

  it('take over from one that dies, and give it its share when it is back', async () => {
    const { routers, join } = await startRouters(3);
    const [first, second, third] = routers;
    const app = await first.createApp();
    const receivers = await Promise.all(Array.from({ length: 6 }, () => startHttpReceiver()));
    for (const { url } of receivers) await first.createDrain(app, url);
    await until('three routers share them', async () => String(await sharesSeenBy(first)) === '2,2,2');
    await push(second, app, 'before');
    for (const receiver of receivers)
      await until('it came', () => receiver.acceptedMessages().includes('before'));

    await third.kill();
    await push(first, app, 'after');
    await Promise.all(
      receivers.map((receiver) => until('it came', () => receiver.acceptedMessages().includes('after'))),
    );
    await until('two routers share them', async () => String(await sharesSeenBy(first)) === '3,3');
    await until('it to be said', () =>
      (second.program.stderr + first.program.stderr).includes('a router is gone'),
    );

    const again = await join();
    await until('three routers share them', async () => String(await sharesSeenBy(again)) === '2,2,2');
    await push(again, app, 'in the end');
    for (const receiver of receivers) {
      await until('it came', () => receiver.acceptedMessages().includes('in the end'));
      expect([...new Set(receiver.acceptedMessages())]).toEqual(['before', 'after', 'in the end']);
    }
  });

  it('hand over when one stops, without sending anything twice', async () => {
    const { routers } = await startRouters(2);
    const [stays, goes] = routers;
    const app = await stays.createApp();
    const receivers = await Promise.all(Array.from({ length: 4 }, () => startHttpReceiver()));
    for (const { url } of receivers) await stays.createDrain(app, url);
    await until('two routers share them', async () => String(await sharesSeenBy(stays)) === '2,2');
    await push(stays, app, 'before');
    for (const receiver of receivers)
      await until('it came', () => receiver.acceptedMessages().includes('before'));
    await goes.close();
    await push(stays, app, 'after');
    for (const receiver of receivers) {
      await until('it came', () => receiver.acceptedMessages().includes('after'));
      expect(receiver.acceptedMessages()).toEqual(['before', 'after']);
    }
    await until('one router has them all', async () => String(await sharesSeenBy(stays)) === '4');
    // Not because it was missed.
    expect(stays.program.stderr).not.toContain('a router is gone');
  });

  it('stay up while Redis is away, and go on when it is back', async () => {
    const { redis, routers } = await startRouters(2);
    const [here, there] = routers;
    const app = await here.createApp();
    const receiver: HttpReceiver = await startHttpReceiver();
    await here.createDrain(app, receiver.url);
    const seen = tail(there, app);
    await until('the tail follows', async () => {
      await push(here, app, 'before');
      return seen.text.includes('before');
    });
    await redis.signal('SIGKILL');
    const answer = await until('lines are refused', async () => {
      const refused = await fetch(`${here.url}/logs?token=${app.token}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${here.key}`, 'content-type': 'text/plain' },
        body: 'lost?\n',
      });
      // Of lines that were on their way it isn't known yet whether they are stored.
      const isRefused = refused.status === 503 && (await refused.text()).includes('Redis');
      return isRefused ? refused : undefined;
    });
    expect(answer.headers.get('retry-after')).toBe('1');
    await redis.start();
    await until('lines are taken again', async () => {
      const taken = await fetch(`${here.url}/logs?token=${app.token}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${here.key}`, 'content-type': 'text/plain' },
        body: 'after\n',
      });
      return taken.status === 204;
    });
    await until('the tail goes on', () => seen.text.includes('after'));
    await until('the drain goes on', () => receiver.acceptedMessages().includes('after'));
    expect(here.program.hasExited).toBe(false);
    expect(there.program.hasExited).toBe(false);
  });
});
