/** Who may do what at every route: callers that may do little, at an app of theirs and at one of others; and that nobody gets more than they have. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, type Server, startServer, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const PASSWORD = 'correct horse battery';

let server: Server;
let shop: App;
let blog: App;
beforeAll(async () => {
  server = await startServer();
  shop = await server.createApp('shop');
  blog = await server.createApp('blog');
});
afterAll(() => server.close());

interface Answer {
  readonly status: number;
  readonly text: string;
}
interface Key {
  readonly id: string;
  readonly access_token: { readonly token: string };
}

async function ask(authorization: string, request: string, body?: unknown): Promise<Answer> {
  const [method, path] = request.split(' ');
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization, ...(body !== undefined && { 'content-type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
    redirect: 'manual',
  });
  return { status: response.status, text: await response.text() };
}
const statusOf = async (...args: Parameters<typeof ask>): Promise<number> => (await ask(...args)).status;

async function join(email: string, role: string, app?: string): Promise<string> {
  const body = { email, role, app };
  const { invitation_url: url } = await server.request<{ invitation_url: string }>('POST', '/people', body);
  await accept(url, email);
  return basic(email);
}

async function accept(url: string, email: string): Promise<number> {
  const [, token] = url.split('#invite=');
  const response = await fetch(`${server.url}/invitations/accept`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, email, password: PASSWORD }),
  });
  return response.status;
}

const basic = (email: string): string => `Basic ${Buffer.from(`${email}:${PASSWORD}`).toString('base64')}`;

async function makeKey(
  by: string,
  body: object = {},
): Promise<{ readonly id: string; readonly bearer: string }> {
  const answer = await ask(by, 'POST /oauth/authorizations', body);
  expect(answer).toMatchObject({ status: 201 });
  const { id, access_token: made }: Key = JSON.parse(answer.text);
  return { id, bearer: `Bearer ${made.token}` };
}

describe('with a key', () => {
  let owner: string;
  let admin: string;
  let member: string;
  let viewer: string;
  beforeAll(async () => {
    owner = (await makeKey(await join('owner@example.com', 'owner'))).bearer;
    admin = (await makeKey(await join('admin@example.com', 'admin'))).bearer;
    member = (await makeKey(await join('member@example.com', 'member'))).bearer;
    viewer = (await makeKey(await join('viewer@example.com', 'viewer'))).bearer;
  });

  it('that a person made for less nobody makes one for more', async () => {
    const reader = await makeKey(owner, { scope: ['logs:read'], apps: ['shop'] });
    const writer = await makeKey(owner, { scope: ['write'] });
    const ofShop = await makeKey(owner, { apps: ['shop'] });
    for (const { bearer } of [reader, ofShop])
      expect((await ask(bearer, 'POST /oauth/authorizations', {})).text).toContain('may not make others');
    const refused = await ask(writer.bearer, 'POST /oauth/authorizations', { scope: ['global'] });
    expect(refused).toMatchObject({ status: 403, text: expect.stringContaining('read') });
    // Left out it is made for what the other one was.
    const next = await makeKey(writer.bearer);
    expect(await statusOf(next.bearer, 'GET /apps/shop/config-vars')).toBe(403);
    expect(await statusOf(next.bearer, 'GET /people')).toBe(403);
    // Nor with the session that remembers it.
    const session = await fetch(`${server.url}/session`, {
      method: 'POST',
      headers: { authorization: reader.bearer },
    });
    const { csrf } = (await session.json()) as { csrf: string };
    const made = await fetch(`${server.url}/oauth/authorizations`, {
      method: 'POST',
      headers: { cookie: session.headers.get('set-cookie')?.split(';')[0] ?? '', 'x-csrf-token': csrf },
    });
    expect(made.status).toBe(403);
  });

  it('nobody sees, replaces or revokes the keys of others; an admin revokes them, but for those of owners', async () => {
    const ofOwner = await makeKey(owner);
    const ofAdmin = await makeKey(admin, { scope: ['read', 'read-protected', 'write', 'ingest'] });
    const ofMember = await makeKey(member);
    const machine = (
      await server.request<(Key & { current: boolean })[]>('GET', '/oauth/authorizations')
    ).find(({ current }) => current);
    const path = ({ id }: { id: string }): string => `/oauth/authorizations/${id}`;
    const replace = ({ id }: { id: string }): string => `POST ${path({ id })}/actions/regenerate-tokens`;
    for (const key of [ofOwner, ofAdmin, { id: machine?.id ?? '' }])
      for (const request of [`GET ${path(key)}`, `DELETE ${path(key)}`, replace(key)])
        expect([request, await statusOf(member, request)]).toEqual([request, 404]);
    const { text } = await ask(member, 'GET /oauth/authorizations');
    expect(text).toContain(ofMember.id);
    expect(text).not.toContain(ofAdmin.id);
    for (const key of [ofOwner, ofMember, { id: machine?.id ?? '' }])
      expect(await statusOf(admin, replace(key))).toBe(403);
    expect(await statusOf(`Bearer ${server.key}`, replace(ofMember))).toBe(403);
    expect(await statusOf(admin, `DELETE ${path(ofOwner)}`)).toBe(403);
    expect(await statusOf(admin, `DELETE ${path(ofMember)}`)).toBe(200);
    expect(await statusOf(owner, `DELETE ${path(ofAdmin)}`)).toBe(200);
    expect(await statusOf(ofMember.bearer, 'GET /account')).toBe(401);
  });

  it('a person of whatever role sees and revokes their own', async () => {
    const ofShop = await join('shop-viewer@example.com', 'viewer', 'shop');
    for (const person of [viewer, ofShop]) {
      const own = await makeKey(person);
      expect((await ask(person, 'GET /oauth/authorizations')).text).toContain(own.id);
      expect(await statusOf(own.bearer, `DELETE /oauth/authorizations/${own.id}`)).toBe(200);
      expect(await statusOf(own.bearer, 'GET /account')).toBe(401);
    }
  });

  it('scopes have names of their own', async () => {
    for (const word of ['constructor', '__proto__', 'toString'])
      expect(
        await ask(`Bearer ${server.key}`, 'POST /oauth/authorizations', { scope: [word] }),
      ).toMatchObject({
        status: 422,
        text: expect.stringContaining('There is no scope'),
      });
  });
});

/** Those that need another scope than `read` to look and `write` to change; each is here on purpose. */
const NAMED_SCOPES: Readonly<Record<string, readonly string[]>> = {
  apps: [
    'GET /account',
    'GET /account/rate-limits',
    'GET /apps',
    'GET /apps/{app}',
    'GET /apps/{app}/dynos',
    'GET /certificate-authority',
    'GET /dyno-sizes',
    'GET /dyno-sizes/{size}',
    'GET /regions',
    'GET /regions/{which}',
    'GET /stacks',
    'GET /stacks/{which}',
    'GET /users/{user}',
    'GET /users/{user}/apps',
    // Their handlers say what of them is for whom.
    'DELETE /oauth/authorizations/{id}',
    'GET /oauth/authorizations',
    'GET /oauth/authorizations/{id}',
    'PATCH /oauth/authorizations/{id}',
    'POST /oauth/authorizations',
    'POST /oauth/authorizations/{id}/actions/regenerate-tokens',
  ],
  'logs:read': ['GET /apps/{app}/log-counts', 'GET /apps/{app}/logs', 'POST /apps/{app}/log-sessions'],
  ingest: ['POST /logs'],
  'config:read': ['GET /apps/{app}/config-vars', 'GET /apps/{app}/releases/{release}/config-vars'],
  'config:write': ['PATCH /apps/{app}/config-vars'],
  'dynos:read': [
    'GET /apps/{app}/dynos/{dyno}',
    'GET /apps/{app}/formation',
    'GET /apps/{app}/formation/{type}',
  ],
  'dynos:write': [
    'DELETE /apps/{app}/dynos',
    'DELETE /apps/{app}/dynos/{dyno}',
    'DELETE /apps/{app}/formations/{dyno}',
    'PATCH /apps/{app}/formation',
    'PATCH /apps/{app}/formation/{type}',
    'POST /apps/{app}/dynos/{dyno}/actions/stop',
    'POST /apps/{app}/formations/{dyno}/actions/stop',
    'PUT /apps/{app}/formation',
  ],
  run: [
    'PATCH /apps/{app}/dynos/{dyno}',
    'POST /apps/{app}/dynos',
    'POST /apps/{app}/dynos/{dyno}',
    'POST /apps/{app}/dynos/{dyno}/actions/attach',
  ],
  'read-protected': [
    'GET /addon-manifests/{service}',
    'GET /addons/{addon}/config',
    'GET /apps/{app}/telemetry-drains',
    'GET /apps/{app}/tokens',
    'GET /client/v11/databases/{addon}',
    'GET /postgres/v0/databases/{addon}/credentials',
    'GET /postgres/v0/databases/{addon}/credentials/{credential}',
    'GET /redis/v0/databases/{addon}',
    'GET /telemetry-drains/{id}',
    'POST /client/v11/apps/{app}/transfers/{transfer}/actions/public-url',
  ],
  admin: [
    'DELETE /apps/{app}/collaborators/{person}',
    'DELETE /people/{person}',
    'GET /people',
    'PATCH /apps/{app}/collaborators/{person}',
    'PATCH /apps/{app}/log-limits',
    'POST /apps/{app}/collaborators',
    'POST /backups',
    'POST /people',
  ],
};

