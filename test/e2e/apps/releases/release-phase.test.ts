/** The release phase: it runs with every release, and decides whether that counts. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { processStat } from '../../../../src/common/processes/process-identity.ts';
import { APP_FILES, fetchFromApp, GitRepository } from '../../../support/git-repository.ts';
import { HerokuCli } from '../../../support/heroku/heroku-cli.ts';
import { hasRedis, RedisServer } from '../../../support/redis/redis-server.ts';
import { dataFolderForTest, type Server, startServer, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

interface ReleaseView {
  readonly version: number;
  readonly status: string;
  readonly current: boolean;
  readonly description: string;
  readonly output_stream_url: string | null;
}

/** Says which release it is, fails as `FAIL` says, and waits while the file `HOLD` names isn't there. */
const RELEASE =
  'release: [ -z "$PIDFILE" ] || echo $$ >"$PIDFILE"; echo "release $A"; until [ -z "$HOLD" ] || [ -e "$HOLD" ]; do sleep 0.05; done; exit $((FAIL))\n';

let number = 0;
async function deployed(on = server, files: Readonly<Record<string, string>> = {}) {
  const name = `phase-${process.pid % 10_000}-${++number}`;
  const repository = new GitRepository(on, {
    ...APP_FILES,
    Procfile: `web: node web.cjs\n${RELEASE}`,
    ...files,
  });
  await repository.tailrace('create', name);
  const pushed = await repository.push();
  expect(pushed.stderr).toMatch(/remote: -----> Release command: running/);
  expect(pushed.status).toBe(0);
  return { name, repository };
}
const releases = (name: string, on = server) => on.request<ReleaseView[]>('GET', `/apps/${name}/releases`);
const statuses = async (name: string, on = server) =>
  (await releases(name, on)).map(({ version, status }) => `v${version} ${status}`);
const config = (name: string, on = server) =>
  on.request<Record<string, string>>('GET', `/apps/${name}/config-vars`);
const setConfig = (name: string, vars: Record<string, string | null>, on = server) =>
  on.request('PATCH', `/apps/${name}/config-vars`, vars);
const outputOf = async (name: string, version: number, on = server) => {
  const { output_stream_url: url } = await on.request<ReleaseView>(
    'GET',
    `/apps/${name}/releases/${version}`,
  );
  if (url === null) return null;
  return (await fetch(url)).text();
};

describe('the release command runs with every release', () => {
  it('of config vars, with the new ones, and refuses those it fails with', async () => {
    const { name, repository } = await deployed();
    const good = await repository.tailrace('config:set', 'A=1');
    expect(good.stdout).toMatch(/done, v3/);
    expect(await outputOf(name, 3)).toBe('release 1\n');
    await until('A', async () => (await fetchFromApp(server, name)).a === '1');

    const bad = await repository.tailrace('config:set', 'A=2', 'FAIL=7');
    expect(bad.status).toBe(1);
    expect(bad.stderr).toMatch(/The release command failed \(status 7\): v4 isn't released/);
    expect(await statuses(name)).toEqual(['v1 succeeded', 'v2 succeeded', 'v3 succeeded', 'v4 failed']);
    expect((await releases(name)).find(({ current }) => current)?.version).toBe(3);
    expect(await config(name)).toEqual({ A: '1' });
    expect(await outputOf(name, 4)).toBe('release 2\n');
    expect((await fetchFromApp(server, name)).a).toBe('1');
    const lines = await server.readMessages({ id: '', name, token: '' });
    expect(lines).toContainEqual(expect.stringMatching(/^Running release v4 commands by user/));
    expect(lines).toContainEqual(expect.stringMatching(/^Release v4 failed: Set A, FAIL config vars/));
    expect((await repository.tailrace('releases')).stdout).toMatch(/v4 +Set A, FAIL config vars \(failed\)/);

    // What failed isn't built upon.
    await setConfig(name, { B: 'x' });
    expect(await config(name)).toEqual({ A: '1', B: 'x' });
  });

  it('of rollbacks and slugs, and those stay as they are when it fails', async () => {
    const { name, repository } = await deployed();
    repository.commit({ 'version.txt': 'two\n', Procfile: 'web: node web.cjs\n' });
    await repository.push();
    await setConfig(name, { FAIL: '3' });
    const back = await repository.tailrace('rollback', 'v2');
    // v2 has no FAIL.
    expect(back).toMatchObject({ status: 0, stdout: expect.stringMatching(/to v2... done, v5/) });
    expect(await outputOf(name, 5)).toBe('release \n');
    const { slug } = await server.request<{ slug: { id: string } }>('GET', `/apps/${name}/releases/2`);
    const without = await server.request<{ slug: { id: string } }>('GET', `/apps/${name}/releases/3`);
    await server.request('POST', `/apps/${name}/releases`, { slug: without.slug.id });
    await setConfig(name, { FAIL: '4' });
    await expect(
      server.request('POST', `/apps/${name}/releases`, { slug: slug.id, description: 'again' }),
    ).rejects.toThrow(/422.*release_failed.*status 4/);
    expect((await statuses(name)).at(-1)).toBe('v8 failed');
    await until('the second version', async () => (await fetchFromApp(server, name)).version === 'two');
  });

  it('of add-ons: one whose release fails is taken back', async () => {
    const { name, repository } = await deployed(server, {
      Procfile: 'web: node web.cjs\nrelease: echo "url $EXTRA_URL"; [ -z "$EXTRA_URL" ] || exit 5\n',
    });
    const refused = await repository.tailrace(
      'addons:create',
      'redis',
      '--url',
      'redis://localhost:1',
      '--as',
      'EXTRA',
    );
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/The release command failed \(status 5\)/);
    expect(await config(name)).toEqual({});
    expect(await server.request('GET', `/apps/${name}/addons`)).toEqual([]);
    expect((await statuses(name)).at(-1)).toBe('v3 failed');

    const other = await repository.tailrace(
      'addons:create',
      'redis',
      '--url',
      'redis://localhost:1',
      '--as',
      'FINE',
    );
    expect(other.status).toBe(0);
    const [{ name: addon }] = await server.request<{ name: string }[]>('GET', `/apps/${name}/addons`);
    const attached = await repository.tailrace('addons:attach', addon, '--as', 'EXTRA');
    expect(attached.status).toBe(1);
    expect(Object.keys(await config(name))).toEqual(['FINE_URL']);
    const attachments = await server.request<{ name: string }[]>('GET', `/apps/${name}/addon-attachments`);
    expect(attachments.map((one) => one.name)).toEqual(['FINE']);
  });
});

