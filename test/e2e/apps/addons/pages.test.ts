/** The pages of add-ons on a real server, from the link that opens one to the end of the add-on. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { notedProcess } from '../../../support/addons/addon-server.ts';
import { createMailAddon, type MailAddon, sendRaw } from '../../../support/addons/mail-addon.ts';
import { missing, Program, TAILRACE } from '../../../support/program.ts';
import { RedisServer } from '../../../support/redis/redis-server.ts';
import {
  type App,
  dataFolderForTest,
  type Server,
  startServer,
  startServerForTest,
} from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const LINK = /^http:\/\/[^/]+(\/addons\/sign-on\/[\w-]{32})$/;

/** The path of a new link. */
async function linkTo(server: Server, addon: string): Promise<string> {
  const { web_url: url } = await server.request<{ web_url: string }>('GET', `/addons/${addon}`);
  return LINK.exec(url)?.[1] ?? `no link: ${url}`;
}

/** Signs a browser on. */
async function cookieFor(server: Server, addon: string): Promise<string> {
  const response = await fetch(server.url + (await linkTo(server, addon)), { redirect: 'manual' });
  expect(response.status).toBe(303);
  return (response.headers.get('set-cookie') ?? '').split(';')[0];
}

function browse(
  server: Server,
  addon: string,
  cookie: string,
  path = '',
  init: RequestInit = {},
): Promise<Response> {
  const headers = { cookie, 'sec-fetch-site': 'same-origin', ...init.headers };
  return fetch(`${server.url}/addons/${addon}/page/${path}`, { ...init, headers });
}

