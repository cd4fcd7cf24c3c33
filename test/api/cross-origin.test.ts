/** Pages of other sites in browsers: they read what is said to be for them, and nothing unless a setting names them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, type Server, startServer } from '../support/server.ts';

const PAGE = 'https://shop.example.com';
const STRANGER = 'https://elsewhere.example.com';

const servers: Record<string, Server> = {};
const apps: Record<string, App> = {};
beforeAll(async () => {
  const settings = { none: '', one: `${PAGE}, http://localhost:3000`, all: '*' };
  for (const [name, TAILRACE_CORS_ORIGINS] of Object.entries(settings)) {
    servers[name] = await startServer({ env: { TAILRACE_CORS_ORIGINS } });
    apps[name] = await servers[name].createApp();
  }
});
afterAll(() => Promise.all(Object.values(servers).map((server) => server.close())));

function preflight(server: Server, path: string, origin: string, method = 'POST') {
  return fetch(server.url + path, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': 'authorization',
    },
  });
}

function push(server: Server, { token }: App, origin: string, type = 'text/plain') {
  return fetch(`${server.url}/logs`, {
    method: 'POST',
    headers: { origin, authorization: `Bearer ${token}`, 'content-type': type },
    body: type === 'text/plain' ? 'from a page' : '{"msg":"from a page"}',
  });
}

const allowed = ({ headers }: Response) => headers.get('access-control-allow-origin');

describe('a page of another site', () => {
  it('posts lines and reads tails where a setting names it', async () => {
    const [server, app] = [servers.one, apps.one];
    for (const path of [
      '/logs',
      '/v1/logs',
      `/apps/${app.name}/logs?tail=true`,
      '/sessions/a/b',
      '/logs?dyno=x',
    ]) {
      const answer = await preflight(server, path, PAGE);
      expect([path, answer.status, allowed(answer)]).toEqual([path, 204, PAGE]);
      expect(answer.headers.get('access-control-allow-headers')).toContain('authorization');
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
      expect(answer.headers.get('vary')).toBe('Origin');
    }
    // Several on one connection, with others between them: what is read past the framework as well.
    for (const origin of [PAGE, STRANGER, PAGE])
      for (const type of ['text/plain', 'application/json']) {
        const answer = await push(server, app, origin, type);
        expect([answer.status, allowed(answer)]).toEqual([
          type === 'text/plain' ? 204 : 200,
          origin === PAGE ? PAGE : null,
        ]);
        await answer.arrayBuffer();
      }
    const headers = { origin: PAGE, authorization: `Bearer ${server.key}`, accept: 'text/event-stream' };
    const tail = await fetch(`${server.url}/apps/${app.name}/logs?lines=1`, { headers });
    expect([tail.status, allowed(tail)]).toEqual([200, PAGE]);
    expect(await tail.text()).toContain('from a page');
    // Refusals are to be read, too.
    const refused = await push(server, { ...app, token: 't.none' }, PAGE);
    expect([refused.status, allowed(refused)]).toEqual([401, PAGE]);
  });

  it('gets nothing else, nor does any other page', async () => {
    const [server, app] = [servers.one, apps.one];
    for (const path of ['/apps', `/apps/${app.name}/config-vars`, `/apps/${app.name}/logs/x`, '/status'])
      expect([path, allowed(await preflight(server, path, PAGE))]).toEqual([path, null]);
    for (const origin of [
      STRANGER,
      'null',
      `${PAGE}.evil.example`,
      `${PAGE}:444`,
      'http://shop.example.com',
    ]) {
      const answer = await preflight(server, '/logs', origin);
      expect([origin, answer.status, allowed(answer)]).toEqual([origin, 405, null]);
    }
  });

  it('whatever it is, with *; and none without the setting', async () => {
    expect(allowed(await preflight(servers.all, '/logs', STRANGER))).toBe('*');
    expect(allowed(await push(servers.all, apps.all, STRANGER))).toBe('*');
    expect((await preflight(servers.none, '/logs', PAGE)).status).toBe(405);
    const answer = await push(servers.none, apps.none, PAGE);
    expect([answer.status, allowed(answer)]).toEqual([204, null]);
    expect(answer.headers.get('vary')).toBeNull();
  });
});
