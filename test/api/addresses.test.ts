/** A server that has addresses of its own says them wherever it says one. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTailrace } from '../support/program.ts';
import { type Server, spawnServer, startServer, temporaryFolder } from '../support/server.ts';
import { until } from '../support/until.ts';

const PUBLIC = 'https://logs.example.com';
const env = { TAILRACE_PUBLIC_URL: PUBLIC, TAILRACE_APPS_DOMAIN: 'apps.example.com' };

let server: Server;
beforeAll(async () => {
  server = await startServer({ env });
  await server.createApp('shop');
});
afterAll(() => server.close());

const get = <T>(path: string): Promise<T> => server.request<T>('GET', path);
const post = <T>(path: string, body?: unknown): Promise<T> => server.request<T>('POST', path, body);

describe('with TAILRACE_PUBLIC_URL and TAILRACE_APPS_DOMAIN', () => {
  it('apps, their domains and what they are pushed to', async () => {
    const app = await get<{ web_url: string; git_url: string }>('/apps/shop');
    expect(app).toMatchObject({ web_url: 'https://shop.apps.example.com/', git_url: `${PUBLIC}/shop.git` });
    expect(await get('/apps')).toEqual([
      expect.objectContaining({ git_url: app.git_url, web_url: app.web_url }),
    ]);
    expect(await post('/apps/shop/domains', { hostname: 'www.shop.example' })).toMatchObject({
      hostname: 'www.shop.example',
      cname: 'shop.apps.example.com',
    });
    const hosts = (await get<{ hostname: string }[]>('/apps/shop/domains')).map(({ hostname }) => hostname);
    expect(hosts).toEqual(['shop.apps.example.com', 'www.shop.example']);
  });

  it('log sessions, sources, invitations, pages of add-ons', async () => {
    const { logplex_url: session } = await post<{ logplex_url: string }>('/apps/shop/log-sessions');
    const { source_blob: source } = await post<{ source_blob: { put_url: string; get_url: string } }>(
      '/sources',
    );
    const { invitation_url: invitation } = await post<{ invitation_url: string }>('/people', {
      email: 'ada@example.com',
      role: 'member',
    });
    for (const url of [session, source.put_url, source.get_url, invitation])
      expect(url.startsWith(`${PUBLIC}/`), url).toBe(true);
  });

  it('links in what add-ons send: to their page at this server', async () => {
    const { id } = await post<{ id: string }>('/apps/shop/addons', { plan: 'papertrail' });
    const settings = await until('its settings', () => {
      const file = join(server.data, 'host', 'addons', id, 'viewer.env');
      return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
    });
    expect(settings).toContain(`\nTAILRACE_ADDON=${PUBLIC}/addons/${id}/page\n`);
    await server.request('DELETE', `/apps/shop/addons/${id}`);
  });

  it('names that a proxy may get certificates for', async () => {
    const ask = async (domain: string, headers: Record<string, string> = {}): Promise<number> =>
      (await fetch(`${server.url}/certificate-names?domain=${domain}`, { headers })).status;
    for (const name of [
      'logs.example.com',
      'shop.apps.example.com',
      'SHOP.apps.example.com',
      'www.shop.example',
    ])
      expect([name, await ask(name)]).toEqual([name, 200]);
    const { id } = await get<{ id: string }>('/apps/shop');
    for (const name of [
      'nobody.apps.example.com',
      'apps.example.com',
      'a.shop.example',
      `${id}.apps.example.com`,
      '',
    ])
      expect([name, await ask(name)]).toEqual([name, 404]);
    // Only proxies themselves are told.
    expect(await ask('shop.apps.example.com', { 'x-forwarded-for': '192.0.2.1' })).toBe(404);
  });

  it('what commands print: create, info, open, and the git remote', async () => {
    const cwd = temporaryFolder();
    execFileSync('git', ['init', '-q'], { cwd });
    const created = await runTailrace(['create', 'made'], { env: server.env, cwd });
    expect(created.stdout).toContain('https://made.apps.example.com/ | https://logs.example.com/made.git');
    expect(execFileSync('git', ['remote', 'get-url', 'tailrace'], { cwd, encoding: 'utf8' }).trim()).toBe(
      `${PUBLIC}/made.git`,
    );
    const info = await runTailrace(['info', '-a', 'made'], { env: server.env });
    expect(info.stdout).toContain('https://made.apps.example.com/');
    expect(info.stdout).toContain(`${PUBLIC}/made.git`);
    expect(JSON.parse(readFileSync(join(server.data, 'server.json'), 'utf8'))).toMatchObject({
      url: server.url,
      publicUrl: PUBLIC,
    });
    expect(server.program.stdout).toContain(`Live page: ${PUBLIC}/`);
    expect(server.program.stdout).toContain('https://<app>.apps.example.com/');
  });

  it('a session’s cookie is for TLS alone', async () => {
    const answer = await fetch(`${server.url}/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: PUBLIC, authorization: `Bearer ${server.key}` },
      body: '{}',
    });
    expect([answer.status, answer.headers.get('set-cookie')]).toEqual([
      200,
      expect.stringContaining('; Secure'),
    ]);
  });
});

it.each([
  ['TAILRACE_PUBLIC_URL', 'logs.example.com', /must be an address such as https:/],
  ['TAILRACE_APPS_DOMAIN', '*.apps.example.com', /must be a domain such as apps\.example\.com/],
  ['TAILRACE_TRUST_PROXY', 'yes', /must be addresses or networks/],
])('%s=%s is one sentence at the start', async (variable, value, sentence) => {
  const { status, stderr } = await spawnServer(temporaryFolder(), { env: { [variable]: value } }).exited;
  expect(status).toBe(1);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toMatch(sentence);
});
