/** Keys by scope and by app, at every route; and the audit stream, which says who changed what. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { runTailrace } from '../../support/program.ts';
import { pushLines } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
let shop: App;
let blog: App;
beforeAll(async () => {
  server = await startServer();
  shop = await server.createApp('shop');
  blog = await server.createApp('blog');
  await server.request('PATCH', '/apps/shop/config-vars', { PASSWORD: 'rosebud' });
});
afterAll(() => server.close());

interface Key {
  readonly id: string;
  readonly access_token: { readonly token: string };
}

async function makeKey(scope: string[], apps?: string[]): Promise<string> {
  const description = `${scope.join(' ')} ${apps ?? ''}`.trim();
  const body = { scope, apps, description };
  return (await server.request<Key>('POST', '/oauth/authorizations', body)).access_token.token;
}

async function ask(key: string, request: string, body?: unknown): Promise<{ status: number; text: string }> {
  const [method, path] = request.split(' ');
  const response = await fetch(server.url + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

/** Is the key refused for its scope? What comes after that may fail for its own reasons. */
const refuses = async (key: string, request: string, body?: unknown): Promise<boolean> =>
  [401, 403].includes((await ask(key, request, body)).status);

const READS = {
  logs: ['GET /apps/shop/logs', 'GET /apps/shop/log-counts?since=1h'],
  apps: ['GET /apps', 'GET /apps/shop', 'GET /account', 'GET /apps/shop/dynos'],
  config: ['GET /apps/shop/config-vars', 'GET /apps/shop/releases/2/config-vars'],
  secrets: ['GET /apps/shop/tokens'],
  dynos: ['GET /apps/shop/formation'],
  other: ['GET /apps/shop/releases', 'GET /apps/shop/log-drains', 'GET /status', 'GET /oauth/authorizations'],
};

describe('a key reads what its scope names, and nothing else', () => {
  it.each([
    [['logs:read'], ['logs', 'apps']],
    [['config'], ['config', 'apps']],
    [['dynos'], ['dynos', 'apps']],
    [['logs:write'], []],
    [['read'], ['logs', 'apps', 'dynos', 'other']],
    [['read-protected'], ['logs', 'apps', 'config', 'secrets', 'dynos', 'other']],
    [['admin'], ['logs', 'apps', 'config', 'secrets', 'dynos', 'other']],
  ])('%s: %s', async (scope, allowed) => {
    const key = await makeKey(scope);
    for (const [kind, requests] of Object.entries(READS))
      for (const request of requests)
        expect([request, await refuses(key, request)]).toEqual([request, !allowed.includes(kind)]);
  });
});

describe('a key changes what its scope names, and nothing else', () => {
  const CHANGES: [kind: string, request: string, body?: unknown][] = [
    ['config', 'PATCH /apps/shop/config-vars', { A: '1' }],
    ['dynos', 'PATCH /apps/shop/formation', { updates: [] }],
    ['dynos', 'DELETE /apps/shop/dynos'],
    ['run', 'POST /apps/shop/dynos', { command: 'true\0' }],
    ['other', 'POST /apps/shop/log-drains', {}],
    ['other', 'POST /apps/shop/tokens', { source: '-' }],
    ['other', 'POST /apps', { name: '-' }],
    ['logs', 'POST /apps/shop/log-sessions', {}],
    ['lines', `POST /logs?token=TOKEN`, []],
  ];
  it.each([
    [['logs:read'], ['logs']],
    [['config'], ['config']],
    [['dynos'], ['dynos']],
    [
      ['dynos', 'config'],
      ['dynos', 'config', 'run'],
    ],
    [['logs:write'], ['lines']],
    [['read-protected'], ['logs']],
    [['write'], ['config', 'dynos', 'run', 'other']],
    [['admin'], ['config', 'dynos', 'run', 'other', 'logs', 'lines']],
  ])('%s: %s', async (scope, allowed) => {
    const key = await makeKey(scope);
    for (const [kind, request, body] of CHANGES)
      expect([request, await refuses(key, request.replace('TOKEN', shop.token), body)]).toEqual([
        request,
        !allowed.includes(kind),
      ]);
  });

  it('and says which scope is missing', async () => {
    const { text } = await ask(await makeKey(['logs:read']), 'GET /apps/shop/config-vars');
    expect(JSON.parse(text).message).toContain('config or read-protected or read with write or admin');
  });
});