it('the official command line refuses, follows and shows it', { timeout: 300_000 }, async () => {
  const { name } = await deployed();
  const heroku = new HerokuCli(server);
  onTestFinished(() => heroku.close());
  const refused = await heroku.run(`config:set FAIL=7 A=2 -a ${name}`);
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toMatch(/The release command failed \(status 7\)[\s\S]*release_failed/);
  expect(await heroku.runOk(`releases:output v3 -a ${name}`)).toMatch(/^release 2$/m);
  expect(await heroku.runOk(`releases -a ${name}`)).toMatch(/v3 .*release command failed/);
  await setConfig(name, { A: '3' });
  expect(await heroku.runOk(`rollback v2 -a ${name}`)).toMatch(
    /done, v5[\s\S]*Running release command...\s+release $/m,
  );
  expect(await heroku.runOk(`features -a ${name}`)).toMatch(/\[\+\] preboot/);
});

describe('while the release command runs', () => {
  it('the release is pending, its output can be followed, and what ran goes on', async () => {
    const { name } = await deployed();
    const hold = join(server.data, `go-${name}`);
    const setting = setConfig(name, { A: '1', HOLD: hold });
    const pending = await until('a pending release', async () =>
      (await releases(name)).find(({ status }) => status === 'pending'),
    );
    expect(pending).toMatchObject({ version: 3, current: false });
    expect(await config(name)).toEqual({});
    const followed = await fetch(pending.output_stream_url ?? '');
    expect(followed.status).toBe(200);
    const dyno = await until('its dyno', async () => {
      const path = `/apps/${name}/dynos`;
      const all = await server.request<{ name: string; release: { version: number } }[]>('GET', path);
      return all.find((one) => one.name === 'release.1');
    });
    expect(dyno.release.version).toBe(3);
    expect((await fetchFromApp(server, name)).a).toBeUndefined();
    writeFileSync(hold, '');
    expect(await followed.text()).toBe('release 1\n');
    await setting;
    expect((await statuses(name)).at(-1)).toBe('v3 succeeded');
    expect((await fetch((pending.output_stream_url ?? '').replace(/.$/, '_'))).status).toBe(404);
    rmSync(hold);
  });

  it('others wait for their turn, and begin with what came of it', async () => {
    const { name, repository } = await deployed();
    const hold = join(server.data, `go-${name}`);
    const first = setConfig(name, { A: '1', HOLD: hold });
    await until('a pending release', async () => (await statuses(name)).at(-1) === 'v3 pending');
    const failing = setConfig(name, { FAIL: '9' }).catch((error: Error) => error.message);
    const third = setConfig(name, { B: '2' });
    repository.commit({ 'version.txt': 'two\n' });
    const push = repository.push();
    await until(
      'a build',
      async () => (await server.request<unknown[]>('GET', `/apps/${name}/builds`)).length > 1,
    );
    expect((await statuses(name)).at(-1)).toBe('v3 pending');
    writeFileSync(hold, '');
    await first;
    expect(await failing).toMatch(/status 9/);
    await third;
    expect((await push).status).toBe(0);
    expect(await config(name)).toEqual({ A: '1', B: '2', HOLD: hold });
    expect((await statuses(name)).slice(2).sort()).toEqual([
      'v3 succeeded',
      'v4 failed',
      'v5 succeeded',
      'v6 succeeded',
    ]);
    rmSync(hold);
  });

  it('it can be stopped: then the release has failed', async () => {
    const { name, repository } = await deployed();
    const setting = repository.tailrace('config:set', 'HOLD=/nonexistent/never');
    await until('a pending release', async () => (await statuses(name)).at(-1) === 'v3 pending');
    await until('it runs', async () =>
      (await server.request<{ name: string }[]>('GET', `/apps/${name}/dynos`)).some(
        (dyno) => dyno.name === 'release.1',
      ),
    );
    expect((await repository.tailrace('ps:stop', 'release.1')).status).toBe(0);
    expect((await setting).stderr).toMatch(/The release command failed \(status 143\)/);
    expect((await statuses(name)).at(-1)).toBe('v3 failed');
  });

  it('the app can be destroyed', async () => {
    const { name, repository } = await deployed();
    const setting = repository.tailrace('config:set', 'HOLD=/nonexistent/never');
    await until('it runs', async () =>
      (await server.request<{ name: string }[]>('GET', `/apps/${name}/dynos`)).some(
        (dyno) => dyno.name === 'release.1',
      ),
    );
    const waiting = setConfig(name, { B: '1' }).catch((error: Error) => error.message);
    expect((await repository.tailrace('destroy', name, '--confirm', name)).status).toBe(0);
    expect((await setting).status).toBe(1);
    expect(await waiting).toMatch(/409.*being destroyed|404/);
    await expect(releases(name)).rejects.toThrow(/404/);
  });

  it('a server that is killed leaves the release failed, its command ended, and what ran goes on', async () => {
    const data = dataFolderForTest();
    const first = await startServer({ data });
    const { name } = await deployed(first);
    await setConfig(name, { A: 'before' }, first);
    const vars = { A: 'after', HOLD: join(data, 'never'), PIDFILE: join(data, 'pid') };
    const setting = setConfig(name, vars, first).catch(() => 'gone');
    await until('a pending release', async () => (await statuses(name, first)).at(-1) === 'v4 pending');
    await until('it runs', async () =>
      (await first.request<{ name: string }[]>('GET', `/apps/${name}/dynos`)).some(
        (dyno) => dyno.name === 'release.1',
      ),
    );
    const pid = await until(
      'its process',
      () => existsSync(vars.PIDFILE) && (Number(readFileSync(vars.PIDFILE, 'utf8')) || undefined),
    );
    // Where nobody reaps it, a zombie stays.
    const isRunning = () => !['Z', undefined].includes(processStat(pid)?.state);
    const oneOff = await first.request<{ name: string }>('POST', `/apps/${name}/dynos`, {
      command: 'sleep 1000',
    });
    await first.kill();
    expect(await setting).toBe('gone');
    expect(isRunning()).toBe(true);
    const second = await startServer({ data });
    try {
      expect((await statuses(name, second)).at(-1)).toBe('v4 failed');
      expect(isRunning()).toBe(false);
      expect(await outputOf(name, 4, second)).toMatch(/The server died during the release command of v4/);
      expect(await config(name, second)).toEqual({ A: 'before' });
      for (const dyno of ['release.1', oneOff.name])
        await until('its end in the log', async () =>
          (await second.readLines({ id: '', name, token: '' })).some((line) =>
            line.endsWith(` heroku[${dyno}]: The server died: this dyno has ended, and how is not known`),
          ),
        );
      await until(
        'the app',
        async () => (await fetchFromApp(second, name).catch(() => undefined))?.a === 'before',
      );
      writeFileSync(join(data, 'never'), '');
      await setConfig(name, { A: 'again', HOLD: null }, second);
      expect((await statuses(name, second)).at(-1)).toBe('v5 succeeded');
    } finally {
      await second.close();
    }
  });
});

it.runIf(hasRedis)(
  'servers that share a Redis: one refuses while the other’s command runs',
  {
    timeout: 180_000,
  },
  async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    const data = dataFolderForTest();
    const env = { REDIS_URL: redis.url };
    const first = await startServer({ data, env });
    const other = await startServerForTest({ env });
    const { name } = await deployed(first);
    const setting = setConfig(name, { A: '1', HOLD: '/nonexistent/never' }, first).catch(() => 'gone');
    await until('a pending release', async () => (await statuses(name, other)).at(-1) === 'v3 pending');
    await expect(setConfig(name, { B: '1' }, other)).rejects.toThrow(
      /409.*The release command of v3 is running/,
    );
    await first.kill();
    await setting;
    // Nobody knows yet whether its server comes back.
    await expect(setConfig(name, { B: '1' }, other)).rejects.toThrow(/409/);
    const again = await startServer({ data, env });
    onTestFinished(() => again.kill());
    expect((await statuses(name, other)).at(-1)).toBe('v3 failed');
    await setConfig(name, { B: '1' }, other);
    expect(await config(name, again)).toEqual({ B: '1' });
  },
);
