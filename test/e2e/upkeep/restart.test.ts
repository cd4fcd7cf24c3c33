/** A server that is restarted or killed leaves its dynos to the next one, with what they write. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { GitRepository } from '../../support/git-repository.ts';
import { runTailrace } from '../../support/program.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const APP = 'staying';
/** Counts in its output, more than a pipe holds in half a minute; ends when it is asked to. */
const COUNTER = `let n = 0;
setInterval(() => { for (let i = 0; i < 5; i++) console.log('count ' + ++n); process.stdout.write('half '); }, 10);
`;
const WEB = `require('http').createServer((q, r) => {
  if (q.url === '/end') process.exit(7);
  if (q.url === '/burst') for (let i = 1; i <= 1000; i++) console.log('burst ' + i);
  if (q.url === '/burst') process.stdout.write('begun');
  if (q.url === '/finish') console.log(' and finished');
  setTimeout(() => r.end(JSON.stringify({ pid: process.pid, a: process.env.A })), q.url === '/slow' ? 1500 : 0);
}).listen(process.env.PORT);
`;

const folders: string[] = [];
const servers: Server[] = [];
afterAll(async () => {
  for (const server of servers) await server.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

async function start(data: string, env: Readonly<Record<string, string>> = {}): Promise<Server> {
  const server = await startServer({ data, env });
  servers.push(server);
  return server;
}

function newFolder(): string {
  const folder = temporaryFolder();
  folders.push(folder);
  return folder;
}

const t = (server: Server, ...args: string[]) =>
  runTailrace(args, { env: { ...server.env, TAILRACE_DATA: server.data } });

interface Dyno {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly created_at: string;
}

const dynosOf = (server: Server) => server.request<Dyno[]>('GET', `/apps/${APP}/dynos`);
const names = (dynos: readonly Dyno[]) => dynos.map(({ name, state }) => `${name} ${state}`).sort();

async function get(server: Server, path = '/'): Promise<{ pid: number; a?: string }> {
  const { statusCode, body } = await request(`http://127.0.0.1:${server.routerPort}${path}`, {
    headers: { host: `${APP}.localhost` },
  });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`${statusCode} ${text}`);
  return JSON.parse(text);
}

/** All messages of a dyno. */
async function said(server: Server, dyno: string): Promise<string[]> {
  return server.readMessages({ id: '', name: APP, token: '' }, `lines=1000000&dyno=${dyno}`);
}

/** The counter's numbers so far: each once, in order. */
async function expectCounted(server: Server): Promise<number> {
  const counts = (await said(server, 'worker.1'))
    .filter((line) => line.includes('count '))
    .map((line) => Number(line.replace(/^.*count /, '')));
  expect(counts).toEqual(Array.from({ length: counts.length }, (_, i) => i + 1));
  return counts.length;
}

/** Names and pids of all that a server has started, add-ons too. */
function noted(data: string): string[] {
  const { dynos } = JSON.parse(readFileSync(join(data, 'host', 'dynos.json'), 'utf8'));
  return dynos.map(({ name, pid }: { name: string; pid: number }) => `${name} ${pid}`).sort();
}

/** What the journals of all apps have. */
function journaled(data: string): string {
  const folder = join(data, 'host', 'journal');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')).join('');
}

function isRunning(pid: number): boolean {
  try {
    return !/^\S+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

describe('dynos of a server that is restarted', () => {
  const data = newFolder();
  /** Run by each server before its program: what a broken version does. */
  const preload = join(newFolder(), 'preload.cjs');
  let server: Server;
  let repository: GitRepository;

  beforeAll(async () => {
    writeFileSync(preload, '');
    server = await start(data, { NODE_OPTIONS: `--require ${preload}` });
    repository = new GitRepository(
      server,
      {
        Procfile: 'web: node web.cjs\nworker: exec node counter.cjs\n',
        'web.cjs': WEB,
        'counter.cjs': COUNTER,
      },
      afterAll,
    );
    await repository.tailrace('create', APP);
    if (hasRedis) await server.request('POST', `/apps/${APP}/addons`, { plan: 'redis' });
    expect((await repository.push()).status).toBe(0);
    await t(server, 'scale', 'worker=1', '-a', APP);
    await until('all dynos', async () => (await dynosOf(server)).every(({ state }) => state === 'up'));
  });

  it.each([
    ['a server of the first process', false],
    ['one that follows another', true],
  ])('stay with %s when the next one can’t start or serve', async (_which, follows) => {
    expect(JSON.parse(readFileSync(join(data, 'server.json'), 'utf8')).pid !== server.program.pid).toBe(
      follows,
    );
    const before = await dynosOf(server);
    const { pid } = await get(server);
    const versions = [
      `if (process.env.TAILRACE_SUCCESSOR) process.exit(3);`,
      `if (process.env.TAILRACE_SUCCESSOR) process.on('message', ({ type }) => type === 'go' && process.exit(3));`,
    ];
    for (const version of versions) {
      writeFileSync(preload, version);
      expect((await t(server, 'server:restart')).stderr).toMatch(/The next server could not start/);
    }
    writeFileSync(preload, '');
    expect(await dynosOf(server)).toEqual(before);
    expect((await get(server)).pid).toBe(pid);
    const counted = await expectCounted(server);
    await until('more lines', async () => (await expectCounted(server)) > counted);
    if (!follows) expect((await t(server, 'server:restart')).stderr).toBe('');
  });

  it('go on, with all that they write, and no request fails', async () => {
    const before = await dynosOf(server);
    const processes = noted(data);
    expect(processes).toHaveLength(hasRedis ? 3 : 2);
    const { pid } = await get(server);
    const failures: string[] = [];
    let isOver = false;
    const clients = ['', '', ''].map(async () => {
      while (!isOver)
        await get(server)
          .then((answer) => expect(answer.pid).toBe(pid))
          .catch((error) => failures.push(String(error)));
    });
    const slow = get(server, '/slow');
    for (const restarts of [1, 2]) {
      const restarted = await t(server, 'server:restart', '--json');
      expect(restarted.stderr).toBe('');
      expect(JSON.parse(restarted.stdout).pid, `${restarts}`).not.toBe(server.program.pid);
      expect(await dynosOf(server)).toEqual(before);
      expect(noted(data)).toEqual(processes);
      const counted = await expectCounted(server);
      await until('more lines', async () => (await expectCounted(server)) > counted);
    }
    isOver = true;
    await Promise.all(clients);
    expect((await slow).pid).toBe(pid);
    expect(failures).toEqual([]);
    expect(server.program.hasExited).toBe(false);
    const routed = (await said(server, 'router')).filter((line) => line.includes('path="/slow"'));
    expect(routed).toHaveLength(1);
  });

  it('are the new server’s: restarted, scaled, and started again when they end', async () => {
    const { pid } = await get(server);
    await get(server, '/end').catch(() => {});
    const next = await until('another one', () => get(server).catch(() => undefined));
    expect(next.pid).not.toBe(pid);
    await until('its status', async () =>
      (await said(server, 'web.1')).includes('Process exited with status 7'),
    );
    await t(server, 'scale', 'web=2', 'worker=0', '-a', APP);
    await until('the formation', async () => names(await dynosOf(server)).join() === 'web.1 up,web.2 up');
    await t(server, 'scale', 'web=1', 'worker=1', '-a', APP);
    await until('a worker', async () => names(await dynosOf(server)).join() === 'web.1 up,worker.1 up');
  });

  it('are started again when their keeper is killed, and lines go on', async () => {
    const { pid } = await get(server);
    const ended = async () =>
      (await said(server, 'worker.1')).filter((line) => line === 'Process exited with status 137').length;
    const before = await ended();
    process.kill(JSON.parse(readFileSync(join(data, 'host', 'keeper', 'pid'), 'utf8')).pid, 'SIGKILL');
    await until('another web dyno', async () => {
      const now = await get(server).catch(() => undefined);
      return now !== undefined && now.pid !== pid;
    });
    await until('its end to be told', async () => (await ended()) > before);
    await until('all dynos', async () => names(await dynosOf(server)).join() === 'web.1 up,worker.1 up');
    expect(isRunning(pid)).toBe(false);
  });

  it('go on when the server is killed, and the next one knows which have ended', async () => {
    const web = await get(server);
    const before = await dynosOf(server);
    const worker = Number(
      noted(data)
        .find((one) => one.startsWith('worker.1 '))
        ?.split(' ')[1],
    );
    // It follows another one by now, whose process ends with it.
    process.kill(JSON.parse(readFileSync(join(data, 'server.json'), 'utf8')).pid, 'SIGKILL');
    expect((await server.program.exited).status).toBe(137);
    process.kill(worker, 'SIGKILL');
    await until('the worker to end', () => !isRunning(worker));
    server = await start(data);
    expect((await get(server)).pid).toBe(web.pid);
    await until('another worker', async () => names(await dynosOf(server)).join() === 'web.1 up,worker.1 up');
    const after = await dynosOf(server);
    expect(after.find(({ name }) => name === 'web.1')).toEqual(before.find(({ name }) => name === 'web.1'));
    await until('what happened meanwhile', async () =>
      (await said(server, 'worker.1')).includes('Process exited with status 137'),
    );
  });

  it('go on when the server is killed, and lines that it had taken and couldn’t store are stored by the next one', async () => {
    const [streams, away] = [join(data, 'streams'), join(data, 'away')];
    renameSync(streams, away);
    await get(server, '/burst');
    await until('the server to have read all', () => journaled(data).includes('burst 1000'));
    process.kill(JSON.parse(readFileSync(join(data, 'server.json'), 'utf8')).pid, 'SIGKILL');
    await server.program.exited;
    renameSync(away, streams);
    server = await start(data);
    await get(server, '/finish');
    const web = await until('its lines', async () => {
      const lines = await said(server, 'web.1');
      return lines.some((line) => line.includes('finished')) ? lines : undefined;
    });
    expect(web.filter((line) => /^(burst|begun)/.test(line))).toEqual([
      ...Array.from({ length: 1_000 }, (_, i) => `burst ${i + 1}`),
      'begun and finished',
    ]);
    expect(web.join('\n')).not.toContain('may be missing');
  });

  it('end with a server that is stopped, also one that follows another', async () => {
    await t(server, 'server:restart');
    const { pid } = await get(server);
    // In the middle of another restart.
    process.kill(server.program.pid as number, 'SIGUSR2');
    await server.close();
    expect(server.program.exitStatus).toBe(0);
    expect(isRunning(pid)).toBe(false);
    await until('nothing to be left', () => !existsSync(join(data, 'host', 'keeper', 'socket')));
    expect((await t(server, 'server:restart')).stderr).toMatch(/No server runs on this machine/);
  });

  it('end when no server comes in time', async () => {
    server = await start(data, { TAILRACE_DYNO_HANDOVER: '3s' });
    const { pid } = await until('the app', () => get(server).catch(() => undefined));
    // A server whose first process is killed can't be followed any more: it leaves.
    await t(server, 'server:restart');
    expect((await get(server)).pid).toBe(pid);
    await server.kill();
    await until('the dyno to end', () => !isRunning(pid));
  });
});

describe.skipIf(!hasRedis)('dynos of a release that is over when their server comes back', () => {
  it('go on until those of the new one have taken over', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.remove());
    const data = newFolder();
    const env = { REDIS_URL: redis.url };
    const first = await start(data, env);
    const repository = new GitRepository(first, { Procfile: 'web: node web.cjs\n', 'web.cjs': WEB });
    await repository.tailrace('create', APP);
    expect((await repository.push()).status).toBe(0);
    const { pid } = await until('the app', () => get(first).catch(() => undefined));
    const other = await start(newFolder(), env);
    await first.kill();
    await other.request('PATCH', `/apps/${APP}/config-vars`, { A: 'new' });
    const next = await start(data, env);
    const pids = new Set<number>();
    const answer = await until('the new release', async () => {
      const seen = await get(next);
      pids.add(seen.pid);
      return seen.a === 'new' && seen;
    });
    expect([...pids].slice(0, -1)).toEqual(pids.size > 1 ? [pid] : []);
    expect(answer.pid).not.toBe(pid);
    await until('the old one to end', () => !isRunning(pid));
  });
});
