/** Who may do what in the viewer: the first start, sessions, invitations, keys, and what other sites' pages can't do. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { pushLines } from '../../support/senders/send-lines.ts';
import {
  startViewer,
  type Viewer,
  type ViewerGroup,
  type ViewerStream,
} from '../../support/viewer/viewer.ts';

const PASSWORD = 'correct horse battery';

let viewer: Viewer;
let owner: Browser;
beforeAll(async () => {
  viewer = await startViewer({ env: { VIEWER_API_KEY: '' } });
});
afterAll(async () => {
  await viewer?.kill();
  rmSync(viewer.data, { recursive: true, force: true });
});

/** What a browser does with a session: its cookie, and what its page sends. */
class Browser {
  cookie = '';
  csrf = '';

  async fetch(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const response = await viewer.fetch(method, path, body, {
      cookie: this.cookie,
      'x-csrf-token': this.csrf,
      'sec-fetch-site': 'same-origin',
      ...headers,
    });
    const set = response.headers.get('set-cookie');
    if (set !== null) this.cookie = set.split(';')[0];
    return response;
  }

  async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.fetch(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    const answer = text === '' ? undefined : JSON.parse(text);
    if (typeof answer?.csrf === 'string') this.csrf = answer.csrf;
    return answer as T;
  }
}

async function signedIn(email: string, password = PASSWORD): Promise<Browser> {
  const browser = new Browser();
  await browser.request('POST', '/api/session', { email, password });
  return browser;
}

async function invited(email: string, rights: object): Promise<Browser> {
  const { url } = await owner.request<{ url: string }>('POST', '/api/invites', { email, ...rights });
  const token = new URL(url).hash.replace('#invite=', '');
  const browser = new Browser();
  await browser.request('POST', '/api/invites/accept', { token, email, password: PASSWORD });
  return browser;
}

const as = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });
const status = async (of: Promise<Response>): Promise<number> => (await of).status;

describe('the first start', () => {
  it('prints a link that makes an owner, once', async () => {
    const token = viewer.firstRunToken ?? '';
    expect(token).toHaveLength(43);
    expect(await (await new Browser().fetch('GET', '/api/session')).json()).toMatchObject({
      id: 'unauthorized',
      firstRun: true,
    });
    owner = new Browser();
    const email = 'ada@example.com';
    expect(
      await status(owner.fetch('POST', '/api/first-run', { token: 'x', email, password: PASSWORD })),
    ).toBe(401);
    expect(await status(owner.fetch('POST', '/api/first-run', { token, email, password: 'short' }))).toBe(
      422,
    );
    expect(
      await status(owner.fetch('POST', '/api/first-run', { token, email: 'ada', password: PASSWORD })),
    ).toBe(422);
    await owner.request('POST', '/api/first-run', { token, email, password: PASSWORD });
    expect(await owner.request('GET', '/api/session')).toMatchObject({ user: { email, role: 'owner' } });
    expect(
      await status(
        owner.fetch('POST', '/api/first-run', { token, email: 'eve@example.com', password: PASSWORD }),
      ),
    ).toBe(401);
    expect(await (await new Browser().fetch('GET', '/api/session')).json()).not.toHaveProperty('firstRun');
  });

  it('everything but signing in, the page and /health wants somebody who is known', async () => {
    const nobody = new Browser();
    for (const path of [
      '/api/groups',
      '/api/search',
      '/api/counts',
      '/api/values?field=a',
      '/api/fields',
      '/api/tail',
      '/api/download',
      '/api/status',
      '/api/users',
      '/api/keys',
      '/api/invites',
      '/metrics',
    ])
      expect([path, await status(nobody.fetch('GET', path))]).toEqual([path, 401]);
    expect(await status(nobody.fetch('GET', '/health'))).toBe(200);
    expect(await status(nobody.fetch('GET', '/'))).toBe(200);
  });
});

