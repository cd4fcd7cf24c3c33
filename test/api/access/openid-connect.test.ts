/** People who sign in with an identity provider, in browsers and for command lines. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  CLIENT_ID,
  CLIENT_SECRET,
  environmentElsewhere,
  FormBrowser,
  IdentityProvider,
} from '../../support/access/identity-provider.ts';
import { freePort } from '../../support/free-port.ts';
import { HerokuCli } from '../../support/heroku/heroku-cli.ts';
import { Program, runTailrace, TAILRACE } from '../../support/program.ts';
import { type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
let provider: IdentityProvider;
let publicUrl: string;
beforeAll(async () => {
  const [port, providerPort] = [await freePort(), await freePort()];
  publicUrl = `http://127.0.0.1:${port}`;
  provider = await IdentityProvider.start(providerPort, `${publicUrl}/session/oidc/callback`);
  server = await startServer({
    env: {
      TAILRACE_HTTP_PORT: String(port),
      TAILRACE_PUBLIC_URL: publicUrl,
      TAILRACE_OIDC_ISSUER: provider.issuer,
      TAILRACE_OIDC_CLIENT_ID: CLIENT_ID,
      TAILRACE_OIDC_CLIENT_SECRET: CLIENT_SECRET,
      TAILRACE_OIDC_NAME: 'Team login',
      TAILRACE_OIDC_DOMAINS: 'team.example, other.example',
      TAILRACE_OIDC_ROLE: 'member',
    },
  });
  await server.createApp('shop');
});
afterAll(async () => {
  await server?.close();
  await provider?.close();
});

/** @param isVerified null: the provider doesn't say */
const person = (name: string, email: string | undefined, isVerified: boolean | null = true): void => {
  provider.people.set(name, { sub: name, email, ...(isVerified !== null && { email_verified: isVerified }) });
};
const signIn = async (name: string, query = '') => {
  const browser = new FormBrowser();
  return { browser, end: await browser.go(`${publicUrl}/session/oidc${query}`, name) };
};
const sessionOf = async (browser: FormBrowser) => {
  const response = await fetch(`${publicUrl}/session`, { headers: { cookie: browser.cookieOf(publicUrl) } });
  return response.json();
};
const access = (...args: string[]) => runTailrace(args, { env: server.env });

