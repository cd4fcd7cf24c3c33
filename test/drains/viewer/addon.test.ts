/** The add-on for logs: the app's lines are found on its page, stay when it is killed, and go with it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { notedProcess } from '../../support/addons/addon-server.ts';
import { boundPorts } from '../../support/addons/bound-ports.ts';
import { pushLines } from '../../support/senders/send-lines.ts';
import { type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import type { SearchPage, ViewerGroup } from '../../support/viewer/viewer.ts';

interface Addon {
  readonly id: string;
  readonly name: string;
  readonly web_url: string;
}

const ask = <T>(server: Server, { id }: Addon, path: string): Promise<T> =>
  server.request('GET', `/addons/${id}/page/${path}`);

async function messages(server: Server, addon: Addon, q: string): Promise<string[]> {
  const page = await ask<SearchPage>(server, addon, `api/search?q=${q}&limit=1000`).catch(() => undefined);
  return (page?.lines ?? []).map(({ message }) => message).reverse();
}

it('`addons:add logging` keeps the app’s lines, searched on its page or with its key, also over kill -9', async () => {
  const server = await startServerForTest({ env: { TAILRACE_ALLOW_PRIVATE_DRAINS: 'no' } });
  const app = await server.createApp('shop');
  const addon = await server.request<Addon>('POST', `/apps/${app.name}/addons`, { plan: 'logging' });
  await pushLines(server, app.token, ['a line that is kept', 'another']);
  await until('the line', async () => (await messages(server, addon, 'kept')).length === 1);
  const [{ streams }] = await ask<ViewerGroup[]>(server, addon, 'api/groups');
  expect(streams.map(({ name }) => name)).toEqual(['shop']);

  const config = await server.request<Record<string, string>>('GET', '/apps/shop/config-vars');
  const { origin } = new URL(config.LOGGING_URL);
  const found = await fetch(`${origin}/api/search?q=kept`, {
    headers: { authorization: `Bearer ${config.LOGGING_API_TOKEN}` },
  });
  expect(((await found.json()) as SearchPage).lines).toMatchObject([{ message: 'a line that is kept' }]);
  expect((await fetch(`${origin}/api/search`)).status).toBe(401);

  // Its link signs a browser on: the page and what it asks for, nothing without the cookie.
  const { web_url: link } = await server.request<Addon>('GET', `/addons/${addon.name}`);
  const signedOn = await fetch(link, { redirect: 'manual' });
  const pageUrl = new URL(signedOn.headers.get('location') ?? '', link).href;
  const cookie = (signedOn.headers.get('set-cookie') ?? '').split(';')[0];
  const page = await fetch(pageUrl, { headers: { cookie } });
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  const session = await fetch(`${pageUrl}api/session`, { headers: { cookie } });
  expect(await session.json()).toMatchObject({ external: true, user: { role: 'owner' } });
  expect((await fetch(`${pageUrl}api/session`)).status).toBe(401);

  // It takes no syslog, since nobody asked for that.
  const viewerPid = await until('its process', () => notedProcess(server, addon.id));
  expect(boundPorts(viewerPid)).toEqual([Number(new URL(config.LOGGING_URL).port)]);

  const sent = Array.from({ length: 40 }, (_, i) => `numbered ${i}`);
  const pid = await until('its process', () => notedProcess(server, addon.id));
  for (const [i, line] of sent.entries()) {
    await pushLines(server, app.token, [line]);
    if (i === 20) process.kill(pid, 'SIGKILL');
  }
  await until('all of them', async () => (await messages(server, addon, 'numbered')).length >= sent.length);
  expect((await messages(server, addon, 'numbered')).sort()).toEqual(sent.sort());
  const details = await server.request<{ name: string; values: string[] }[]>(
    'GET',
    `/addons/${addon.id}/details`,
  );
  expect(details.find(({ name }) => name === 'Lines')?.values).toEqual([expect.stringMatching(/^4\d$/)]);

  const folder = join(server.data, 'host', 'addons', addon.id);
  expect(existsSync(folder)).toBe(true);
  await server.request('DELETE', `/apps/${app.name}/addons/${addon.name}`);
  expect(await server.request('GET', `/apps/${app.name}/log-drains`)).toEqual([]);
  expect(existsSync(folder)).toBe(false);
});