describe('a key of one app', () => {
  let key: string;
  beforeAll(async () => {
    key = await makeKey(['admin'], ['shop']);
  });

  it('may do everything there, and learns nothing of others', async () => {
    expect(JSON.parse((await ask(key, 'GET /apps')).text)).toMatchObject([{ name: 'shop' }]);
    expect((await ask(key, 'GET /apps/shop/config-vars')).status).toBe(200);
    for (const request of [
      'GET /apps/blog',
      `GET /apps/${blog.id}`,
      'GET /apps/blog/logs',
      'GET /apps/blog/config-vars',
      'POST /apps/blog/log-sessions',
      'DELETE /apps/blog',
      'GET /apps/nothing',
      'GET /apps/tailrace-audit/logs',
    ])
      expect([request, await ask(key, request)]).toEqual([
        request,
        { status: 404, text: '{"id":"not_found","message":"Couldn\'t find that app."}' },
      ]);
  });

  it('is refused what concerns all apps, in a sentence', async () => {
    for (const request of [
      'GET /status',
      'GET /metrics',
      'GET /addons',
      'GET /oauth/authorizations',
      'POST /apps',
    ])
      expect([request, (await ask(key, request, request.startsWith('POST') ? {} : undefined)).text]).toEqual([
        request,
        expect.stringContaining('is for some apps alone'),
      ]);
    expect((await ask(key, 'POST /oauth/authorizations', {})).text).toContain('may not make others');
  });

  it('sends its lines alone', async () => {
    const line = JSON.stringify([{ message: 'of a key' }]);
    const post = async (query: string): Promise<number> => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      return (await fetch(`${server.url}/logs${query}`, { method: 'POST', headers, body: line })).status;
    };
    expect(await post(`?token=${shop.token}`)).toBe(200);
    expect(await post(`?token=${blog.token}`)).toBe(401);
    expect(await post('')).toBe(403);
    expect(await server.readMessages(shop)).toContain('of a key');
    expect(await server.readMessages(blog)).not.toContain('of a key');
  });

  it('tails its stream alone, and pushes to its repository alone', async () => {
    const opens = (app: string): Promise<string> =>
      new Promise((resolve) => {
        const headers = { authorization: `Bearer ${key}` };
        const socket = new WebSocket(`${server.url.replace('http', 'ws')}/apps/${app}/tail`, { headers });
        socket.on('open', () => {
          socket.close();
          resolve('open');
        });
        socket.on('error', (error) => resolve(error.message));
      });
    expect(await opens('shop')).toBe('open');
    expect(await opens('blog')).toContain('404');
    const git = async (app: string): Promise<number> => {
      const headers = { authorization: `Basic ${Buffer.from(`x:${key}`).toString('base64')}` };
      const path = `/${app}.git/info/refs?service=git-receive-pack`;
      return (await fetch(server.url + path, { headers })).status;
    };
    expect(await git('shop')).toBe(200);
    expect(await git('blog')).toBe(401);
    expect(await git('nothing')).toBe(401);
  });

  it('ends with its app', async () => {
    await server.createApp('gone');
    const gone = await makeKey(['admin'], ['gone']);
    await server.request('DELETE', '/apps/gone');
    expect((await ask(gone, 'GET /apps')).text).toBe('[]');
    // An app of that name isn't the one that it was for.
    await server.createApp('gone');
    expect((await ask(gone, 'GET /apps/gone')).status).toBe(404);
  });

  it('for apps that aren’t there, or none, can’t be made', async () => {
    await expect(makeKey(['read'], ['nothing'])).rejects.toThrow("Couldn't find that app.");
    await expect(makeKey(['read'], [])).rejects.toThrow('leave it out for all of them');
  });
});

describe('on the command line', () => {
  it('keys are made by scope and app, and listed with their last use', async () => {
    const env = { TAILRACE_URL: server.url, TAILRACE_API_KEY: server.key };
    const made = await runTailrace(
      ['authorizations:create', '-s', 'logs:read', '--app', 'shop,blog', '-d', 'reader'],
      { env },
    );
    expect(made.stderr).toBe('');
    const reader = { TAILRACE_URL: server.url, TAILRACE_API_KEY: made.stdout.trim() };
    expect((await runTailrace(['logs', '-a', 'blog'], { env: reader })).status).toBe(0);
    const refused = await runTailrace(['config', '-a', 'shop'], { env: reader });
    expect(refused.stderr).toContain('an API key with the scope config');
    const listed = await until('its use', async () => {
      const { stdout } = await runTailrace(['authorizations'], { env });
      const row = stdout.split('\n').find((one) => one.includes('reader'));
      return row?.includes(' ago ') && row;
    });
    expect(listed).toMatch(/logs:read +shop,blog +forever +used .+ ago +reader/);
    const [key] = (
      await server.request<(Key & Record<string, string>)[]>('GET', '/oauth/authorizations')
    ).filter(({ description }) => description === 'reader');
    expect(key).toMatchObject({
      made_from: '127.0.0.1',
      made_with: 'the key of this machine',
      last_used_from: '127.0.0.1',
    });
  });
});