describe('signing in with an identity provider', () => {
  it('lets in who is invited, known already, or of the team, and the page says how', async () => {
    expect(await (await fetch(`${publicUrl}/session`)).json()).toMatchObject({
      signedIn: false,
      provider: { name: 'Team login' },
    });
    await access('access:add', 'Ada@elsewhere.example', '--role', 'owner');
    person('ada', 'ada@elsewhere.example');
    const first = await signIn('ada', '?remember=1&to=%3Fapp%3Dshop');
    expect(first.end).toMatchObject({ url: `${publicUrl}/?app=shop`, status: 200 });
    expect(await sessionOf(first.browser)).toMatchObject({
      signedIn: true,
      admin: true,
      user: { email: 'ada@elsewhere.example' },
    });
    expect((await access('access')).stdout).not.toContain('invited');
    // Again, in another browser; and one of the team, in both cases of letters.
    expect(await sessionOf((await signIn('ada')).browser)).toMatchObject({ signedIn: true });
    person('ben', 'Ben@Team.example');
    const { browser } = await signIn('ben');
    expect(await sessionOf(browser)).toMatchObject({ signedIn: true, admin: false });
    const cookie = browser.cookieOf(publicUrl);
    expect((await fetch(`${publicUrl}/apps`, { headers: { cookie } })).status).toBe(200);
    const audit = await access('logs', '-a', 'tailrace-audit');
    expect(audit.stdout).toMatch(/action="Sign in with the identity provider" by=ben@/i);
    // Whoever is removed has nothing left, and those without a password change none.
    const change = await fetch(`${publicUrl}/session/password`, {
      method: 'POST',
      headers: {
        cookie,
        'content-type': 'application/json',
        'x-csrf-token': (await sessionOf(browser)).csrf,
      },
      body: JSON.stringify({ current: 'x', password: 'long enough for one' }),
    });
    expect([change.status, (await change.json()).message]).toEqual([
      403,
      'You have no password here: you sign in with your identity provider.',
    ]);
    expect((await access('access:remove', 'ben@team.example')).status).toBe(0);
    await until('the end', async () => !(await sessionOf(browser)).signedIn);
  });

  it.each([
    ['nobody has invited', 'carl', 'carl@nowhere.example', true, 'carl@nowhere.example isn&#39;t known here'],
    ['of a domain that ends alike', 'dora', 'dora@not-team.example', true, 'isn&#39;t known here'],
    [
      'whose address is not verified',
      'eve',
      'eve@team.example',
      false,
      'no e-mail address that it has verified',
    ],
    [
      'whose address nobody speaks of',
      'fred',
      'fred@team.example',
      null,
      'no e-mail address that it has verified',
    ],
    ['without an address', 'gus', undefined, true, 'no e-mail address that it has verified'],
  ])('keeps out one %s, in a sentence', async (_what, name, email, isVerified, sentence) => {
    person(name, email, isVerified);
    const { browser, end } = await signIn(name);
    expect(end.status).toBe(401);
    expect(end.text).toContain(sentence);
    expect(await sessionOf(browser)).toMatchObject({ signedIn: false });
  });

  it('an address that the provider gives to somebody else is no way in', async () => {
    person('hal', 'hal@team.example');
    expect(await sessionOf((await signIn('hal')).browser)).toMatchObject({ signedIn: true });
    person('hal2', 'hal@team.example');
    const { end } = await signIn('hal2');
    expect(end).toMatchObject({ status: 401, text: expect.stringContaining('was somebody else') });
  });

  it('a way back that this browser didn’t begin, or that was changed, signs nobody in', async () => {
    person('ivy', 'ivy@team.example');
    const victim = new FormBrowser();
    const foreign = await fetch(`${publicUrl}/session/oidc`, { redirect: 'manual' });
    const state = new URL(foreign.headers.get('location') ?? '').searchParams.get('state');
    const paths = [
      `/session/oidc/callback?code=x&state=${state}`,
      '/session/oidc/callback?error=access_denied&state=x',
      '/session/oidc/callback',
    ];
    for (const path of paths) expect((await victim.go(publicUrl + path, '')).status).toBe(401);
    // Begun here, but with another one's answer.
    await fetch(`${publicUrl}/session/oidc`, { redirect: 'manual' });
    const [cookie] = (foreign.headers.get('set-cookie') ?? '').split(';');
    for (const query of [
      'code=x&state=other',
      `code=guessed&state=${state}`,
      `error=access_denied&state=${state}`,
    ]) {
      const response = await fetch(`${publicUrl}/session/oidc/callback?${query}`, { headers: { cookie } });
      expect(response.status).toBe(401);
      expect(await response.text()).toContain('Team login doesn');
    }
  });

  it.each([
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    '?x=<script>',
    '#a\r\nSet-Cookie: x=1',
  ])('leads nowhere else afterwards: %j', async (to) => {
    person('ivy', 'ivy@team.example');
    const { end } = await signIn('ivy', `?to=${encodeURIComponent(to)}`);
    expect(end).toMatchObject({ url: `${publicUrl}/`, status: 200 });
  });
});

