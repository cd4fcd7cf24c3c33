import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { LogSessionStore } from '../../../src/api/logs/log-session-store.ts';
import { ApiKeys } from '../../../src/apps/access/api-keys.ts';
import { People } from '../../../src/apps/access/people.ts';
import type { AppId } from '../../../src/logs/store/contract.ts';
import { EmbeddedStore } from '../../../src/logs/store/embedded/embedded-store.ts';
import { EventStreamTail, rejectedUpgrade, WebSocketTail } from '../../support/receivers/tail-protocols.ts';
import { numberedMessages, pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

describe('log sessions', () => {
  let server: Server;
  let app: App;

  beforeAll(async () => {
    server = await startServer();
    app = await server.createApp();
    await pushLines(server, app.token, numberedMessages(10));
  });
  afterAll(() => server.close());

  async function session(body: object): Promise<string> {
    const { logplex_url: url } = await server.request<{ logplex_url: string }>(
      'POST',
      `/apps/${app.name}/log-sessions`,
      body,
    );
    return url;
  }

  function tailOf(url: string): WebSocketTail {
    const tail = new WebSocketTail(url);
    onTestFinished(() => tail.socket.terminate());
    return tail;
  }

  it('answer as the official CLI expects: 201, an address, events, and an end without tail', async () => {
    const answer = await fetch(`${server.url}/apps/${app.name}/log-sessions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ lines: 3, tail: false }),
    });
    expect(answer.status).toBe(201);
    const { logplex_url: url, id, created_at: created } = (await answer.json()) as Record<string, string>;
    expect(id && created).toBeTruthy();
    const tail = await new EventStreamTail().open(url);
    await until('the end', () => tail.hasEnded);
    expect(tail.lines.map((line) => line.slice(line.indexOf(']: ') + 3))).toEqual(
      numberedMessages(3, 'line', 7),
    );
    expect(tail.lastEventId).toBe('10');
  });

  it('need no key, over WebSockets either', async () => {
    const tail = tailOf(await session({ lines: 2, tail: true, format: 'json' }));
    await tail.untilLive();
    expect(tail.messageTexts).toEqual(['line 8', 'line 9']);
    expect(tail.lines[0]).toMatchObject({ position: '9', source: 'app' });
  });

  it('keep their parameters; those that were left out may be given in the address', async () => {
    const url = await session({ source: 'heroku' });
    const text = await (await fetch(`${url}?source=app&lines=5`)).text();
    expect(text).toBe('');
    const open = await session({});
    const page = await (await fetch(`${open}?before=4&lines=2`)).text();
    expect(page.match(/line \d+/g)).toEqual(['line 1', 'line 2']);
    const tail = tailOf(`${open}?tail=true&q=line&lines=1`);
    await tail.untilLive();
    expect(tail.messageTexts).toEqual(['line 9']);
  });

  it('reject what a tail rejects', async () => {
    await expect(session({ q: '/(/' })).rejects.toThrow(/422 .*not a regular expression/);
    await expect(session({ lines: 'many' })).rejects.toThrow(/422 .*lines must be a number/);
    await expect(session({ source: ['app'] })).rejects.toThrow(/422 .*source must be a text/);
    await expect(session({ sources: 'app' })).rejects.toThrow(/422 .*no parameter sources: it has lines/);
    await expect(session([])).rejects.toThrow(/422 .*with an object/);
    const url = `${await session({})}?limit=5`;
    const answer = await fetch(url);
    expect([answer.status, await answer.text()]).toEqual([422, expect.stringMatching(/no parameter limit/)]);
    expect(await rejectedUpgrade(url)).toMatchObject({
      status: 422,
      body: expect.stringMatching(/no parameter limit/),
    });
  });

  it('that don’t exist are 404', async () => {
    const url = `${server.url}/sessions/${app.id}/nonsense`;
    expect((await fetch(url)).status).toBe(404);
    expect((await rejectedUpgrade(url)).status).toBe(404);
  });

  it('are for one app', async () => {
    const other = await server.createApp();
    const url = (await session({})).replace(app.id, other.id);
    expect((await fetch(url)).status).toBe(404);
  });

  it.each(['/apps/nothing/tail', '/nothing', '/apps/%E0%A4%A/tail'])(
    'a WebSocket at %s is refused',
    async (path) => {
      const { status, body } = await rejectedUpgrade(server.url + path, {
        authorization: `Bearer ${server.key}`,
      });
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(JSON.parse(body).message).toBeTruthy();
    },
  );

  it('a WebSocket without a key is 401', async () => {
    expect((await rejectedUpgrade(`${server.url}/apps/${app.name}/tail`)).status).toBe(401);
  });
});

describe('a session', () => {
  const MINUTE_MS = 60_000;
  const app = 'app' as AppId;

  async function withClock(): Promise<{
    store: EmbeddedStore;
    sessions: LogSessionStore;
    wait: (ms: number) => void;
    setClock: (byMs: number) => void;
  }> {
    const folder = temporaryFolder();
    const retention = { lines: 1_000, bytes: 1_000_000, ageMs: MINUTE_MS };
    const store = new EmbeddedStore({ folder: join(folder, 'data'), retention, durability: 'process' });
    onTestFinished(async () => {
      await store.close();
      rmSync(folder, { recursive: true });
    });
    let now = 1_000_000;
    let offset = 0;
    const wait = (ms: number): void => {
      now += ms;
    };
    const setClock = (byMs: number): void => {
      offset += byMs;
    };
    const clocks = { wall: () => now + offset, monotonic: () => now };
    return {
      store,
      sessions: new LogSessionStore(store, new ApiKeys(store, new People(store)), clocks),
      wait,
      setClock,
    };
  }

  it('ends when nobody used it for five minutes', async () => {
    const { sessions, wait } = await withClock();
    const secret = await sessions.create(app, { q: 'a' }, undefined);
    wait(5 * MINUTE_MS);
    expect(await sessions.resolveQuery({ id: app, name: 'shop' }, secret, { lines: '5' })).toMatchObject({
      query: { q: 'a', lines: '5' },
    });
    wait(1);
    await expect(sessions.resolveQuery({ id: app, name: 'shop' }, secret, {})).rejects.toThrow(/has expired/);
  });

  it.each([-60 * MINUTE_MS, 1_440 * MINUTE_MS])(
    'ends then too when the clock is set by %i ms',
    async (byMs) => {
      const { store, sessions, wait, setClock } = await withClock();
      const [secret, left] = [
        await sessions.create(app, {}, undefined),
        await sessions.create(app, {}, undefined),
      ];
      setClock(byMs);
      wait(4 * MINUTE_MS);
      await sessions.create(app, {}, undefined);
      await sessions.resolveQuery({ id: app, name: 'shop' }, secret, {});
      sessions.keepAlive(app, secret)();
      await until('the renewal', async () => (await store.get(app, `session/${secret}`))?.version === 2);
      wait(1 * MINUTE_MS + 1);
      await expect(sessions.resolveQuery({ id: app, name: 'shop' }, left, {})).rejects.toThrow(/has expired/);
      await sessions.resolveQuery({ id: app, name: 'shop' }, secret, {});
      // The renewal may have been made while the clock was two minutes ahead.
      wait(6 * MINUTE_MS);
      await expect(sessions.resolveQuery({ id: app, name: 'shop' }, secret, {})).rejects.toThrow(
        /has expired/,
      );
    },
  );

  it('counts the five minutes from when the last reader left', async () => {
    const { sessions, wait } = await withClock();
    const secret = await sessions.create(app, {}, undefined);
    const letGo = sessions.keepAlive(app, secret);
    wait(4 * MINUTE_MS);
    letGo();
    await until('the renewal', async () => {
      wait(2 * MINUTE_MS);
      const alive = await sessions.resolveQuery({ id: app, name: 'shop' }, secret, {}).catch(() => undefined);
      wait(-2 * MINUTE_MS);
      return alive;
    });
    wait(8 * MINUTE_MS);
    await expect(sessions.resolveQuery({ id: app, name: 'shop' }, secret, {})).rejects.toThrow(/has expired/);
  });
});
