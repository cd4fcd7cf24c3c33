/** People: invited, with roles on all apps or on one, signed in with a password in programs and browsers; and what ends when they go. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { runTailrace } from '../../support/program.ts';
import { type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const PASSWORD = 'correct horse battery';

let server: Server;
let env: Record<string, string>;
beforeAll(async () => {
  server = await startServer();
  await server.createApp('shop');
  await server.createApp('blog');
  env = { TAILRACE_URL: server.url, TAILRACE_API_KEY: server.key };
});
afterAll(() => server.close());

/** What a browser has of a session. */
interface Browser {
  readonly cookie: string;
  readonly csrf: string;
}

const linkIn = (stdout: string): string => /#invite=(\S+)/.exec(stdout)?.[1] ?? '';

async function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

async function browserOf(response: Response): Promise<Browser> {
  const text = await response.text();
  expect([response.status, text]).toEqual([expect.any(Number), expect.stringContaining('csrf')]);
  return { cookie: response.headers.get('set-cookie')?.split(';')[0] ?? '', csrf: JSON.parse(text).csrf };
}

/** Invites somebody on the command line, who follows the link. */
async function joinAs(email: string, ...args: string[]): Promise<Browser> {
  const added = await runTailrace(['access:add', email, ...args], { env });
  const token = linkIn(added.stdout);
  return browserOf(await post('/invitations/accept', { token, email, password: PASSWORD }));
}

