/** API keys over their life: what one may do, rotation, revocation and expiry, with a server that restarts. */
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { copyCounterApp, startCounterApp } from '../support/counter-app.ts';
import { missing, Program, runProgram, runTailrace, TAILRACE } from '../support/program.ts';
import { EventStreamTail, WebSocketTail } from '../support/receivers/tail-protocols.ts';
import { hasRedis, RedisServer } from '../support/redis/redis-server.ts';
import { pushLines } from '../support/senders/send-lines.ts';
import {
  type App,
  dataFolderForTest,
  type Server,
  startServer,
  startServerForTest,
  temporaryFolder,
} from '../support/server.ts';
import { until } from '../support/until.ts';

interface Authorization {
  readonly id: string;
  readonly current: boolean;
  readonly scope: readonly string[];
  readonly access_token: { readonly token: string; readonly expires_in: number | null };
}

async function send(server: Server, key: string, method: string, path: string, body?: unknown) {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

const statusOf = async (server: Server, key: string, path = '/apps') =>
  (await send(server, key, 'GET', path)).status;

/** A new key with these properties. */
const makeKey = (server: Server, body: object) =>
  server.request<Authorization>('POST', '/oauth/authorizations', body);

const listKeys = (server: Server) => server.request<Authorization[]>('GET', '/oauth/authorizations');

describe('the key of a machine', () => {
  it('that was revoked stays useless after a restart: the machine has another', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    const [{ id }] = await listKeys(first);
    await first.request('DELETE', `/oauth/authorizations/${id}`);
    await until('its end', async () => (await statusOf(first, first.key)) === 401);
    const hint = await runTailrace(['apps'], { env: { TAILRACE_DATA: data } });
    expect(hint.stderr).toContain('was revoked: restart the server, which makes another');
    await first.close();
    const second = await startServerForTest({ data });
    expect(await statusOf(second, first.key)).toBe(401);
    expect(second.key).not.toBe(first.key);
    expect(await listKeys(second)).toHaveLength(1);
    await second.close();
    // And it stays so: the revocation isn't remembered by the file alone.
    const third = await startServerForTest({ data });
    expect(third.key).toBe(second.key);
    expect(await statusOf(third, first.key)).toBe(401);
  });

  it('whose file was deleted is replaced, and useless', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    await first.close();
    rmSync(join(data, 'key'));
    const second = await startServerForTest({ data });
    expect(second.key).not.toBe(first.key);
    expect(await statusOf(second, first.key)).toBe(401);
    expect(await listKeys(second)).toHaveLength(1);
    expect(statSync(join(data, 'key')).mode & 0o777).toBe(0o600);
  });

  it.skipIf(!hasRedis)(
    'of each folder is one of many on Redis: it expires when its machine is gone, and never beside it',
    async () => {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.remove());
      const env = { REDIS_URL: redis.url };
      const data = dataFolderForTest();
      const first = await startServerForTest({ data, env });
      const other = await startServerForTest({ env });
      const keys = await listKeys(first);
      expect(keys).toHaveLength(2);
      for (const { access_token: token } of keys) expect(token.expires_in).toBeGreaterThan(6 * 86_400);
      await first.close();
      rmSync(join(data, 'key'));
      const second = await startServerForTest({ data, env });
      expect(await listKeys(second)).toHaveLength(2);
      await until('the old one is useless', async () => (await statusOf(other, first.key)) === 401);
      expect(await statusOf(second, other.key)).toBe(200);
      await second.request(
        'DELETE',
        `/oauth/authorizations/${(await listKeys(second)).find(({ current }) => current)?.id}`,
      );
      await second.close();
      const third = await startServerForTest({ data, env });
      expect(await statusOf(third, second.key)).toBe(401);
      expect(await statusOf(third, third.key)).toBe(200);
    },
  );

  it('is replaced by auth:token --rotate while dynos write and the server runs', async () => {
    const counter = await startCounterApp();
    const before = (await counter.run('auth:token')).stdout.trim();
    const rotated = await counter.run('auth:token', '--rotate');
    expect(rotated).toMatchObject({ status: 0, stderr: '' });
    const after = rotated.stdout.trim();
    expect(after).not.toBe(before);
    expect((await counter.run('auth:token')).stdout.trim()).toBe(after);
    const old = await counter.run('apps');
    expect(old.status).toBe(0);
    const { url } = JSON.parse(readFileSync(join(counter.folder, '.tailrace', 'server.json'), 'utf8'));
    const withOld = await runTailrace(['apps'], { env: { TAILRACE_URL: url, TAILRACE_API_KEY: before } });
    expect(withOld.stderr).toContain('Invalid credentials');
    // Lines of dynos need no key that somebody can revoke.
    await counter.get('/after-the-rotation');
    await until('lines of a dyno', async () =>
      (await counter.run('logs', '-n', '100', '--dyno', 'web')).stdout.includes('after-the-rotation'),
    );
  });
});

