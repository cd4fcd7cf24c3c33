/** The add-on `sentry` on a real server: unmodified SDKs report to it, the stream is told, programs read its API, and nothing is lost. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, runTailrace } from '../../../support/program.ts';
import { dataFolderForTest, type Server, startServer, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

interface Addon {
  readonly id: string;
  readonly name: string;
  readonly config_vars: readonly string[];
  readonly provision_message: string;
  readonly web_url: string;
}
interface Group {
  readonly id: string;
  readonly type: string;
  readonly value: string;
  readonly location: string;
  readonly status: string;
  readonly count: number;
}
type Config = Readonly<Record<string, string>>;

const PYTHON = '/usr/bin/python3';
const noSdk = spawnSync(PYTHON, ['-c', 'import sentry_sdk']).status !== 0;
if (noSdk && process.env.CI) throw new Error('not installed: python3-sentry-sdk');

/** The SDK finds SENTRY_DSN by itself. */
const PYTHON_APP = `
import logging, sentry_sdk
sentry_sdk.init(release='shop@7', environment='production', auto_session_tracking=True)
sentry_sdk.set_user({'id': '42'})

def pay(order, password='hunter2'):
    raise ValueError('bad order %d' % order)

for order in range(3):
    try:
        pay(order)
    except ValueError:
        sentry_sdk.capture_exception()
logging.error('Disk %s is full', '/dev/sda1')
sentry_sdk.flush()
`;

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

const add = (at: Server, app: string, plan = 'sentry'): Promise<Addon> =>
  at.request<Addon>('POST', `/apps/${app}/addons`, { plan });
const dsnOf = async (at: Server, app: string): Promise<string> =>
  (await at.request<Config>('GET', `/apps/${app}/config-vars`)).SENTRY_DSN;
const groupsOf = async (at: Server, addon: Addon): Promise<Group[]> =>
  (await at.request<{ groups: Group[] }>('GET', `/addons/${addon.id}/page/api/groups?status=all`)).groups;

/** Sends an event as SDKs do. @returns the status */
async function send(dsn: string, event: object): Promise<number> {
  const { origin, username } = new URL(dsn);
  const body = `{}\n{"type":"event"}\n${JSON.stringify(event)}\n`;
  const response = await fetch(`${origin}/api/1/envelope/?sentry_key=${username}`, { method: 'POST', body });
  await response.text();
  return response.status;
}