async function ask(
  browser: Browser,
  request: string,
  body?: object,
): Promise<{ status: number; text: string }> {
  const [method, path] = request.split(' ');
  const response = await fetch(server.url + path, {
    method,
    headers: {
      cookie: browser.cookie,
      ...(method !== 'GET' && { 'x-csrf-token': browser.csrf }),
      ...(body && { 'content-type': 'application/json' }),
    },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}
const statusOf = async (browser: Browser, request: string, body?: object): Promise<number> =>
  (await ask(browser, request, body)).status;

describe('roles', () => {
  it('a viewer reads, but no secrets, and changes nothing', async () => {
    const browser = await joinAs('vera@example.com', '--role', 'viewer');
    expect(await statusOf(browser, 'GET /apps/shop/logs')).toBe(200);
    expect(await statusOf(browser, 'GET /apps/shop/releases')).toBe(200);
    for (const request of [
      'GET /apps/shop/config-vars',
      'GET /apps/shop/tokens',
      'GET /people',
      'DELETE /apps/shop',
    ])
      expect([request, await statusOf(browser, request)]).toEqual([request, 403]);
    expect((await ask(browser, 'PATCH /apps/shop/config-vars', { A: '1' })).text).toContain(
      "Your role doesn't give that",
    );
  });

  it('a member changes anything but who may do what', async () => {
    const browser = await joinAs('mel@example.com');
    expect(await statusOf(browser, 'PATCH /apps/shop/config-vars', { A: '1' })).toBe(200);
    expect(await statusOf(browser, 'POST /people', { email: 'x@example.com' })).toBe(403);
    expect(await statusOf(browser, 'GET /apps/tailrace-audit/logs')).toBe(404);
    await server.request('PATCH', '/apps/shop/formation', { updates: [] });
  });

  it('an admin gives roles, but makes and changes no owner', async () => {
    const browser = await joinAs('adam@example.com', '-r', 'admin');
    await joinAs('olga@example.com', '-r', 'owner');
    expect(await statusOf(browser, 'POST /people', { email: 'mel@example.com', role: 'admin' })).toBe(201);
    for (const [request, body] of [
      ['POST /people', { email: 'new@example.com', role: 'owner' }],
      ['POST /people', { email: 'olga@example.com', role: 'viewer' }],
      ['DELETE /people/olga@example.com', undefined],
    ] as const)
      expect(await statusOf(browser, request, body)).toBe(403);
    expect(await statusOf(browser, 'GET /apps/tailrace-audit/logs')).toBe(200);
  });

  it('in one app give nothing in others, and don’t show that there are others', async () => {
    const browser = await joinAs('ivo@example.com', '-a', 'shop');
    expect(JSON.parse((await ask(browser, 'GET /apps')).text)).toMatchObject([{ name: 'shop' }]);
    expect(await statusOf(browser, 'PATCH /apps/shop/config-vars', { B: '1' })).toBe(200);
    for (const request of ['GET /apps/blog', 'GET /apps/blog/logs', 'DELETE /apps/blog'])
      expect([request, await statusOf(browser, request)]).toEqual([request, 404]);
    expect((await ask(browser, 'GET /status')).text).toContain('You have rights in some apps alone');
    // More of them, at once and without another link.
    const more = await runTailrace(['access:add', 'ivo@example.com', '-a', 'blog', '-r', 'viewer'], { env });
    expect(more.stdout).toBe('ivo@example.com is member of shop, viewer of blog\n');
    expect(await statusOf(browser, 'GET /apps/blog/logs')).toBe(200);
    expect(await statusOf(browser, 'PATCH /apps/blog/config-vars', { B: '1' })).toBe(403);
  });

  it('the last owner stays', async () => {
    const removed = await runTailrace(['access:remove', 'olga@example.com'], { env });
    expect(removed.stderr).toContain('This is the last owner: make another one first.');
  });

  it('are listed by app, if there is one', async () => {
    const [shop, none] = await Promise.all(
      ['shop', 'nothing'].map((app) => runTailrace(['access', '-a', app], { env })),
    );
    expect(shop.stdout).toContain('vera@example.com');
    expect(none).toMatchObject({ status: 1, stderr: expect.stringContaining("Couldn't find that app") });
  });

  it('that aren’t there are refused with those that are', async () => {
    const { stderr } = await runTailrace(['access:add', 'x@example.com', '-r', 'king'], { env });
    expect(stderr).toContain('There is no role "king": choose from viewer, member, admin, owner.');
  });
});

describe('browsers', () => {
  it('are signed in with a password, by a cookie that no script reads', async () => {
    const response = await post('/session', { email: 'Mel@Example.com', password: PASSWORD });
    expect(response.headers.get('set-cookie')).toMatch(
      /^tailrace_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    const remembered = await post('/session', {
      email: 'mel@example.com',
      password: PASSWORD,
      remember: true,
    });
    expect(remembered.headers.get('set-cookie')).toContain('; Max-Age=2592000');
  });

  it('change nothing without the token of our own page, or from another site', async () => {
    const { cookie, csrf } = await browserOf(
      await post('/session', { email: 'mel@example.com', password: PASSWORD }),
    );
    const change = { A: '2' };
    const status = async (headers: Record<string, string>): Promise<number> =>
      (
        await fetch(`${server.url}/apps/shop/config-vars`, {
          method: 'PATCH',
          headers: { cookie, 'content-type': 'application/json', ...headers },
          body: JSON.stringify(change),
        })
      ).status;
    expect(await status({})).toBe(403);
    expect(await status({ 'x-csrf-token': csrf, origin: 'https://evil.example' })).toBe(403);
    expect(await status({ 'x-csrf-token': csrf, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await status({ 'x-csrf-token': csrf })).toBe(200);
    const opened = new WebSocket(`${server.url.replace('http', 'ws')}/apps/shop/tail`, {
      headers: { cookie, origin: 'https://evil.example' },
    });
    const refused = await new Promise((resolve) => {
      opened.on('error', (error) => resolve(error.message));
      opened.on('open', () => resolve('open'));
    });
    expect(refused).toContain('403');
  });

  it('can be remembered with a key as well; they end with it', async () => {
    const made = await server.request<{ id: string; access_token: { token: string } }>(
      'POST',
      '/oauth/authorizations',
      { description: 'of a browser' },
    );
    const headers = { authorization: `Bearer ${made.access_token.token}` };
    const browser = await browserOf(await post('/session', { remember: true }, headers));
    expect(await statusOf(browser, 'GET /apps/shop/config-vars')).toBe(200);
    await server.request('DELETE', `/oauth/authorizations/${made.id}`);
    expect(await statusOf(browser, 'GET /apps')).toBe(401);
  });
});

describe('programs', () => {
  const home = temporaryFolder();
  const elsewhere = {
    XDG_CONFIG_HOME: home,
    TAILRACE_URL: '',
    TAILRACE_API_KEY: '',
    TAILRACE_DATA: join(home, 'none'),
  };

  it('log in with a password: the key that they get is worth what its owner is', async () => {
    const args = ['login', '--url', server.url, '--email', 'ivo@example.com'];
    const wrong = await runTailrace(args, { env: elsewhere, cwd: home, input: 'not that\n' });
    expect(wrong.stderr).toMatch(/doesn't know this address with this password|Too many attempts/);
    await until(
      'logged in',
      async () => {
        const { stdout } = await runTailrace(args, { env: elsewhere, cwd: home, input: `${PASSWORD}\n` });
        return stdout === `Logged in to ${server.url} as ivo@example.com\n`;
      },
      120_000,
    );
    const file = join(home, 'tailrace', 'credentials.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).not.toContain(PASSWORD);
    const run = (...typed: string[]) => runTailrace(typed, { env: elsewhere, cwd: home });
    expect((await run('whoami')).stdout).toBe('ivo@example.com\n');
    expect((await run('config:set', 'C=3', '-a', 'shop')).status).toBe(0);
    expect((await run('config', '-a', 'blog')).stderr).toContain("Your role doesn't give that");
    // Less for the person is less for the key.
    await runTailrace(['access:remove', 'ivo@example.com', '-a', 'shop'], { env });
    expect((await run('logs', '-a', 'shop')).stderr).toContain("Couldn't find that app");
    expect((await run('logout')).stdout).toBe(`Logged out of ${server.url}\n`);
    expect((await run('whoami')).stderr).toContain('No tailrace server is running here');
  });
});

describe('whoever is removed', () => {
  it('is out at once: browsers, keys, and tails that are open', async () => {
    const browser = await joinAs('gus@example.com');
    const session = await ask(browser, 'POST /oauth/authorizations', { description: 'of gus' });
    const key: string = JSON.parse(session.text).access_token.token;
    const tail = new WebSocket(`${server.url.replace('http', 'ws')}/apps/shop/tail`, {
      headers: { authorization: `Bearer ${key}` },
    });
    await new Promise((resolve) => tail.on('open', resolve));
    const closed = new Promise((resolve) => tail.on('close', resolve));
    await runTailrace(['access:remove', 'gus@example.com'], { env });
    await closed;
    expect(await statusOf(browser, 'GET /apps')).toBe(401);
    const headers = { authorization: `Bearer ${key}` };
    expect((await fetch(`${server.url}/apps`, { headers })).status).toBe(401);
  });

  it('from an app, who is known through all apps, is said to be', async () => {
    const { stderr } = await runTailrace(['access:remove', 'mel@example.com', '-a', 'shop'], { env });
    expect(stderr).toContain('mel@example.com is admin of all apps');
  });
});

it('an invitation works once, can be taken back, and is listed until then', async () => {
  const { stdout } = await runTailrace(['access:add', 'una@example.com', '-r', 'viewer'], { env });
  expect((await runTailrace(['access'], { env })).stdout).toMatch(
    /una@example\.com +viewer +invited, .* left/,
  );
  const accept = (token: string, email = 'una@example.com') =>
    post('/invitations/accept', { token, email, password: PASSWORD });
  // Nobody takes the address of somebody else with it.
  expect((await accept(linkIn(stdout), 'boss@example.com')).status).toBe(403);
  // Another role takes another invitation: she isn't somebody whom nobody knows.
  const update = ['access:update', 'Una@example.com', '-r', 'member'];
  const open = /is invited and hasn't accepted yet: .*`tailrace access:remove Una@example\.com`/;
  expect(await runTailrace(update, { env })).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(open),
  });
  const collaborator = '/apps/shop/collaborators/Una@example.com';
  await expect(server.request('PATCH', collaborator, { role: 'member' })).rejects.toThrow(open);
  // Another app takes one more, and all of them are taken back.
  const second = await runTailrace(['access:add', 'una@example.com', '-r', 'member', '-a', 'shop'], { env });
  await runTailrace(['access:remove', 'Una@example.com'], { env });
  expect((await accept(linkIn(stdout))).status).toBe(401);
  expect((await accept(linkIn(second.stdout))).status).toBe(401);
  expect((await runTailrace(['access'], { env })).stdout).not.toContain('una@');
});

it('nobody who was removed comes back by another invitation', async () => {
  const invite = async (role: string) =>
    linkIn((await runTailrace(['access:add', 'ivy@example.com', '-r', role], { env })).stdout);
  const accept = (token: string) =>
    post('/invitations/accept', { token, email: 'ivy@example.com', password: PASSWORD });
  const [first, second] = [await invite('member'), await invite('admin')];
  expect((await accept(first)).status).toBe(201);
  expect((await runTailrace(['access:remove', 'IVY@example.com'], { env })).status).toBe(0);
  expect((await accept(second)).status).toBe(401);
});

it('what they do stands in the streams with their names', async () => {
  const browser = await joinAs('nora@example.com');
  expect(await statusOf(browser, 'PATCH /apps/shop', { maintenance: true })).toBe(200);
  await until('the lines', async () => {
    const own = await server.readLines({ id: '', name: 'shop', token: '' });
    const audit = await server.readLines({ id: '', name: 'tailrace-audit', token: '' });
    return (
      own.some((line) => line.endsWith('Maintenance mode turned on by user nora@example.com')) &&
      audit.some((line) => line.includes('by=nora@example.com app=shop maintenance=true'))
    );
  });
});

// The last one: all come from one address.
it('whoever guesses passwords has to wait', async () => {
  const answers = new Set<number>();
  for (let i = 0; i < 15; i++)
    answers.add((await post('/session', { email: 'vera@example.com', password: 'wrong wrong' })).status);
  expect([...answers]).toEqual([401, 429]);
});
