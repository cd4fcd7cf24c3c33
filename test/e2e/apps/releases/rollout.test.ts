/** How the dynos of one release take over from those of another, and what happens when they don't come up. */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fetchFromApp, GitRepository } from '../../../support/git-repository.ts';
import { type Server, startServer } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

/** Crashes, or never listens, as its config says; switches to a protocol that says everything back. */
const WEB = `
if (process.env.CRASH) process.exit(1);
if (process.env.NEVER) setInterval(() => {}, 1e6);
else require('http').createServer((q, r) => r.end(JSON.stringify({
  a: process.env.A, version: require('fs').readFileSync('version.txt', 'utf8').trim(), home: process.env.HOME,
}))).on('upgrade', (q, s) => {
  s.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n');
  s.on('data', (d) => s.write(d)).on('error', () => {});
}).listen(process.env.PORT);
process.on('SIGTERM', () => process.exit(0));
`;

let number = 0;
async function deployed() {
  const name = `roll-${process.pid % 10_000}-${++number}`;
  const repository = new GitRepository(server, {
    Procfile: 'web: exec node web.cjs\nworker: sleep 1000\n',
    'web.cjs': WEB,
    'version.txt': 'one\n',
  });
  await repository.tailrace('create', name);
  expect((await repository.push()).status).toBe(0);
  await fetchFromApp(server, name);
  return { name, repository };
}

interface Load {
  readonly good: () => number;
  /** Stops it. @returns what failed */
  stop(): Promise<string[]>;
}
/** Requests one after the other on some connections: with pauses, as all of the processors would be theirs. */
function load(name: string, clientCount = 4, pauseMs = 25): Load {
  let isOver = false;
  let good = 0;
  const bad: string[] = [];
  const clients = Array.from({ length: clientCount }, async () => {
    while (!isOver) {
      await fetchFromApp(server, name).then(
        () => good++,
        (error: unknown) => bad.push(String(error)),
      );
      await pause(pauseMs);
    }
  });
  return {
    good: () => good,
    stop: async () => {
      isOver = true;
      await Promise.all(clients);
      return bad;
    },
  };
}

const messages = (name: string) => server.readMessages({ id: '', name, token: '' });
const logged = (name: string, line: RegExp, timeoutMs?: number) =>
  until(String(line), async () => (await messages(name)).some((one) => line.test(one)), timeoutMs);
const setConfig = (name: string, vars: Record<string, string | null>) =>
  server.request('PATCH', `/apps/${name}/config-vars`, vars);
const versions = async (name: string) =>
  (await server.request<{ version: number; description: string }[]>('GET', `/apps/${name}/releases`)).map(
    ({ version, description }) => `v${version} ${description}`,
  );