describe('at every route', () => {
  interface Route {
    readonly request: string;
    readonly scope: string;
  }
  let routes: Route[];
  let drain: string;
  beforeAll(async () => {
    await server.request('PATCH', '/apps/blog/config-vars', { SECRET: 'rosebud' });
    const exporter = {
      type: 'otlphttp',
      endpoint: 'http://127.0.0.1:9/v1/logs',
      headers: { 'x-key': 'rosebud' },
    };
    const owner = { id: 'blog', type: 'app' };
    drain = (await server.request<{ id: string }>('POST', '/telemetry-drains', { owner, exporter })).id;
    const { paths } = await server.request<{
      paths: Record<string, Record<string, { 'x-key-scope'?: string }>>;
    }>('GET', '/openapi.json');
    routes = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { 'x-key-scope': scope }]) =>
        // Whoever has these addresses needs no key.
        scope === undefined ? [] : [{ request: `${method.toUpperCase()} ${path}`, scope }],
      ),
    );
  });

  /** A request of a route with an app, and with what is of that app; `{}` for those that look. */
  function ofApp(route: Route, app: App): [request: string, body: unknown] {
    const { request } = route;
    const values: Record<string, string> = { app: app.name, id: drain, setup: app.name };
    const body = {
      app: app.name,
      addon: 'any',
      addon_attachment: 'any',
      owner: { id: app.id, type: 'app' },
      exporter: { type: 'otlphttp', endpoint: 'http://127.0.0.1:9/v1/other' },
      apps: [app.name],
      updates: [],
      plan: 'heroku-redis',
      source_blob: { url: 'x' },
      command: 'true',
      columns: 1,
      lines: 1,
    };
    const filled = request.replace(/\{(\w+)\}/g, (_all, name: string) => values[name] ?? 'any');
    return [filled, /^(GET|DELETE)/.test(request) ? undefined : body];
  }

  it('what is needed is what its method says, but for those that are known', () => {
    const named = new Map(
      Object.entries(NAMED_SCOPES).flatMap(([scope, all]) => all.map((request) => [request, scope] as const)),
    );
    for (const { request, scope } of routes)
      expect([request, scope]).toEqual([
        request,
        named.get(request) ?? (request.startsWith('GET') ? 'read' : 'write'),
      ]);
    const registered = routes.map(({ request }) => request);
    expect([...named.keys()].filter((request) => !registered.includes(request))).toEqual([]);
  });

  it.each([
    ['logs:read', ['apps', 'logs:read']],
    ['logs:write', ['ingest']],
    ['config', ['apps', 'config:read', 'config:write']],
    ['dynos', ['apps', 'dynos:read', 'dynos:write']],
    ['viewer', ['apps', 'read', 'logs:read', 'dynos:read']],
    [
      'member',
      [
        'apps',
        'read',
        'read-protected',
        'write',
        'ingest',
        'logs:read',
        'config:read',
        'config:write',
        'dynos:read',
        'dynos:write',
        'run',
      ],
    ],
  ])('%s is refused what it isn’t for', async (who, needed) => {
    const isRole = who === 'viewer' || who === 'member';
    const key = isRole
      ? await makeKey(await join(`every-${who}@example.com`, who))
      : await makeKey(`Bearer ${server.key}`, { scope: [who] });
    for (const route of routes) {
      const [request, body] = ofApp(route, blog);
      if (needed.includes(route.scope)) continue;
      const { status, text } = await ask(key.bearer, request, body);
      expect([request, [401, 403].includes(status)]).toEqual([request, true]);
      expect(text).not.toContain('rosebud');
    }
  });

  it.each(['a key of everything', 'an admin', 'a member', 'a viewer'])(
    '%s in one app learns and changes nothing of others',
    async (who) => {
      const key =
        who === 'a key of everything'
          ? await makeKey(`Bearer ${server.key}`, { scope: ['global'], apps: ['shop'] })
          : await makeKey(await join(`${who.slice(-5).trim()}@shop.example.com`, who.split(' ')[1], 'shop'));
      for (const route of routes) {
        const [request, body] = ofApp(route, blog);
        const { status, text } = await ask(key.bearer, request, body);
        expect([request, text.includes('rosebud'), text.includes('blog'), text.includes(blog.id)]).toEqual([
          request,
          false,
          false,
          false,
        ]);
        // As an app that there isn't; what changes something is refused, unless it is of no app.
        if (route.request.includes('{app}')) {
          const [ofNothing] = ofApp(route, { ...blog, name: 'nothing' });
          expect([request, { status, text }]).toEqual([request, await ask(key.bearer, ofNothing, body)]);
        }
        if (!route.request.startsWith('GET') && route.request !== 'POST /sources')
          expect([request, status >= 400]).toEqual([request, true]);
      }
      expect(await statusOf(key.bearer, 'GET /apps/shop')).toBe(200);
    },
  );

  it('and what is there is as it was', async () => {
    expect(await server.request('GET', '/apps/blog/config-vars')).toEqual({ SECRET: 'rosebud' });
    const drains = await server.request<{ id: string }[]>('GET', '/apps/blog/log-drains');
    expect(drains.map(({ id }) => id)).toEqual([drain]);
    expect(shop.id).not.toBe(blog.id);
  });
});