describe('a session', () => {
  it('is in a cookie that scripts and other sites don’t get, and every answer has strict headers', async () => {
    const response = await new Browser().fetch('POST', '/api/session', {
      email: 'Ada@Example.com',
      password: PASSWORD,
    });
    expect(response.headers.get('set-cookie')).toMatch(
      /^viewer_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    for (const path of ['/api/session', '/', '/health', '/api/nothing', '/nothing', '/api/search']) {
      const { headers } = await viewer.fetch('GET', path, undefined, {});
      expect([path, headers.get('content-security-policy')]).toEqual([
        path,
        expect.stringMatching(/^default-src 'none'; script-src 'self'.*require-trusted-types-for 'script'/),
      ]);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it('is marked for TLS alone behind a proxy that is believed, and not because a client says so', async () => {
    const send = { 'x-forwarded-proto': 'https' };
    const response = await new Browser().fetch(
      'POST',
      '/api/session',
      { email: 'ada@example.com', password: PASSWORD },
      send,
    );
    expect(response.headers.get('set-cookie')).not.toContain('Secure');
  });

  it('changes nothing without what its page alone knows, nor for another site', async () => {
    const browser = await signedIn('ada@example.com');
    const create = (headers: Record<string, string>): Promise<number> =>
      status(browser.fetch('POST', '/api/groups', { name: 'forged' }, headers));
    expect(await create({ 'x-csrf-token': '' })).toBe(403);
    expect(await create({ 'x-csrf-token': owner.csrf })).toBe(403);
    expect(await create({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await create({ 'sec-fetch-site': 'same-site' })).toBe(403);
    const login = { email: 'ada@example.com', password: PASSWORD };
    expect(
      await status(browser.fetch('POST', '/api/session', login, { 'sec-fetch-site': 'cross-site' })),
    ).toBe(403);
    const old = { cookie: browser.cookie, 'x-csrf-token': browser.csrf };
    expect(
      await status(
        viewer.fetch('POST', '/api/groups', { name: 'f' }, { ...old, origin: 'https://evil.example' }),
      ),
    ).toBe(403);
    expect(await status(viewer.fetch('DELETE', '/api/session', undefined, { ...old, origin: 'null' }))).toBe(
      403,
    );
    expect((await owner.request<ViewerGroup[]>('GET', '/api/groups')).map(({ name }) => name)).not.toContain(
      'forged',
    );
    expect(await create({})).toBe(201);
  });

  it('a page of another site opens no WebSocket with it', async () => {
    const open = (headers: Record<string, string>): Promise<string> =>
      new Promise((resolve) => {
        const socket = new WebSocket(`${viewer.url.replace('http', 'ws')}/api/tail`, {
          headers: { cookie: owner.cookie, ...headers },
        });
        socket.on('open', () => {
          socket.terminate();
          resolve('open');
        });
        socket.on('unexpected-response', (_request, response) => resolve(String(response.statusCode)));
        socket.on('error', () => undefined);
      });
    expect(await open({ origin: 'https://evil.example' })).toBe('403');
    expect(await open({ origin: viewer.url })).toBe('open');
    expect(await open({ origin: viewer.url, cookie: '' })).toBe('401');
  });

  it('ends with signing out, and everywhere when the password changes', async () => {
    const one = await signedIn('ada@example.com');
    const cookie = one.cookie;
    await one.request('DELETE', '/api/session');
    expect(await status(viewer.fetch('GET', '/api/groups', undefined, { cookie }))).toBe(401);
    const [here, there] = [await signedIn('ada@example.com'), await signedIn('ada@example.com')];
    const next = 'another horse battery';
    expect(await status(here.fetch('POST', '/api/password', { current: 'wrong', password: next }))).toBe(403);
    await here.request('POST', '/api/password', { current: PASSWORD, password: next });
    expect(await status(here.fetch('GET', '/api/groups'))).toBe(200);
    expect(await status(there.fetch('GET', '/api/groups'))).toBe(401);
    expect(await status(owner.fetch('GET', '/api/groups'))).toBe(401);
    await here.request('POST', '/api/password', { current: next, password: PASSWORD });
    owner = here;
  });

  it('passwords can’t be guessed for long, whoever is named', async () => {
    const answers: number[] = [];
    for (let i = 0; i < 12; i++)
      answers.push(
        await status(
          new Browser().fetch('POST', '/api/first-run', {
            token: `${i}`,
            email: 'a@b.c',
            password: PASSWORD,
          }),
        ),
      );
    expect(answers).toContain(401);
    expect(answers.at(-1)).toBe(429);
    expect(await status(owner.fetch('GET', '/api/groups'))).toBe(200);
  });
});

describe('roles', () => {
  let shop: ViewerGroup;
  let stream: ViewerStream;
  let other: ViewerGroup;
  beforeAll(async () => {
    // What was guessed above is forgotten.
    const { data } = viewer;
    await viewer.close();
    viewer = await startViewer({ data, env: { VIEWER_API_KEY: '' } });
    expect(viewer.firstRunToken).toBeUndefined();
    shop = await owner.request('POST', '/api/groups', { name: 'shop' });
    other = await owner.request('POST', '/api/groups', { name: 'other' });
    stream = await owner.request('POST', `/api/groups/${shop.id}/streams`, { name: 'web' });
    await pushLines(viewer, stream.token, ['in the shop']);
  });

  it('a reader of a group reads it, learns no token, and knows of no other', async () => {
    const reader = await invited('reader@example.com', { groups: { [shop.id]: 'reader' } });
    const groups = await reader.request<ViewerGroup[]>('GET', '/api/groups');
    expect(groups.map(({ name }) => name)).toEqual(['shop']);
    expect(JSON.stringify(groups)).not.toMatch(/t\.[0-9a-f-]{36}/);
    const found = await reader.request<{ lines: unknown[] }>('GET', '/api/search?q=shop');
    expect(found.lines).toHaveLength(1);
    const refused: [number, string, string, object?][] = [
      [404, 'GET', `/api/search?group=${other.id}`],
      [404, 'GET', `/api/tail?group=${other.id}`],
      [404, 'GET', `/api/groups/${other.id}`],
      [404, 'GET', `/api/download?group=${other.id}`],
      [404, 'PATCH', `/api/groups/${other.id}`, { name: 'x' }],
      [403, 'PATCH', `/api/groups/${shop.id}`, { name: 'x' }],
      [403, 'POST', `/api/groups/${shop.id}/streams`, { name: 'x' }],
      [403, 'DELETE', `/api/streams/${stream.id}`],
      [403, 'POST', '/api/groups', { name: 'x' }],
      [403, 'GET', '/api/users'],
      [403, 'GET', '/api/status'],
      [403, 'POST', '/api/invites', { groups: { [shop.id]: 'reader' } }],
      [404, 'POST', '/api/invites', { groups: { [other.id]: 'reader' } }],
      [403, 'POST', '/api/keys', { name: 'mine', scope: 'admin' }],
    ];
    for (const [expected, method, path, body] of refused)
      expect([method, path, await status(reader.fetch(method, path, body))]).toEqual([
        method,
        path,
        expected,
      ]);
  });

  it('who owns a group gives rights in it, and in no other', async () => {
    const lead = await invited('lead@example.com', { groups: { [shop.id]: 'owner' } });
    expect((await lead.request<ViewerGroup[]>('GET', '/api/groups'))[0].token).toBe(shop.token);
    await lead.request('POST', '/api/invites', { groups: { [shop.id]: 'member' } });
    expect(await status(lead.fetch('POST', '/api/invites', { groups: { [other.id]: 'reader' } }))).toBe(404);
    expect(await status(lead.fetch('POST', '/api/invites', { role: 'reader' }))).toBe(403);
    expect(await lead.request('GET', '/api/invites')).toHaveLength(1);
    expect(
      await status(lead.fetch('POST', '/api/keys', { name: 'k', groups: [shop.id], scope: 'read' })),
    ).toBe(201);
  });

  it('an invitation is good once; taken back it isn’t; the last owner stays', async () => {
    const { url, id } = await owner.request<{ url: string; id: string }>('POST', '/api/invites', {
      role: 'reader',
    });
    const token = new URL(url).hash.replace('#invite=', '');
    await owner.request('DELETE', `/api/invites/${id}`);
    const accept = { token, email: 'late@example.com', password: PASSWORD };
    expect(await status(new Browser().fetch('POST', '/api/invites/accept', accept))).toBe(401);
    const users = await owner.request<{ id: string; email: string }[]>('GET', '/api/users');
    const ada = users.find(({ email }) => email === 'ada@example.com')!;
    expect(JSON.stringify(users)).not.toContain('scrypt');
    expect(await status(owner.fetch('DELETE', `/api/users/${ada.id}`))).toBe(409);
    expect(await status(owner.fetch('PATCH', `/api/users/${ada.id}`, { role: 'reader' }))).toBe(409);
  });

  it('a user who is removed, or given less, is out at once: their tail ends too', async () => {
    const gone = await invited('gone@example.com', { groups: { [shop.id]: 'reader' } });
    const tail = await gone.fetch('GET', `/api/tail?group=${shop.id}`);
    const reader = tail.body!.getReader();
    await reader.read();
    const users = await owner.request<{ id: string; email: string }[]>('GET', '/api/users');
    await owner.request(
      'DELETE',
      `/api/users/${users.find(({ email }) => email === 'gone@example.com')!.id}`,
    );
    for (;;) if ((await reader.read()).done) break;
    expect(await status(gone.fetch('GET', '/api/groups'))).toBe(401);
  });

  it('keys are of a scope and of groups, and are shown once', async () => {
    const make = (body: object): Promise<{ key: string; id: string }> =>
      owner.request('POST', '/api/keys', body);
    const read = await make({ name: 'dashboards', scope: 'read' });
    const write = await make({ name: 'deploys', scope: 'write', groups: [shop.id] });
    const admin = await make({ name: 'terraform', scope: 'admin' });
    expect(JSON.stringify(await owner.request('GET', '/api/keys'))).not.toContain(read.key);
    expect(await status(viewer.fetch('GET', '/api/search', undefined, as(read.key)))).toBe(200);
    expect(await status(viewer.fetch('POST', '/api/groups', { name: 'x' }, as(read.key)))).toBe(403);
    expect(await status(viewer.fetch('GET', `/api/search?group=${other.id}`, undefined, as(write.key)))).toBe(
      404,
    );
    expect(await status(viewer.fetch('POST', '/api/groups', { name: 'made by a key' }, as(admin.key)))).toBe(
      201,
    );
    // As the password of Basic, too, as curl sends it.
    const basic = { authorization: `Basic ${btoa(`x:${read.key}`)}` };
    expect(await status(viewer.fetch('GET', '/api/groups', undefined, basic))).toBe(200);
    await owner.request('DELETE', `/api/keys/${read.id}`);
    expect(await status(viewer.fetch('GET', '/api/search', undefined, as(read.key)))).toBe(401);
    expect(await status(owner.fetch('POST', '/api/keys', { name: 'x', scope: 'root' }))).toBe(422);
    expect(await status(owner.fetch('POST', '/api/keys', { name: 'x', more: 1 }))).toBe(422);
  });

  it('groups and streams: made, renamed, moved, removed with their lines', async () => {
    const kept = await owner.request<ViewerGroup>('POST', '/api/groups', { name: 'short-lived' });
    const made = await owner.request<ViewerStream>('POST', `/api/groups/${kept.id}/streams`, { name: 'a' });
    await pushLines(viewer, made.token, ['soon gone']);
    expect(await status(owner.fetch('POST', `/api/groups/${kept.id}/streams`, { name: 'A ' }))).toBe(409);
    expect(await status(owner.fetch('POST', '/api/groups', { name: '' }))).toBe(422);
    expect(await status(owner.fetch('POST', '/api/groups', { nam: 'x' }))).toBe(422);
    await owner.request('PATCH', `/api/streams/${made.id}`, { name: 'b', group: shop.id });
    expect(await owner.request('GET', `/api/streams/${made.id}`)).toMatchObject({
      name: 'b',
      group: shop.id,
    });
    expect(
      (await owner.request<{ lines: unknown[] }>('GET', `/api/search?group=${shop.id}&q="soon gone"`)).lines,
    ).toHaveLength(1);
    await owner.request('DELETE', `/api/streams/${made.id}`);
    expect(
      (await owner.request<{ lines: unknown[] }>('GET', '/api/search?q="soon gone"')).lines,
    ).toHaveLength(0);
    await expect(pushLines(viewer, made.token, ['late'])).rejects.toThrow('401');
    await owner.request('DELETE', `/api/groups/${kept.id}`);
    await expect(pushLines(viewer, kept.token, ['late'])).rejects.toThrow('401');
    expect(await status(owner.fetch('GET', `/api/search?group=${kept.id}`))).toBe(404);
  });
});