/** A connection that the app has switched to another protocol. */
async function tunnel(name: string): Promise<Socket> {
  const socket = connect(server.routerPort, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(`GET / HTTP/1.1\r\nHost: ${name}.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
  await expect(nextText(socket)).resolves.toMatch(/^HTTP\/1\.1 101 /);
  return socket;
}
function nextText(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', (bytes) => resolve(bytes.toString()));
    socket.once('close', () => reject(new Error('closed')));
  });
}

describe('what serves goes on serving', () => {
  const neverUp = { name: '', load: undefined as Load | undefined };

  it('while a release that never listens starts (and the next tests run)', async () => {
    const { name } = await deployed();
    neverUp.name = name;
    neverUp.load = load(name, 1, 100);
    await setConfig(name, { NEVER: '1' });
    await logged(name, /^Starting process with command `exec node web\.cjs`$/);
  });

  it('while a release crashes, until the next one is up', async () => {
    const { name, repository } = await deployed();
    const requests = load(name);
    await setConfig(name, { CRASH: '1' });
    await logged(name, /^The web dynos of v3 do not come up: v2 goes on serving requests$/);
    const before = requests.good();
    await until('more requests', () => requests.good() > before + 100);
    repository.commit({ 'version.txt': 'two\n' });
    await repository.push();
    await logged(name, /^The web dynos of v4 do not come up: v2 goes on serving requests$/);
    await repository.tailrace('config:unset', 'CRASH');
    await until('the second version', async () => (await fetchFromApp(server, name)).version === 'two');
    await until('only the dynos of one release', async () => {
      const homes = new Set<string>();
      for (let i = 0; i < 20; i++) homes.add((await fetchFromApp(server, name)).home);
      return homes.size === 1;
    });
    expect(await requests.stop()).toEqual([]);
  });

  it('while one dyno is restarted, scaled and released in quick succession', async () => {
    const { name, repository } = await deployed();
    const requests = load(name);
    for (const a of ['1', '2', '3']) await setConfig(name, { A: a });
    await repository.tailrace('restart');
    await repository.tailrace('scale', 'web=3');
    await setConfig(name, { A: '4' });
    await until('the last release', async () => (await fetchFromApp(server, name)).a === '4');
    await repository.tailrace('scale', 'web=1');
    await repository.tailrace('restart', 'web.1');
    repository.commit({ 'version.txt': 'two\n' });
    await repository.push();
    await until('the second version', async () => (await fetchFromApp(server, name)).version === 'two');
    await repository.tailrace('rollback');
    await until('the first version', async () => (await fetchFromApp(server, name)).version === 'one');
    const before = requests.good();
    await until('more requests', () => requests.good() > before + 100);
    expect(await requests.stop()).toEqual([]);
  });

  it('a dyno that leaves service keeps what it serves for half a minute, and no longer than that takes', async () => {
    const { name } = await deployed();
    const [long, short] = [await tunnel(name), await tunnel(name)];
    const beganMs = performance.now();
    await setConfig(name, { A: '1' });
    await logged(name, /^State changed from up to down$/);
    short.destroy();
    const closed = new Promise<number>((resolve) => long.once('close', () => resolve(performance.now())));
    long.write('still there');
    expect(await nextText(long)).toBe('still there');
    expect(await messages(name)).not.toContain('Stopping all processes with SIGTERM');
    expect((await closed) - beganMs).toBeGreaterThan(25_000);
    await logged(name, /^Stopping all processes with SIGTERM$/);

    const other = await deployed();
    const only = await tunnel(other.name);
    await setConfig(other.name, { A: '1' });
    await logged(other.name, /^State changed from up to down$/);
    only.destroy();
    await logged(other.name, /^Stopping all processes with SIGTERM$/);
  });

  it('when the release that never listens is given up, and after that', async () => {
    const { name, load: requests } = neverUp;
    await logged(name, /^Error R10 \(Boot timeout\)/, 80_000);
    await logged(name, /^The web dynos of v3 do not come up: v2 goes on serving requests$/);
    const before = requests?.good() ?? 0;
    await until('more requests', () => (requests?.good() ?? 0) > before + 5);
    expect(await requests?.stop()).toEqual([]);
    await setConfig(name, { NEVER: null, A: 'fixed' });
    await until('the fix', async () => (await fetchFromApp(server, name)).a === 'fixed');
  });
});

describe('auto-rollback', () => {
  it('goes back to what served, as a release, and no further', async () => {
    const { name, repository } = await deployed();
    expect((await repository.tailrace('labs:enable', 'auto-rollback')).status).toBe(0);
    const requests = load(name);
    await setConfig(name, { CRASH: '1', A: '1' });
    await until('a rollback', async () => (await versions(name)).at(-1) === 'v4 Rollback to v2');
    expect(await server.request('GET', `/apps/${name}/config-vars`)).toEqual({});
    await until('one release', async () => {
      const dynos = await server.request<{ type: string; state: string; release: { version: number } }[]>(
        'GET',
        `/apps/${name}/dynos`,
      );
      return dynos.some(
        ({ type, state, release }) => type === 'web' && state === 'up' && release.version === 4,
      );
    });
    expect(await requests.stop()).toEqual([]);
  });

  it('also without preboot, where the old dynos stop first', async () => {
    const { name, repository } = await deployed();
    await repository.tailrace('labs:enable', 'auto-rollback');
    expect((await repository.tailrace('features:disable', 'preboot')).stdout).toMatch(/Disabling preboot/);
    await setConfig(name, { A: '1' });
    await until('the release', async () => (await fetchFromApp(server, name)).a === '1');
    const lines = (await messages(name)).filter((line) => /^Starting process|up to down/.test(line));
    // In between the first one has stopped.
    expect(lines.map((line) => line.slice(0, 5))).toEqual(['Start', 'State', 'Start']);
    await setConfig(name, { CRASH: '1' });
    await until('a rollback', async () => (await versions(name)).at(-1) === 'v5 Rollback to v3');
    await until('the app', async () => (await fetchFromApp(server, name).catch(() => undefined))?.a === '1');
  });
});

it('the switches are listed as Heroku does', async () => {
  const { name } = await server.createApp();
  const features = await server.request<{ name: string; state: string; enabled: boolean }[]>(
    'GET',
    `/apps/${name}/features`,
  );
  expect(features.map((one) => [one.name, one.state, one.enabled])).toEqual([
    ['log-runtime-metrics', 'beta', false],
    ['preboot', 'general', true],
    ['auto-rollback', 'beta', false],
  ]);
});

it('an app whose only web dyno was stopped says so at once', async () => {
  const { name, repository } = await deployed();
  await repository.tailrace('ps:stop', 'web.1');
  await logged(name, /^State changed from up to down$/);
  const failed = await fetchFromApp(server, name).catch((error: Error) => error.message);
  expect(failed).toMatch(/^503 .*H10 App crashed/s);
  await repository.tailrace('restart', 'web.1');
  await until('the app', async () => (await fetchFromApp(server, name)).version === 'one');
});

describe('an app that changes in two ways at once', () => {
  it('is served under its new name when it is renamed while a release is made', async () => {
    // With a single app any host name is its own.
    await deployed();
    let { name } = await deployed();
    for (let i = 0; i < 5; i++) {
      const next = `${name.slice(0, 20)}-${i}`;
      await Promise.all([
        setConfig(name, { A: String(i) }),
        server.request('PATCH', `/apps/${name}`, { name: next }),
      ]);
      name = next;
      await until(`release ${i}`, async () => (await fetchFromApp(server, name)).a === String(i));
    }
  });

  it('has as many dynos as all have asked for who scale it at once', async () => {
    const { name } = await deployed();
    const updates = [{ type: 'worker', quantity: '+1' }];
    await Promise.all(
      Array.from({ length: 3 }, () => server.request('PATCH', `/apps/${name}/formation`, { updates })),
    );
    const { quantity } = await server.request<{ quantity: number }>('GET', `/apps/${name}/formation/worker`);
    expect(quantity).toBe(3);
  });

  it('starts nothing any more while it is destroyed', async () => {
    const { name, repository } = await deployed();
    repository.commit({
      Procfile: `web: exec node web.cjs\nslow: trap '' TERM; echo deaf; sleep 1000 & wait; wait\n`,
    });
    expect((await repository.push()).status).toBe(0);
    expect(await repository.tailrace('ps:scale', 'slow=1')).toMatchObject({ status: 0 });
    await logged(name, /^deaf$/);
    const destroyed = server.request('DELETE', `/apps/${name}`);
    await logged(name, /^Stopping all processes with SIGTERM$/);
    const { dynos } = JSON.parse(readFileSync(join(server.data, 'host', 'dynos.json'), 'utf8'));
    const being = /409 .*This app is being destroyed/;
    await expect(setConfig(name, { A: '1' })).rejects.toThrow(being);
    const command = { command: 'sleep 1000' };
    await expect(server.request('POST', `/apps/${name}/dynos`, command)).rejects.toThrow(being);
    repository.commit({ 'version.txt': 'two\n' });
    expect(await repository.push()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/being destroyed/),
    });
    for (const { pid } of dynos.filter((dyno: { name: string }) => dyno.name === 'slow.1'))
      process.kill(-pid, 'SIGKILL');
    await destroyed;
    await expect(server.request('GET', `/apps/${name}`)).rejects.toThrow(/404/);
  });
});