describe('the audit stream', () => {
  const audited = (): Promise<string[]> => server.readLines({ id: '', name: 'tailrace-audit', token: '' });

  it('says who changed what: names, never values', async () => {
    await server.createApp('audited');
    const id = { description: 'deploys', scope: ['write'], apps: ['audited'] };
    const { access_token: made } = await server.request<Key>('POST', '/oauth/authorizations', id);
    await ask(made.token, 'PATCH /apps/audited/config-vars', { SECRET: 'rosebud-2', OTHER: null });
    await ask(made.token, 'POST /apps/audited/log-drains', { url: 'https://user:rosebud-3@127.0.0.1:9/' });
    await ask(made.token, 'POST /apps/audited/tokens', { source: '-' });
    await server.request('DELETE', '/apps/audited');
    const lines = await until('the last one', async () => {
      const own = (await audited()).filter((line) => line.includes('audited'));
      return own.at(-1)?.includes('Destroy an app') && own;
    });
    expect(lines.map((line) => line.replace(/^\S+ /, '').replace(/(key|request)=\S+/g, '$1=…'))).toEqual([
      'heroku[audit]: action="Create an app" by="the key of this machine" app=audited name=audited key=… from=127.0.0.1 request=…',
      'heroku[audit]: action="Make an API key; the answer is the only one that has it" by="the key of this machine" description=deploys scope=write apps=audited key=… from=127.0.0.1 request=…',
      expect.stringMatching(
        /^heroku\[audit\]: action="Change config vars: .*" by=deploys app=audited names=SECRET,OTHER key=… from=127\.0\.0\.1 request=…$/,
      ),
      expect.stringMatching(/ by=deploys app=audited url=https:\/\/user:\*+@127\.0\.0\.1:9\/ key=…/),
      'heroku[audit]: action="Destroy an app" by="the key of this machine" app=audited key=… from=127.0.0.1 request=…',
    ]);
    expect((await audited()).join()).not.toContain('rosebud');
  });

  it('is searched as any other, by its fields', async () => {
    const { stdout } = await runTailrace(['logs', '-a', 'tailrace-audit', '-q', 'by:deploys names:SECRET'], {
      env: { TAILRACE_URL: server.url, TAILRACE_API_KEY: server.key },
    });
    expect(stdout.trim().split('\n')).toHaveLength(1);
  });

  it('is read by those alone who may do everything, isn’t listed, and stays', async () => {
    const reader = await makeKey(['read-protected']);
    expect((await ask(reader, 'GET /apps/tailrace-audit/logs')).status).toBe(404);
    expect((await ask(reader, 'POST /apps/tailrace-audit/log-sessions', {})).status).toBe(404);
    expect((await ask(server.key, 'GET /apps')).text).not.toContain('tailrace-audit');
    expect((await ask(server.key, 'DELETE /apps/tailrace-audit')).status).toBe(409);
    expect((await ask(server.key, 'PATCH /apps/tailrace-audit', { name: 'other' })).status).toBe(409);
    expect((await ask(server.key, 'POST /apps', { name: 'tailrace-audit' })).status).toBe(422);
    const deletion = { to: '2099-01-01T00:00:00Z', confirm: 'tailrace-audit' };
    expect((await ask(server.key, 'POST /apps/tailrace-audit/line-deletions', deletion)).status).toBe(409);
    // What it may hold can be more than others, and not less.
    const limit = async (limits: object): Promise<number> =>
      (await ask(server.key, 'PATCH /apps/tailrace-audit/log-limits', limits)).status;
    for (const less of [{ lines: 1 }, { bytes: 1 }, { age_s: 1 }]) expect(await limit(less)).toBe(409);
    expect([await limit({ age_s: 86_400_000 }), await limit({ age_s: null })]).toEqual([200, 200]);
  });
});

it('the description of the API says which scope each request needs', async () => {
  const { paths } = await server.request<{
    paths: Record<string, Record<string, { 'x-key-scope'?: string; description?: string }>>;
  }>('GET', '/openapi.json');
  expect(paths['/apps/{app}/config-vars'].get['x-key-scope']).toBe('config:read');
  expect(paths['/apps/{app}/dynos'].post.description).toBe(
    'Needs a key with write or dynos with config or admin.',
  );
  for (const [path, operations] of Object.entries(paths))
    for (const [method, { 'x-key-scope': scope }] of Object.entries(operations))
      if (!/^\/(sessions|sources\/)/.test(path))
        expect([path, method, scope]).toEqual([path, method, expect.any(String)]);
});

it('lines of others aren’t read by way of a search over apps', async () => {
  await pushLines(server, blog.token, ['a secret of the blog']);
  const key = await makeKey(['logs:read'], ['shop']);
  const { text } = await ask(key, 'GET /apps/shop/logs?q=secret');
  expect(text).toBe('');
});