describe.skipIf(missing('openssl'))('the page of an add-on', () => {
  let server: Server;
  let app: App;
  let addon: MailAddon;
  beforeAll(async () => {
    server = await startServer();
    app = await server.createApp();
    addon = await createMailAddon(server, app);
  });
  afterAll(() => server?.close());

  it('is opened with the link of addons:open, which works once', async () => {
    const open = await new Program(process.execPath, [TAILRACE, 'addons:open', addon.name, '-a', app.name], {
      env: { ...server.env, PATH: '/nowhere', BROWSER: 'none' },
    }).exited;
    const [link] = /http:\S+\/addons\/sign-on\/[\w-]+/.exec(open.stdout + open.stderr) ?? [''];
    expect(link).toMatch(LINK);
    const first = await fetch(link, { redirect: 'manual' });
    expect([first.status, first.headers.get('location')]).toEqual([303, `/addons/${addon.id}/page/`]);
    expect(first.headers.get('set-cookie')).toMatch(
      new RegExp(`^tailrace_page=[\\w-]+; Path=/addons/${addon.id}/page; HttpOnly; SameSite=Lax$`),
    );
    const again = await fetch(link, { redirect: 'manual' });
    expect([again.status, again.headers.get('set-cookie')]).toEqual([404, null]);
  });

  it('is served under a strict policy, and neither it nor what it asks for has the service’s key', async () => {
    const settings = readFileSync(join(server.data, 'host', 'addons', addon.id, 'service.json'), 'utf8');
    const { password: key, pagePort } = JSON.parse(settings) as { password: string; pagePort: number };
    const cookie = await cookieFor(server, addon.id);
    const page = await browse(server, addon.id, cookie);
    const html = await page.text();
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'; frame-src 'self'",
    );
    const assets = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, path]) => path);
    expect(assets).toHaveLength(3);
    const seen = [html, JSON.stringify([...page.headers])];
    for (const path of [...assets, 'api/status', 'api/messages', 'nosuch', 'api/messages/none']) {
      const answer = await browse(server, addon.id, cookie, path);
      expect(answer.headers.get('set-cookie')).toBeNull();
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
      seen.push(await answer.text(), JSON.stringify([...answer.headers]));
    }
    for (const text of seen) {
      expect(text).not.toContain(key);
      expect(text).not.toContain(String(pagePort));
    }
    // The service itself is for whoever has its key, and what apps have is another one.
    for (const authorization of [
      '',
      `Bearer ${addon.password}`,
      `Bearer ${addon.login}`,
      `Bearer ${server.key}`,
    ]) {
      const { status } = await fetch(`http://127.0.0.1:${pagePort}/api/status`, {
        headers: { authorization },
      });
      expect(status).toBe(401);
    }
  });

  it('takes changes from itself alone', async () => {
    const cookie = await cookieFor(server, addon.id);
    await sendRaw(addon, 'Subject: stays\r\n\r\nx\r\n');
    const remove = async (headers: Record<string, string>) =>
      (await browse(server, addon.id, cookie, 'api/messages', { method: 'DELETE', headers })).status;
    expect(await remove({ 'sec-fetch-site': 'cross-site' })).toBe(401);
    expect(await remove({ 'sec-fetch-site': 'same-site' })).toBe(401);
    const count = async (): Promise<number> =>
      ((await (await browse(server, addon.id, cookie, 'api/status')).json()) as { messages: number })
        .messages;
    expect(await count()).toBe(1);
    expect(await remove({})).toBe(200);
    expect(await count()).toBe(0);
    const large = await browse(server, addon.id, cookie, 'api/messages/x', {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ read: 'x'.repeat(1_100_000) }),
    });
    expect([large.status, (await large.json()) as object]).toEqual([
      413,
      { id: 'too_large', message: 'The body is over 1048576 bytes, which is all that is taken here.' },
    ]);
  });

  it('is another add-on’s for nobody', async () => {
    const other = await createMailAddon(server, await server.createApp());
    const [own, others] = [await cookieFor(server, addon.id), await cookieFor(server, other.id)];
    expect((await browse(server, addon.id, own)).status).toBe(200);
    expect((await browse(server, other.id, own)).status).toBe(401);
    expect((await browse(server, addon.id, others)).status).toBe(401);
  });

  it('says when its service doesn’t answer, and goes on when it does again', async () => {
    const cookie = await cookieFor(server, addon.id);
    const events = await browse(server, addon.id, cookie, 'api/events');
    const reader = events.body!.getReader();
    await reader.read();
    const pid = notedProcess(server, addon.id);
    if (pid === undefined) throw new Error('it has no process');
    process.kill(pid, 'SIGKILL');
    const answer = await until('its absence', async () => {
      const response = await browse(server, addon.id, cookie, 'api/status');
      return response.status === 503 && ((await response.json()) as object);
    });
    expect(answer).toEqual({
      id: 'unavailable',
      message: `${addon.name} doesn't answer: see its lines in the stream.`,
    });
    // The page learns it at once.
    const ended = (async () => {
      while (!(await reader.read()).done);
    })();
    await ended.catch(() => undefined);
    await until('its return', async () => (await browse(server, addon.id, cookie, 'api/status')).ok);
    expect((await browse(server, addon.id, cookie)).status).toBe(200);
  });

  it('is gone with the add-on, for browsers that were signed on and for links that were not used', async () => {
    const other = await createMailAddon(server, await server.createApp());
    const cookie = await cookieFor(server, other.id);
    const link = await linkTo(server, other.id);
    const events = await browse(server, other.id, cookie, 'api/events');
    await server.request('DELETE', `/addons/${other.id}`);
    await events.text().catch(() => undefined);
    expect((await browse(server, other.id, cookie)).status).toBe(404);
    expect((await browse(server, other.id, '')).status).toBe(401);
    expect((await fetch(server.url + link, { redirect: 'manual' })).status).toBe(404);
    const byKey = { headers: { authorization: `Bearer ${server.key}` } };
    expect((await fetch(`${server.url}/addons/${other.id}/page/`, byKey)).status).toBe(404);
  });

  it('asks for another link after a restart, and has what it had', async () => {
    const data = dataFolderForTest();
    const before = await startServerForTest({ data, env: { TAILRACE_DYNO_HANDOVER: 'none' } });
    const box = await createMailAddon(before, await before.createApp());
    await sendRaw(box, 'Subject: kept\r\n\r\nx\r\n');
    const cookie = await cookieFor(before, box.id);
    const link = await linkTo(before, box.id);
    const pid = notedProcess(before, box.id)!;
    await before.kill();
    // Nothing of it is left behind, though nobody could end it.
    await until('the end of the service', () => !isRunning(pid));
    const after = await startServerForTest({ data });
    await until('the service', async () => {
      const byKey = { headers: { authorization: `Bearer ${after.key}` } };
      return (await fetch(`${after.url}/addons/${box.id}/page/api/status`, byKey)).ok;
    });
    const page = await browse(after, box.id, cookie, '', { headers: { accept: 'text/html' } });
    expect([page.status, await page.text()]).toEqual([
      401,
      'Open this page with `tailrace addons:open`: its link signs a browser on.',
    ]);
    expect((await fetch(after.url + link, { redirect: 'manual' })).status).toBe(404);
    const list = await browse(after, box.id, await cookieFor(after, box.id), 'api/messages');
    expect(await list.json()).toMatchObject({ total: 1, messages: [{ subject: 'kept' }] });
  });
});

describe.skipIf(missing('openssl', 'redis-server'))('an add-on on another server', () => {
  it('has no page here, whatever listens on its port here', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    const env = { REDIS_URL: redis.url };
    const [here, there] = [await startServerForTest({ env }), await startServerForTest({ env })];
    const box = await createMailAddon(there, await there.createApp());
    const page = async (server: Server): Promise<number> => {
      const byKey = { headers: { authorization: `Bearer ${there.key}` } };
      return (await fetch(`${server.url}/addons/${box.id}/page/api/status`, byKey)).status;
    };
    // Both are on this machine, and so is the port.
    expect([await page(there), await page(here)]).toEqual([200, 404]);
  });
});

function isRunning(pid: number): boolean {
  try {
    // A zombie has ended.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
