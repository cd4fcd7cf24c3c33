/** What passes between a browser and an add-on's page, and what doesn't, with a service that does as it likes. */
import { Agent, createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AddonTicket } from '../../src/api/addons/addon-scene.ts';
import { type AddonPageRouteDependencies, addonPageRoutes } from '../../src/api/addons/pages.ts';
import { SingleUseTickets } from '../../src/api/addons/single-use-tickets.ts';
import { createApiServer } from '../../src/api/api-server.ts';
import type { AuditEvent } from '../../src/apps/access/audit-log.ts';
import { Addresses } from '../../src/common/http/addresses.ts';
import { AuthFailureThrottle } from '../../src/common/limits/auth-failure-throttle.ts';
import { SILENT_LOG } from '../../src/common/log.ts';
import { until } from '../support/until.ts';

const KEY_OF_SERVICE = 'the-key-of-the-service';
const ADDONS = ['one', 'two', 'down'].map((id) => ({ id, name: `mail-${id}`, app: 'app' }));

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let service: Server;
let url: string;
let api: ReturnType<typeof createApiServer>;
let openStreams = 0;
let answers = 0;
let brokenOff = 0;
const audited: AuditEvent[] = [];
const scopes: Record<string, string[]> = {
  everything: ['admin'],
  looks: ['read-protected'],
  changes: ['read', 'write'],
  reads: ['read'],
};
const links = new SingleUseTickets<AddonTicket>();