describe('a key', () => {
  let server: Server;
  let app: App;
  beforeAll(async () => {
    server = await startServer();
    app = await server.createApp();
    await pushLines(server, app.token, ['hello']);
  });
  afterAll(() => server.close());

  it('with the scope read sees no secrets: tokens, config vars, headers of drains', async () => {
    const read = (await makeKey(server, { scope: ['read'] })).access_token.token;
    const secrets = [
      `/apps/${app.name}/tokens`,
      `/apps/${app.name}/config-vars`,
      `/apps/${app.name}/releases/1/config-vars`,
      `/apps/${app.name}/telemetry-drains`,
      '/telemetry-drains/1',
    ];
    for (const path of secrets) {
      const { status, text } = await send(server, read, 'GET', path);
      expect(status, path).toBe(401);
      expect(text).toMatch(/scope \S*( or )?read-protected or read with write or admin is needed/);
    }
    expect(await statusOf(server, read, `/apps/${app.name}/logs`)).toBe(200);
    expect(await statusOf(server, read, `/apps/${app.name}`)).toBe(200);
    for (const scope of ['read-protected', 'write-protected', 'global']) {
      const key = (await makeKey(server, { scope: [scope] })).access_token.token;
      expect(await statusOf(server, key, secrets[0]), scope).toBe(200);
    }
  });

  it('gives no key more than it has: scopes, time', async () => {
    const make = async (by: string, body: object) => send(server, by, 'POST', '/oauth/authorizations', body);
    const writer = (await makeKey(server, { scope: ['read', 'write'], expires_in: 3_600 })).access_token
      .token;
    for (const scope of [['global'], ['ingest'], ['read', 'ingest']]) {
      const { status, text } = await make(writer, { scope });
      expect(status).toBe(403);
      expect(text).toContain("which it doesn't have itself");
    }
    for (const body of [{}, { scope: ['write'] }, { scope: ['read'], expires_in: 86_400 }]) {
      const { status, text } = await make(writer, body);
      expect(status).toBe(201);
      const made: Authorization = JSON.parse(text);
      expect(made.scope).not.toEqual(['global']);
      expect(made.access_token.expires_in).toBeLessThanOrEqual(3_600);
    }
    const shorter = JSON.parse((await make(writer, { expires_in: 60 })).text) as Authorization;
    expect(shorter.access_token.expires_in).toBeLessThanOrEqual(60);
    const machine = (await listKeys(server)).find(({ current }) => current);
    const path = `/oauth/authorizations/${machine?.id}`;
    expect((await send(server, writer, 'DELETE', path)).status).toBe(403);
    expect((await send(server, writer, 'POST', `${path}/actions/regenerate-tokens`, {})).status).toBe(403);
    expect(await statusOf(server, server.key)).toBe(200);
  });

  it('can be replaced by its id, which it keeps, and revoke itself', async () => {
    const { id, access_token: old } = await makeKey(server, { scope: ['read', 'write'] });
    const path = `/oauth/authorizations/${id}`;
    const { text } = await send(server, old.token, 'POST', `${path}/actions/regenerate-tokens`, {});
    const replaced = JSON.parse(text) as Authorization;
    expect(replaced.id).toBe(id);
    await until('the old one is useless', async () => (await statusOf(server, old.token)) === 401);
    expect(await statusOf(server, replaced.access_token.token)).toBe(200);
    expect((await send(server, replaced.access_token.token, 'DELETE', path)).status).toBe(200);
    await until('the new one too', async () => (await statusOf(server, replaced.access_token.token)) === 401);
  });

  /** Tails of every kind, opened with a key; what they say about their end. */
  async function openTails(key: string): Promise<{ hasEnded: () => boolean; sessions: string[] }> {
    const headers = { authorization: `Bearer ${key}` };
    const session = async () =>
      JSON.parse((await send(server, key, 'POST', `/apps/${app.name}/log-sessions`, { tail: true })).text)
        .logplex_url as string;
    const sessions = [await session(), await session(), await session()];
    const sockets = [
      new WebSocketTail(`${server.url}/apps/${app.name}/tail`, { headers }),
      new WebSocketTail(sessions[0]),
    ];
    const events = [
      await new EventStreamTail().open(`${server.url}/apps/${app.name}/logs?tail=true`, headers),
      await new EventStreamTail().open(sessions[1]),
    ];
    let textEnded = false;
    const text = await fetch(`${server.url}/apps/${app.name}/logs?tail=true`, { headers });
    void text.text().then(() => {
      textEnded = true;
    });
    for (const socket of sockets) await socket.untilLive();
    return {
      hasEnded: () =>
        textEnded &&
        sockets.every(({ closeCode }) => closeCode !== undefined) &&
        events.every(({ hasEnded }) => hasEnded),
      sessions,
    };
  }

  it('ends its open tails and its log sessions when it is revoked', async () => {
    const { id, access_token: access } = await makeKey(server, { scope: ['read'] });
    const tails = await openTails(access.token);
    expect(tails.hasEnded()).toBe(false);
    await server.request('DELETE', `/oauth/authorizations/${id}`);
    await until('the end of all tails', tails.hasEnded);
    for (const url of tails.sessions) {
      const response = await fetch(url);
      expect(response.status).toBe(404);
      expect(await response.text()).toContain('the API key that made it was revoked');
    }
  });

  it('ends them when it expires, and when it is replaced', async () => {
    const expiring = await makeKey(server, { scope: ['read'], expires_in: 2 });
    const tails = await openTails(expiring.access_token.token);
    await until('the end of all tails', tails.hasEnded);
    const replaced = await makeKey(server, { scope: ['read'] });
    const others = await openTails(replaced.access_token.token);
    await server.request('POST', `/oauth/authorizations/${replaced.id}/actions/regenerate-tokens`, {});
    await until('the end of the others', others.hasEnded);
  });

  it('that one uses isn’t revoked by the command without being asked', async () => {
    const { id, access_token: access } = await makeKey(server, { scope: ['global'] });
    const env = { TAILRACE_URL: server.url, TAILRACE_API_KEY: access.token };
    const asked = await runTailrace(['authorizations:revoke', id], { env });
    expect(asked.status).toBe(1);
    expect(asked.stderr).toContain('This is the key that you use now');
    expect(await statusOf(server, access.token)).toBe(200);
    const wrong = await runTailrace(['authorizations:revoke', id, '--confirm', 'yes'], { env });
    expect(wrong.status).toBe(1);
    const rotated = await runTailrace(['auth:token', '--rotate'], { env });
    expect(rotated.stderr).toContain('TAILRACE_API_KEY is useless now');
    const next = { ...env, TAILRACE_API_KEY: rotated.stdout.trim() };
    const done = await runTailrace(['authorizations:revoke', id, '--confirm', id], { env: next });
    expect(done).toMatchObject({ status: 0, stdout: 'Revoking API key... done\n' });
    await until('its end', async () => (await statusOf(server, next.TAILRACE_API_KEY)) === 401);
  });
});

