/** The recipes of deploy/proxy with real proxies that end TLS: page, commands, live tails, lines, pushes, apps. */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { type RequestOptions, request as sendRequest } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { GitRepository } from '../support/git-repository.ts';
import { HerokuCli } from '../support/heroku/heroku-cli.ts';
import {
  APPS_DOMAIN,
  startCaddy,
  startHaproxy,
  startNginx,
  type TlsProxy,
} from '../support/http/tls-proxies.ts';
import { missing, runProgram, runTailrace } from '../support/program.ts';
import { type App, type Server, startServer, temporaryFolder } from '../support/server.ts';
import { until } from '../support/until.ts';
import { launchBrowser, noBrowser } from '../web/browser-tab.ts';

/** Behind a proxy on the same machine others come from elsewhere. */
const CLIENT = '127.0.0.2';
const ECHO = `require('http').createServer((q, r) => r.end(JSON.stringify(q.headers))).listen(process.env.PORT);\n`;

let server: Server;
let app: App;
let repository: GitRepository;
const folders: string[] = [];
const folder = (): string => {
  folders.push(temporaryFolder());
  return folders[folders.length - 1];
};

beforeAll(async () => {
  server = await startServer({ env: { TAILRACE_APPS_DOMAIN: APPS_DOMAIN } });
  app = await server.createApp('shop');
});
afterAll(async () => {
  await server.close();
  for (const one of folders) rmSync(one, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** One request through a proxy, from another address of this machine. */
function open(
  { port, authorities }: TlsProxy,
  host: string,
  path: string,
  { body, ...options }: RequestOptions & { body?: string } = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const ca = readFileSync(authorities, 'utf8');
    sendRequest(
      {
        ...{ host: '127.0.0.1', port, path, servername: host, localAddress: CLIENT, ca, agent: false },
        ...options,
        headers: { host: `${host}:${port}`, ...options.headers },
      },
      resolve,
    )
      .on('error', reject)
      .end(body);
  });
}

async function send(...args: Parameters<typeof open>): Promise<Answer> {
  const response = await open(...args);
  const text = (await response.setEncoding('utf8').toArray()).join('');
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

async function behind(proxy: TlsProxy): Promise<void> {
  const origin = `https://localhost:${proxy.port}`;
  const bearer = `Bearer ${server.key}`;
  const name = `line-${proxy.port}`;
  const push = (text: string) =>
    send(proxy, 'localhost', '/logs', {
      method: 'POST',
      headers: { authorization: `Bearer ${app.token}`, 'content-type': 'text/plain' },
      body: text,
    });

  // The page, and its cookie.
  expect((await send(proxy, 'localhost', '/')).text).toContain('<!doctype html>');
  const session = await send(proxy, 'localhost', '/session', {
    method: 'POST',
    headers: { authorization: bearer, 'content-type': 'application/json', origin },
    body: '{}',
  });
  expect([session.status, session.headers['set-cookie']?.[0]]).toEqual([
    200,
    expect.stringContaining('; Secure'),
  ]);

  // Lines in; live ones out, over a WebSocket and as events, before any buffer is full.
  expect((await push(`${name} first`)).status).toBeLessThan(300);
  const socket = new WebSocket(`wss://localhost:${proxy.port}/apps/shop/tail?lines=200&tail=true`, {
    headers: { authorization: bearer },
    ca: readFileSync(proxy.authorities, 'utf8'),
  });
  let received = '';
  socket.on('message', (data) => {
    received += data;
  });
  const events = await open(proxy, 'localhost', '/apps/shop/logs?lines=200&tail=true', {
    headers: { authorization: bearer, accept: 'text/event-stream' },
  });
  let heard = '';
  events.setEncoding('utf8').on('data', (text) => {
    heard += text;
  });
  await until('what is there', () => [received, heard].every((text) => text.includes(`${name} first`)));
  await push(`${name} live`);
  await until('a live line', () => [received, heard].every((text) => text.includes(`${name} live`)));
  socket.close();
  events.destroy();

  // Who sends is the proxy's client, on the fast path, too.
  const line = `<14>1 2026-11-29T00:00:00+00:00 - ${app.token} web.1 - - ${name} framed`;
  const framed = await send(proxy, 'localhost', '/logs', {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`token:${app.token}`).toString('base64')}`,
      'content-type': 'application/logplex-1',
      'logplex-msg-count': '1',
      'content-length': String(line.length + String(line.length).length + 1),
    },
    body: `${line.length} ${line}`,
  });
  expect(framed.status).toBe(204);
  const stored = await fetch(`${server.url}/apps/shop/logs?lines=200&format=json`, {
    headers: { authorization: bearer },
  });
  const lines = (await stored.text())
    .split('\n')
    .filter(Boolean)
    .map((text): { message: string; hostname: string } => JSON.parse(text));
  expect(lines.find(({ message }) => message === `${name} framed`)).toMatchObject({ hostname: CLIENT });

  // Commands.
  const env = { TAILRACE_URL: origin, TAILRACE_API_KEY: server.key, NODE_EXTRA_CA_CERTS: proxy.authorities };
  const info = await runTailrace(['info', '-a', 'shop'], { env });
  expect(info.stdout).toContain(`${origin}/shop.git`);
  expect(info.stdout).toContain(`https://shop.${APPS_DOMAIN}/`);

  // A push of more than a proxy takes by itself; of a branch that isn't deployed.
  const git = (...args: string[]) =>
    runProgram(
      'git',
      [
        '-c',
        `http.sslCAInfo=${proxy.authorities}`,
        '-c',
        `http.extraHeader=Authorization: ${bearer}`,
        ...args,
      ],
      { cwd: repository.folder, env: { HOME: repository.folder, GIT_TERMINAL_PROMPT: '0' } },
    );
  writeFileSync(join(repository.folder, 'large'), randomBytes(3_000_000));
  repository.commit({ name });
  const pushed = await git('push', `${origin}/shop.git`, `HEAD:${name}`);
  expect(pushed, pushed.stderr).toMatchObject({ status: 0 });

  // The app is told whom it answers, and how it was asked; so is its stream.
  const answer = await send(proxy, `shop.${APPS_DOMAIN}`, `/${name}`, {
    headers: { 'x-forwarded-proto': 'gopher' },
  });
  expect(JSON.parse(answer.text)).toMatchObject({
    host: `shop.${APPS_DOMAIN}:${proxy.port}`,
    'x-forwarded-for': CLIENT,
    'x-forwarded-proto': 'https',
    'x-forwarded-port': String(proxy.port),
  });
  const routerLine = await until('the router’s line', async () =>
    (await server.readLines(app, 'lines=200')).find((text) => text.includes(`path="/${name}"`)),
  );
  expect(routerLine).toMatch(/ fwd="127\.0\.0\.2" .* protocol=https$/);
}

const NEEDED = ['nginx', 'haproxy', 'caddy', 'pebble', 'openssl', 'git'] as const;
describe.skipIf(missing(...NEEDED))('behind a proxy that ends TLS', () => {
  const proxies: TlsProxy[] = [];
  let caddy: Awaited<ReturnType<typeof startCaddy>>;
  let heroku: HerokuCli;
  beforeAll(async () => {
    repository = new GitRepository(server, { Procfile: 'web: node web.cjs\n', 'web.cjs': ECHO }, afterAll);
    await repository.tailrace('git:remote', '-a', 'shop');
    const deployed = await repository.push();
    if (deployed.status !== 0) throw new Error(deployed.stderr);
    caddy = await startCaddy(folder(), server);
    proxies.push(await startNginx(folder(), server), await startHaproxy(folder(), server));
    const { port, authorities } = proxies[1];
    heroku = new HerokuCli(
      { url: `https://localhost:${port}`, key: server.key },
      { NODE_EXTRA_CA_CERTS: authorities },
    );
    folders.push(heroku.home);
    // The official command may have to be loaded first.
  });
  afterAll(async () => {
    await caddy?.close();
    await Promise.all(proxies.map(({ program }) => program.stop('SIGTERM')));
  });

  it('nginx', () => behind(proxies[0]));

  it('HAProxy, with the official command', async () => {
    await behind(proxies[1]);
    const logs = await heroku.start(['logs', '-a', 'shop', '--num', '200', '--source', 'app']).exited;
    expect(logs, logs.stderr).toMatchObject({ status: 0, stdout: expect.stringContaining('framed') });
  });

  it('Caddy, with certificates of an ACME server for names that lead to an app', async () => {
    await behind(caddy);
    const issuerOf = (servername: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(
          { host: '127.0.0.1', port: caddy.port, servername, ca: readFileSync(caddy.authorities, 'utf8') },
          () => {
            resolve(String(socket.getPeerCertificate().issuer.CN));
            socket.destroy();
          },
        ).on('error', reject);
      });
    expect(await issuerOf(`shop.${APPS_DOMAIN}`)).toMatch(/^Pebble/);
    await expect(issuerOf(`nobody.${APPS_DOMAIN}`)).rejects.toThrow();
    // Through the proxy nobody learns which names there are.
    const ask = (to: string): Promise<Response> =>
      fetch(`${to}/certificate-names?domain=shop.${APPS_DOMAIN}`);
    expect((await ask(server.url)).status).toBe(200);
    expect((await send(caddy, 'localhost', `/certificate-names?domain=shop.${APPS_DOMAIN}`)).status).toBe(
      404,
    );
  });

  it.skipIf(noBrowser)('one that removes the upgrade: the page goes on by events', async () => {
    const proxy = await startNginx(folder(), server, (config) =>
      config.replace(/proxy_set_header (Upgrade|Connection) .*\n/g, ''),
    );
    proxies.push(proxy);
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage({ ignoreHTTPSErrors: true });
      await page.goto(`https://localhost:${proxy.port}/?app=shop#key=${encodeURIComponent(server.key)}`);
      await page.locator('.state[data-state=live]').waitFor({ timeout: 60_000 });
      await send(proxy, 'localhost', '/logs', {
        method: 'POST',
        headers: { authorization: `Bearer ${app.token}`, 'content-type': 'text/plain' },
        body: 'seen in the page',
      });
      await page
        .locator('.line > .text', { hasText: 'seen in the page' })
        .first()
        .waitFor({ timeout: 60_000 });
    } finally {
      await browser.close();
    }
  });
});