describe('the add-on sentry', () => {
  it('is made under each of its names, and gives a DSN', async () => {
    const app = await server.createApp();
    for (const plan of ['sentry', 'errors', 'raven']) {
      const addon = await add(server, app.name, plan);
      expect(addon.config_vars).toEqual([expect.stringMatching(/^SENTRY_(?:[A-Z]+_)?DSN$/)]);
      expect(addon.provision_message).toContain(`tailrace addons:open ${addon.name}`);
    }
    const config = await server.request<Config>('GET', `/apps/${app.name}/config-vars`);
    const dsns = Object.values(config);
    expect(dsns).toHaveLength(3);
    for (const dsn of dsns) expect(dsn).toMatch(/^http:\/\/[0-9a-f]{32}@localhost:\d+\/1$/);
    expect(new Set(dsns.map((dsn) => new URL(dsn).username)).size).toBe(3);
    const [first, second] = dsns;
    // The key of one is none for another.
    expect(await send(first.replace(new URL(first).username, new URL(second).username), {})).toBe(403);
    await server.request('DELETE', `/apps/${app.name}`);
    await expect(send(first, {})).rejects.toThrow();
  });

  it.skipIf(noSdk)('takes what Python’s SDK reports, and says what is new in the stream', async () => {
    const app = await server.createApp();
    const addon = await add(server, app.name);
    const dsn = await dsnOf(server, app.name);
    const client = await runProgram(PYTHON, ['-c', PYTHON_APP], { env: { SENTRY_DSN: dsn } });
    expect(client.status).toBe(0);

    const [disk, error] = await groupsOf(server, addon);
    expect(disk).toMatchObject({ value: 'Disk /dev/sda1 is full', count: 1 });
    expect(error).toMatchObject({ type: 'ValueError', value: 'bad order 2', count: 3 });
    const path = `/addons/${addon.id}/page/api/groups/${error.id}`;
    const latest = await server.request<{ event: object }>('GET', `${path}/events/latest`);
    expect(latest).toMatchObject({
      position: 3,
      event: {
        platform: 'python',
        release: 'shop@7',
        user: { id: '42' },
        exceptions: [{ frames: [{}, { function: 'pay', vars: { order: '2', password: '[Filtered]' } }] }],
      },
    });
    expect(JSON.stringify(latest)).not.toContain('hunter2');

    const lines = await until('lines of both', async () => {
      const all = (await server.readLines(app)).filter(
        (line) => line.includes(' app[sentry.1]: ') && !line.includes(' sample#'),
      );
      return all.some((line) => line.includes('Disk')) && all;
    });
    expect(lines.map((line) => line.split(']: ')[1])).toEqual([
      expect.stringMatching(/^listens on port \d+/),
      'New error: ValueError: bad order 0 in <string>:7 (release shop@7, production)',
      'New error: Disk /dev/sda1 is full (release shop@7, production)',
    ]);
    const errorsOnly = await server.readLines(app, 'lines=100&level=error');
    expect(errorsOnly.filter((line) => line.includes('New error'))).toHaveLength(2);

    // Resolved, it is news when it comes again.
    await server.request('PATCH', path, { status: 'resolved' });
    await runProgram(PYTHON, ['-c', PYTHON_APP], { env: { SENTRY_DSN: dsn } });
    await until('the line', async () =>
      (await server.readMessages(app)).some((text) =>
        text.startsWith('Resolved error is back: ValueError: bad'),
      ),
    );
    expect(await server.request('GET', path)).toMatchObject({
      status: 'unresolved',
      count: 6,
      regressions: 1,
    });
    expect((await server.readMessages(app)).filter((text) => text.startsWith('New error'))).toHaveLength(2);
  });

  it('shows its errors to whoever has a key of the API, and to nobody else', async () => {
    const app = await server.createApp();
    const addon = await add(server, app.name);
    const dsn = await dsnOf(server, app.name);
    expect(await send(dsn, { message: 'secret <b>' })).toBe(200);
    const page = `${server.url}/addons/${addon.id}/page`;
    const get = (url: string, authorization = '') =>
      fetch(url, { headers: authorization === '' ? {} : { authorization }, redirect: 'manual' });
    for (const path of ['/', '/api/groups', '/api/live', '/api/1/envelope/'])
      for (const authorization of ['', 'Bearer wrong', `Bearer ${new URL(dsn).username}`])
        expect((await get(page + path, authorization)).status).toBe(401);
    // Nor at its own port.
    for (const path of ['/', '/api/groups', '/api/summary'])
      for (const authorization of ['', `Bearer ${server.key}`, `Bearer ${new URL(dsn).username}`])
        expect((await get(new URL(dsn).origin + path, authorization)).status).toBe(401);
    const answer = await get(`${page}/api/groups`, `Bearer ${server.key}`);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await answer.json()).toMatchObject({ total: 1, groups: [{ value: 'secret <b>' }] });

    const refused = (path: string, method = 'GET', body?: object) =>
      server.request(method, `/addons/${addon.id}/page/api${path}`, body);
    await expect(refused('/groups?sort=x')).rejects.toThrow(/422 .*sort is one of last_seen/);
    await expect(refused('/groups?status=x')).rejects.toThrow(/422 .*status is one of/);
    await expect(refused('/groups?limit=-1')).rejects.toThrow(/422 .*whole number/);
    await expect(refused('/groups/none')).rejects.toThrow(/404 .*no such error/);
    await expect(refused('/groups/__proto__')).rejects.toThrow(/404 .*no such error/);
    await expect(refused('/groups/none/events/latest')).rejects.toThrow(/404/);
    await expect(refused('/events/none')).rejects.toThrow(/404 .*no such event/);
    const [group] = await groupsOf(server, addon);
    await expect(refused(`/groups/${group.id}`, 'PATCH', { status: 'x' })).rejects.toThrow(/422/);
    await expect(refused(`/groups/${group.id}`, 'PATCH', {})).rejects.toThrow(/422/);
    await expect(refused(`/groups/${group.id}/events/99`)).rejects.toThrow(/404/);
    await refused(`/groups/${group.id}`, 'DELETE');
    expect(await groupsOf(server, addon)).toEqual([]);

    const { stdout } = await runTailrace(['addons:info', addon.name, '-a', app.name], { env: server.env });
    expect(stdout).toMatch(/0 unresolved, 0 resolved, 0 ignored/);
  });

  it('has what it had after kill -9, and after the server was killed', async () => {
    const data = dataFolderForTest();
    const before = await startServerForTest({ data });
    const app = await before.createApp();
    const addon = await add(before, app.name);
    const dsn = await dsnOf(before, app.name);
    let answered = 0;
    const report = async (): Promise<boolean> => {
      const status = await send(dsn, { message: 'again and again' }).catch(() => 0);
      if (status === 200) answered++;
      return status === 200;
    };
    for (let round = 0; round < 3; round++) {
      await until('an answer', report);
      const { dynos } = JSON.parse(readFileSync(join(data, 'host', 'dynos.json'), 'utf8'));
      process.kill(dynos[0].pid, 'SIGKILL');
    }
    await until('an answer', report);
    await before.kill();
    const after = await startServerForTest({ data });
    expect(await dsnOf(after, app.name)).toBe(dsn);
    await until('an answer', report);
    const [group] = await groupsOf(after, addon);
    expect(group.count).toBeGreaterThanOrEqual(answered);
    const folder = join(data, 'host', 'addons', addon.id);
    expect(existsSync(folder)).toBe(true);
    await after.request('DELETE', `/apps/${app.name}/addons/${addon.name}`);
    expect(existsSync(folder)).toBe(false);
  });
});