describe.skipIf(missing('git'))('the data folder of a project', () => {
  it('isn’t staged by git add -A', async () => {
    const counter = await startCounterApp();
    const git = (...args: string[]) => runProgram('git', args, { cwd: counter.folder });
    await git('init', '-q');
    await git('add', '-A');
    const staged = (await git('diff', '--cached', '--name-only')).stdout.split('\n');
    expect(staged).toContain('Procfile');
    expect(staged.filter((name) => name.includes('.tailrace'))).toEqual([]);
  });

  it('isn’t there when the start failed, nor are the folders above it', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void taken.close());
    const port = String((taken.address() as AddressInfo).port);
    const folder = copyCounterApp();
    const free = { TAILRACE_HTTP_PORT: '0', TAILRACE_SYSLOG_PORT: '0', TAILRACE_ROUTER_PORT: '0' };
    for (const name of ['TAILRACE_HTTP_PORT', 'TAILRACE_ROUTER_PORT', 'TAILRACE_SYSLOG_PORT']) {
      const failed = await runProgram(process.execPath, [TAILRACE, 'start'], {
        cwd: folder,
        env: { ...free, [name]: port },
      });
      expect(failed.status, name).toBe(1);
      expect(existsSync(join(folder, '.tailrace')), name).toBe(false);
    }
    const parent = temporaryFolder();
    onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
    const env = { ...free, TAILRACE_HTTP_PORT: port, TAILRACE_DATA: join(parent, 'a', 'b') };
    const served = await runProgram(process.execPath, [TAILRACE, 'serve'], { env });
    expect(served.status).toBe(1);
    expect(existsSync(join(parent, 'a'))).toBe(false);
  });

  it('of a server that runs stays when a second one fails', async () => {
    const counter = await startCounterApp();
    const second = new Program(process.execPath, [TAILRACE, 'start'], { cwd: counter.folder });
    expect((await second.exited).status).toBe(1);
    expect((await counter.run('apps')).status).toBe(0);
  });
});