describe('the audit stream', () => {
  const AUDIT = 'tailrace-audit';
  const audited = (): Promise<string[]> => server.readLines({ id: '', name: AUDIT, token: '' });

  it('isn’t led elsewhere by whoever may not read it', async () => {
    const member = (await makeKey(await join('curious@example.com', 'member'))).bearer;
    const { id } = await server.request<App>('GET', `/apps/${AUDIT}`);
    const exporter = { type: 'otlphttp', endpoint: 'http://127.0.0.1:9/v1/logs' };
    for (const app of [AUDIT, id]) {
      const owner = { id: app, type: 'app' };
      expect(await statusOf(member, 'POST /telemetry-drains', { owner, exporter })).toBe(404);
      expect(await statusOf(member, 'POST /addon-attachments', { app, addon: 'any' })).toBe(404);
      expect(await statusOf(member, `GET /${app}.git/info/refs?service=git-receive-pack`)).toBe(401);
    }
    const drain = { owner: { id, type: 'app' }, exporter };
    const own = await server.request<{ id: string }>('POST', '/telemetry-drains', drain);
    for (const method of ['GET', 'DELETE'])
      expect(await statusOf(member, `${method} /telemetry-drains/${own.id}`)).toBe(404);
    await server.request('DELETE', `/telemetry-drains/${own.id}`);
  });

  it('is no longer read by who was an admin, and the invitations that they have made are over', async () => {
    const admin = await join('former@example.com', 'admin');
    const session = JSON.parse((await ask(admin, `POST /apps/${AUDIT}/log-sessions`, {})).text);
    const read = async (): Promise<number> => (await fetch(session.logplex_url)).status;
    expect(await read()).toBe(200);
    const tail = await fetch(`${server.url}/apps/${AUDIT}/logs?tail=true`, {
      headers: { authorization: admin },
    });
    const ended = tail.text();
    const friend = { email: 'friend@example.com', role: 'admin' };
    const { invitation_url: link } = JSON.parse((await ask(admin, 'POST /people', friend)).text);
    await server.request('POST', '/people', { email: 'former@example.com', role: 'viewer' });
    expect(await read()).toBe(404);
    await ended;
    expect(await accept(link, 'friend@example.com')).toBe(401);
  });

  it('tells who signs in, joins and pushes, and no address with its password or token', async () => {
    const person = await join('pushes@example.com', 'member', 'shop');
    await fetch(`${server.url}/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'pushes@example.com', password: PASSWORD }),
    });
    const url = 'https://user:rosebud-4@127.0.0.1:9/x';
    for (const body of [{ url }, { url: `${url}/y` }])
      await server.request('POST', '/apps/shop/log-drains', body);
    await server.request('POST', `/apps/shop/log-drains/${encodeURIComponent(url)}/actions/pause`, {});
    await server.request('DELETE', `/apps/shop/log-drains/${encodeURIComponent(url)}`);
    await server.request('DELETE', `/apps/shop/log-drains/${url}/y`);
    const { token } = await server.request<{ token: string }>('POST', '/apps/shop/tokens', { source: 'x' });
    await server.request('DELETE', `/apps/shop/tokens/${token}`);
    const push = await fetch(`${server.url}/shop.git/git-receive-pack`, {
      method: 'POST',
      headers: { authorization: person, 'content-type': 'application/x-git-receive-pack-request' },
      body: '0000',
    });
    await push.arrayBuffer();
    const lines = await until('the push', async () => {
      const all = await audited();
      return all.some((line) => line.includes('Push to the repository')) && all;
    });
    for (const expected of [
      /action="Accept an invitation" by=pushes@example\.com /,
      /action="Sign in" by=pushes@example\.com /,
      /action="Pause a drain" .* app=shop drain=https:\/\/user:\*+@127/,
      /action="Push to the repository of an app" by=pushes@example\.com app=shop /,
      /action="Remove a token" .* token=t\.\w{4}\*{4}/,
    ])
      expect(lines.join('\n')).toMatch(expected);
    expect(lines.filter((line) => line.includes('Remove a drain'))).toHaveLength(2);
    for (const secret of ['rosebud', token, PASSWORD, basic('pushes@example.com').slice(6)])
      expect(lines.join('\n')).not.toContain(secret);
  });

  it('has what somebody did who hung up before the answer', async () => {
    const body = JSON.stringify({ UNSEEN: 'rosebud' });
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const head = `PATCH /apps/shop/config-vars HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    socket.write(head + body, () => socket.resetAndDestroy());
    await until(
      'the change',
      async () => 'UNSEEN' in (await server.request<object>('GET', '/apps/shop/config-vars')),
    );
    await until('its line', async () => (await audited()).some((line) => line.includes('names=UNSEEN')));
  });
});

it('a member of one app can put a source for it', async () => {
  const person = await join('builds@example.com', 'member', 'shop');
  expect(await statusOf(person, 'POST /sources', {})).toBe(201);
  expect(await statusOf(await join('looks@example.com', 'viewer', 'shop'), 'POST /sources', {})).toBe(403);
});

it('an add-on that another app has attached is changed, and its page opened, by those alone who may at its owner', async () => {
  await server.request('POST', '/apps/blog/addons', { plan: 'mailgun', name: 'shared-mail' });
  await server.request('POST', '/addon-attachments', { addon: 'shared-mail', app: 'shop', name: 'MAIL' });
  const webUrl = async (authorization: string, path: string): Promise<unknown> =>
    JSON.parse((await ask(authorization, `GET ${path}`)).text).web_url;
  await until('its page', () => webUrl(`Bearer ${server.key}`, '/addons/shared-mail'));
  // The second one may look at all apps.
  const ofShop = (await makeKey(await join('uses@example.com', 'member', 'shop'))).bearer;
  const viewer = (await makeKey(await join('uses-and-looks@example.com', 'viewer'))).bearer;
  await server.request('POST', '/people', {
    email: 'uses-and-looks@example.com',
    role: 'member',
    app: 'shop',
  });
  for (const user of [ofShop, viewer])
    for (const name of ['shared-mail', 'MAIL', 'mailgun']) {
      const path = `/apps/shop/addons/${name}`;
      expect(await webUrl(user, path)).toBeNull();
      expect(await statusOf(user, `DELETE ${path}`, { force: true })).toBe(403);
      expect(await statusOf(user, `PATCH ${path}`, { name: 'mine' })).toBe(403);
    }
  expect(await webUrl(viewer, '/addons/shared-mail')).toBeNull();
  expect(await statusOf(ofShop, 'GET /addons/shared-mail')).toBe(404);
  expect(await statusOf(ofShop, 'DELETE /apps/shop/addon-attachments/MAIL')).toBe(200);
  expect(await statusOf(`Bearer ${server.key}`, 'GET /addons/shared-mail')).toBe(200);
});

it('whoever guesses behind a proxy on this machine keeps nobody else there from signing in', async () => {
  const proxied = await startServerForTest({ env: { TAILRACE_PUBLIC_URL: 'https://logs.example.com' } });
  const guess = async (from: string): Promise<number> => {
    const response = await fetch(`${proxied.url}/invitations/accept`, {
      method: 'POST',
      // What the client has said itself comes before what the proxy adds.
      headers: { 'content-type': 'application/json', 'x-forwarded-for': `${Math.random()}, ${from}` },
      body: JSON.stringify({ token: 'x', email: 'a@example.com', password: PASSWORD }),
    });
    return response.status;
  };
  for (let i = 0; i < 10; i++) expect(await guess('192.0.2.1')).toBe(401);
  expect(await guess('192.0.2.1')).toBe(429);
  expect(await guess('192.0.2.2')).toBe(401);
});