describe('a command line that logs in with a browser', () => {
  const begin = (description?: string) =>
    fetch(`${publicUrl}/auth`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ description }),
    }).then((response) => response.json());
  const answer = async (browser: FormBrowser, secret: string, allow: boolean) => {
    const response = await fetch(`${publicUrl}/auth/browser/${secret}`, {
      method: 'POST',
      headers: {
        cookie: browser.cookieOf(publicUrl),
        'content-type': 'application/json',
        'x-csrf-token': (await sessionOf(browser)).csrf ?? '',
      },
      body: JSON.stringify({ allow }),
    });
    return response.status;
  };
  const secretIn = (text: string): string => /#login=([\w-]+)/.exec(text)?.[1] ?? '';

  it('acts as whoever allows it, until it is logged out', async () => {
    person('kim', 'kim@team.example');
    const { browser } = await signIn('kim');
    const env = environmentElsewhere();
    const login = new Program(process.execPath, [TAILRACE, 'login', '--url', publicUrl], { env });
    await login.waitForOutput(/#login=[\w-]+/);
    const secret = secretIn(login.stdout);
    const asked = await fetch(`${publicUrl}/auth/browser/${secret}`, {
      headers: { cookie: browser.cookieOf(publicUrl) },
    });
    const { description, code } = await asked.json();
    expect(description).toMatch(/^tailrace login from /);
    expect(login.stderr).toContain(code);
    expect(await answer(browser, secret, true)).toBe(200);
    expect(await login.exited).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(`Logged in to ${publicUrl} as kim@team.example`),
    });
    expect((await runTailrace(['whoami'], { env })).stdout).toBe('kim@team.example\n');
    expect((await runTailrace(['apps'], { env })).stdout).toContain('shop');
    expect(await answer(browser, secret, true)).toBe(404);
    expect((await runTailrace(['logout'], { env })).status).toBe(0);
  });

  it('may be the official one', async () => {
    person('mia', 'mia@team.example');
    const { browser } = await signIn('mia');
    const heroku = new HerokuCli(server, { HEROKU_LOGIN_HOST: publicUrl, HEROKU_API_KEY: '' });
    onTestFinished(() => heroku.close());
    // It asks in a terminal, and a browser that isn't there makes it print the address.
    const login = heroku.startInTerminal(['login']);
    await until('the question', async () => login.output.includes('Press any key'));
    login.type('b');
    await until('the address', async () => secretIn(login.output) !== '');
    expect(await answer(browser, secretIn(login.output), true)).toBe(200);
    expect([await login.exited, login.output]).toEqual([0, expect.stringContaining('mia@team.example')]);
    expect(await heroku.start(['whoami']).exited).toMatchObject({ status: 0, stdout: 'mia@team.example\n' });
  });

  it('gets nothing when it is refused, when somebody else’s token is shown, or twice', async () => {
    person('lea', 'lea@team.example');
    const { browser } = await signIn('lea');
    const refused = await begin();
    expect(await answer(browser, secretIn(refused.browser_url), false)).toBe(200);
    const fetchKey = (path: string, token: string) =>
      fetch(publicUrl + path, { headers: { authorization: `Bearer ${token}` } });
    expect(await (await fetchKey(refused.cli_url, refused.token)).json()).toEqual({
      error: expect.stringContaining('refused'),
    });
    const allowed = await begin();
    expect((await fetchKey(allowed.cli_url, refused.token)).status).toBe(401);
    expect((await fetch(publicUrl + allowed.cli_url)).status).toBe(401);
    // However many connections ask for the same login, one waits.
    const before = [1, 2, 3].map(() => fetchKey(allowed.cli_url, allowed.token));
    const last = fetchKey(allowed.cli_url, allowed.token);
    const ended = await Promise.race(before.map(async (one) => (await one).json()));
    expect(ended).toEqual({ error: expect.any(String) });
    void last;
    expect(await answer(new FormBrowser(), secretIn(allowed.browser_url), true)).toBe(401);
    const waiting = fetchKey(allowed.cli_url, allowed.token);
    expect(await answer(browser, secretIn(allowed.browser_url), true)).toBe(200);
    const { access_token: key } = await (await waiting).json();
    const account = await fetch(`${publicUrl}/account`, { headers: { authorization: `Bearer ${key}` } });
    expect(await account.json()).toMatchObject({ email: 'lea@team.example' });
    expect(await (await fetchKey(allowed.cli_url, allowed.token)).json()).toEqual({
      error: expect.any(String),
    });
    expect(
      (await fetch(`${publicUrl}/auth/browser/none`, { headers: { cookie: browser.cookieOf(publicUrl) } }))
        .status,
    ).toBe(404);
  });
});

it('settings that can’t be right are refused at the start', async () => {
  for (const [issuer, id] of [
    ['http://login.example.com', 'x'],
    ['https://login.example.com', ''],
  ]) {
    const env = {
      PATH: process.env.PATH ?? '',
      TAILRACE_DATA: temporaryFolder(),
      TAILRACE_HTTP_PORT: '0',
      TAILRACE_SYSLOG_PORT: '0',
      TAILRACE_ROUTER_PORT: '0',
      TAILRACE_OIDC_ISSUER: issuer,
      TAILRACE_OIDC_CLIENT_ID: id,
    };
    const { status, stderr } = await runTailrace(['serve'], { env });
    expect(status).toBe(1);
    expect(stderr).toContain(id === '' ? 'TAILRACE_OIDC_CLIENT_ID' : 'TAILRACE_OIDC_ISSUER');
  }
});