beforeAll(async () => {
  service = createServer((request, response) => {
    answers++;
    if (request.url === '/events') {
      openStreams++;
      response.on('close', () => openStreams--);
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: first\n\n');
      return;
    }
    if (request.url === '/busy') {
      response.writeHead(503, { 'Retry-After': '1' }).end('busy');
      return;
    }
    if (request.url === '/refuses') {
      request.on('error', () => undefined).resume();
      response.writeHead(413).end('too large');
      return;
    }
    let bytes = 0;
    request.on('close', () => {
      if (!request.complete) brokenOff++;
    });
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => {
      const seen = { method: request.method, url: request.url, headers: request.headers, bytes };
      response.writeHead(200, {
        'Content-Type': 'application/json',
        'Set-Cookie': 'tailrace_page=stolen; Path=/',
        'Clear-Site-Data': '"*"',
        'X-Own': 'kept',
        Connection: 'X-Hop',
      });
      response.end(JSON.stringify(seen));
    });
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const { port } = service.address() as AddressInfo;
  api = createApiServer(SILENT_LOG);
  const dependencies = {
    addons: {
      find: async (which: string) => ADDONS.find(({ id, name }) => id === which || name === which),
      page: ({ id }: { id: string }) => ({ port: id === 'down' ? 9 : port, key: KEY_OF_SERVICE }),
    },
    addonLinks: links,
    people: { guesses: new AuthFailureThrottle() },
    appRegistry: { findApp: async (id: string) => ({ id, name: 'shop' }) },
    auditLog: { write: (event: AuditEvent) => audited.push(event) },
    apiKeys: {
      grantOf: async (key: string) => scopes[key] && { scopes: scopes[key] },
      // By the names of what they may do, here: their hashes.
      grantOfHash: async (hash: string) => scopes[hash] && { scopes: scopes[hash], hash },
      noteUse: () => undefined,
    },
    addresses: new Addresses({ publicUrl: '', appsUrl: '', local: () => url, routerPort: () => 0 }),
  } as unknown as AddonPageRouteDependencies;
  await addonPageRoutes(api, dependencies);
  url = await api.listen({ port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await api.close();
  service.closeAllConnections();
  service.close();
});

/** The path goes out as it is. */
function send(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer; agent?: Agent } = {},
): Promise<Answer> {
  const { method = 'GET', headers = {}, body, agent } = options;
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { path, method, headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function signOn(addon: string, by = 'everything'): Promise<{ cookie: string; answer: Answer }> {
  const answer = await send(`/addons/sign-on/${links.issue({ addon, by })}`);
  return { cookie: answer.headers['set-cookie']?.[0].split(';')[0] ?? '', answer };
}

describe('a link', () => {
  it('signs a browser on for one add-on, once, with a cookie that scripts and other sites don’t have', async () => {
    const secret = links.issue({ addon: 'one', by: 'everything' });
    const first = await send(`/addons/sign-on/${secret}`);
    expect(first).toMatchObject({ status: 303, headers: { location: '/addons/one/page/' } });
    expect(first.headers['set-cookie']).toEqual([
      expect.stringMatching(/^tailrace_page=[\w-]{32}; Path=\/addons\/one\/page; HttpOnly; SameSite=Lax$/),
    ]);
    expect(first.headers['referrer-policy']).toBe('no-referrer');
    const second = await send(`/addons/sign-on/${secret}`);
    expect(second.status).toBe(404);
    expect(second.headers['set-cookie']).toBeUndefined();
    expect(second.body).toContain('This link was used already, or is too old');
    expect((await send('/addons/sign-on/never-was')).status).toBe(404);
  });

  it('of one add-on opens no other', async () => {
    const { cookie } = await signOn('one');
    expect((await send('/addons/one/page/', { headers: { cookie } })).status).toBe(200);
    expect((await send('/addons/two/page/', { headers: { cookie } })).status).toBe(401);
    const both = `${cookie}; ${(await signOn('two')).cookie}`;
    expect((await send('/addons/one/page/', { headers: { cookie: both } })).status).toBe(200);
  });

  it('over https makes a cookie that goes nowhere else', async () => {
    const over = (proto: string) =>
      send(`/addons/sign-on/${links.issue({ addon: 'one', by: 'everything' })}`, {
        headers: { 'x-forwarded-proto': proto },
      });
    const cookieOf = ({ headers }: Answer): string | undefined => headers['set-cookie']?.[0];
    expect(cookieOf(await over('https'))).toMatch(/; Secure$/);
    expect(cookieOf(await over('http'))).not.toMatch(/Secure/);
  });
});

describe('a page', () => {
  let cookie: string;
  beforeEach(async () => {
    cookie = (await signOn('one')).cookie;
  });

  it('is refused to whoever has no link: a person reads a sentence', async () => {
    const program = await send('/addons/one/page/api/messages');
    expect(program.status).toBe(401);
    expect(JSON.parse(program.body)).toMatchObject({ id: 'unauthorized' });
    const person = await send('/addons/one/page/', { headers: { accept: 'text/html,*/*;q=0.8' } });
    expect(person).toMatchObject({
      status: 401,
      body: 'Open this page with `tailrace addons:open`: its link signs a browser on.',
    });
    // Whether there is such an add-on isn't told either.
    expect((await send('/addons/none/page/')).status).toBe(401);
  });

  it('takes an API key from programs, to look and to change as its scopes say', async () => {
    const status = async (key: string, method: string) =>
      (await send('/addons/one/page/x', { method, headers: { authorization: `Bearer ${key}` } })).status;
    expect([await status('looks', 'GET'), await status('looks', 'DELETE')]).toEqual([200, 401]);
    expect([await status('changes', 'GET'), await status('changes', 'DELETE')]).toEqual([200, 200]);
    expect([await status('reads', 'GET'), await status('wrong', 'GET')]).toEqual([401, 401]);
    // A key is the only thing that counts then.
    const withBoth = { headers: { authorization: 'Bearer wrong', cookie } };
    expect((await send('/addons/one/page/x', withBoth)).status).toBe(401);
    const unknown = { headers: { authorization: 'Bearer changes' } };
    expect((await send('/addons/none/page/', unknown)).status).toBe(404);
  });

  it('is a browser’s for as long as whoever got the link may see it, and changed by who may do that', async () => {
    scopes.later = ['read-protected', 'write'];
    const own = { cookie: (await signOn('one', 'later')).cookie, 'sec-fetch-site': 'same-origin' };
    const status = async (method: string) =>
      (await send('/addons/one/page/x', { method, headers: own })).status;
    expect([await status('GET'), await status('POST')]).toEqual([200, 200]);
    expect(audited.at(-1)).toMatchObject({ app: 'shop', fields: { addon: 'mail-one', method: 'POST' } });
    scopes.later = ['read-protected'];
    expect([await status('GET'), await status('POST')]).toEqual([200, 401]);
    const unused = links.issue({ addon: 'one', by: 'later' });
    delete scopes.later;
    expect(await status('GET')).toBe(401);
    expect((await send(`/addons/sign-on/${unused}`)).status).toBe(404);
  });

  it('is changed by itself alone, not by pages of others', async () => {
    const status = async (headers: Record<string, string>, method = 'POST') =>
      (await send('/addons/one/page/x', { method, headers: { cookie, ...headers } })).status;
    const { host } = new URL(url);
    expect(await status({ 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(await status({ origin: `http://${host}` })).toBe(200);
    for (const site of ['cross-site', 'same-site', 'none', ''])
      expect(await status({ 'sec-fetch-site': site })).toBe(401);
    for (const origin of ['http://evil.example', 'null', `http://${host}.evil.example`, ''])
      expect(await status({ origin })).toBe(401);
    expect(await status({})).toBe(401);
    for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS'])
      expect(await status({ 'sec-fetch-site': 'cross-site' }, method)).toBe(401);
    const other = await send('/addons/one/page/x', { headers: { cookie, origin: 'http://evil.example' } });
    expect(Object.keys(other.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  it('gets requests as they are, but for what is of one connection, and the browser’s secrets', async () => {
    const headers = {
      cookie,
      te: 'trailers',
      'keep-alive': 'timeout=5',
      'proxy-authorization': 'Basic x',
      'x-mine': 'kept',
      'x-hop': 'of one connection',
      connection: 'x-hop',
      expect: '100-continue',
    };
    const { body, headers: answered } = await send('/addons/one/page/a%20b/c%2Fd?q=%2e%2e&r=/page/', {
      headers,
    });
    const seen = JSON.parse(body) as { url: string; headers: Record<string, string> };
    expect(seen.url).toBe('/a%20b/c%2Fd?q=%2e%2e&r=/page/');
    expect(seen.headers).toMatchObject({ authorization: `Bearer ${KEY_OF_SERVICE}`, 'x-mine': 'kept' });
    for (const name of ['cookie', 'te', 'x-hop', 'proxy-authorization', 'expect'])
      expect(seen.headers).not.toHaveProperty(name);
    expect(answered).toMatchObject({ 'x-own': 'kept', 'x-content-type-options': 'nosniff' });
    expect(answered['content-security-policy']).toContain("default-src 'none'");
    for (const name of ['set-cookie', 'clear-site-data']) expect(answered).not.toHaveProperty(name);
    expect(JSON.stringify(answered)).not.toContain(KEY_OF_SERVICE);
  });

  it('has an address without its slash too, and none that leads out of it', async () => {
    const bare = await send('/addons/one/page', { headers: { cookie } });
    expect(bare).toMatchObject({ status: 308, headers: { location: '/addons/one/page/' } });
    const before = answers;
    for (const path of ['..%2f', '../x/', 'a/..%2f..%2fb', '%2e%2e/x', 'a/%2E%2E', '..%5cx', './x', 'a/..']) {
      const { status } = await send(`/addons/one/page/${path}`, { headers: { cookie } });
      expect([path, status]).toEqual([path, 404]);
    }
    expect(answers).toBe(before);
    for (const [path, seen] of [
      ['/addons/one/%70age/x/page/y', '/x/page/y'],
      ['/addons/one/page//evil.example/x', '//evil.example/x'],
      ['/addons/one/page/@evil.example/', '/@evil.example/'],
      ['/addons/one/page/a..b/x', '/a..b/x'],
      ['/addons/one/page/?x', '/?x'],
    ]) {
      const { body } = await send(path, { headers: { cookie } });
      expect(JSON.parse(body).url).toBe(seen);
    }
    expect((await send('/addons/one/page/%zz', { headers: { cookie } })).status).toBe(400);
  });

  it('answers HEAD, and takes large bodies of any type, or of none', async () => {
    const head = await send('/addons/one/page/x', { method: 'HEAD', headers: { cookie } });
    expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-type': 'application/json' } });
    const own = { cookie, 'sec-fetch-site': 'same-origin' };
    for (const type of ['application/json', 'multipart/form-data; boundary=x', 'x/y', undefined]) {
      const headers = type ? { ...own, 'content-type': type } : own;
      const body = Buffer.alloc(20_000_000, '{');
      const answer = await send('/addons/one/page/x', { method: 'POST', headers, body });
      expect(JSON.parse(answer.body)).toMatchObject({ method: 'POST', bytes: body.length });
    }
    const chunked = { ...own, 'transfer-encoding': 'chunked', 'content-type': 'x/y' };
    const answer = await send('/addons/one/page/x', { method: 'PUT', headers: chunked, body: 'abc' });
    expect(JSON.parse(answer.body)).toMatchObject({ method: 'PUT', bytes: 3 });
  });

  it('that refuses a body before it has read it has its answer seen, and the connection goes on', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const own = { cookie, 'sec-fetch-site': 'same-origin', 'content-type': 'x/y' };
    const body = Buffer.alloc(20_000_000, 'x');
    for (const [path, headers, status] of [
      ['/addons/one/page/refuses', own, 413],
      ['/addons/one/page/x', { ...own, 'sec-fetch-site': 'cross-site' }, 401],
      ['/addons/one/page/x', { ...own, 'sec-fetch-site': 'cross-site', accept: 'text/html' }, 401],
      ['/addons/one/page/..%2f', own, 404],
    ] as const) {
      const answer = await send(path, { method: 'POST', headers, body, agent });
      expect([path, answer.status]).toEqual([path, status]);
      expect(await send('/addons/one/page/x', { headers: { cookie }, agent })).toMatchObject({ status: 200 });
    }
    agent.destroy();
  });

  it('learns that a browser went away in the middle of a body', async () => {
    const before = brokenOff;
    const request = httpRequest(url, {
      path: '/addons/one/page/x',
      method: 'POST',
      headers: { cookie, 'sec-fetch-site': 'same-origin', 'content-type': 'x/y', 'content-length': '1000' },
    });
    request.on('error', () => undefined);
    const seen = answers;
    request.write('x');
    await until('the beginning', () => answers > seen);
    request.destroy();
    await until('its end', () => brokenOff === before + 1);
  });

  it('sends events as they come, and ends them with the browser', async () => {
    const abort = new AbortController();
    const response = await fetch(`${url}/addons/one/page/events`, {
      headers: { cookie },
      signal: abort.signal,
    });
    const { value } = await response.body!.getReader().read();
    expect(Buffer.from(value!).toString()).toBe('data: first\n\n');
    expect(openStreams).toBe(1);
    abort.abort();
    await until('the end of the stream', () => openStreams === 0);
  });

  it('that is down, or busy, is said to be so at once', async () => {
    const { cookie: other } = await signOn('down');
    const down = await send('/addons/down/page/', { headers: { cookie: other } });
    expect(down.status).toBe(503);
    expect(JSON.parse(down.body)).toEqual({
      id: 'unavailable',
      message: "mail-down doesn't answer: see its lines in the stream.",
    });
    const person = { cookie: other, accept: 'text/html' };
    expect(await send('/addons/down/page/', { headers: person })).toMatchObject({
      status: 503,
      body: "mail-down doesn't answer: see its lines in the stream.",
    });
    const before = answers;
    expect(await send('/addons/one/page/busy', { headers: { cookie } })).toMatchObject({
      status: 503,
      body: 'busy',
    });
    expect(answers).toBe(before + 1);
  });
});
