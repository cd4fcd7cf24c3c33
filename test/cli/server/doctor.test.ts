/** `tailrace doctor`, with the server running and with it stopped. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { runTailrace } from '../../support/program.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { dataFolderForTest, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

interface Finding {
  readonly check: string;
  readonly level: string;
  readonly text: string;
}

const FREE = { TAILRACE_HTTP_PORT: '0', TAILRACE_SYSLOG_PORT: '0', TAILRACE_ROUTER_PORT: '0' };

/** `level: text` of each result of a check, and the exit code. */
async function doctor(env: Record<string, string>) {
  const { stdout, status } = await runTailrace(['doctor', '--json'], { env, cwd: '/' });
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: Finding[] };
  expect(ok).toBe(status === 0);
  const of = (check: string): string[] =>
    findings.filter((one) => one.check === check).map(({ level, text }) => `${level}: ${text}`);
  return { status, of };
}

async function redisForTest(...config: string[]): Promise<RedisServer> {
  const server = await RedisServer.start({ config });
  onTestFinished(() => server.remove());
  return server;
}

describe('tailrace doctor', () => {
  it('without a server checks whether one could be started', async () => {
    const env = { TAILRACE_DATA: dataFolderForTest(), ...FREE };
    const well = await runTailrace(['doctor'], { env, cwd: '/' });
    expect(well.stdout).toMatch(
      /^✓ node .*\n[\s\S]*· server +none runs here: start one[\s\S]*\n\nEverything is well\.\n$/,
    );
    expect(well).toMatchObject({ status: 0, stderr: '' });
    const port = await freePort();
    const other = createServer().listen(port, '127.0.0.1');
    onTestFinished(() => void other.close());
    const { status, of } = await doctor({ ...env, TAILRACE_HTTP_PORT: String(port) });
    expect(status).toBe(1);
    expect(of(`port ${port}`)).toEqual([expect.stringMatching(/^trouble: Taken by .*, process \d+, .*HTTP/)]);
    expect((await doctor({ ...env, TAILRACE_HTTP_PROT: '1' })).of('settings')).toEqual([
      expect.stringContaining('did you mean TAILRACE_HTTP_PORT?'),
    ]);
  });

  it('with a server checks it and its drains', async () => {
    const server = await startServerForTest();
    const sink = createServer((_request, response) => void response.writeHead(503).end());
    await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void sink.close());
    const app = await server.createApp('rill');
    await server.createDrain(app, `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`);
    const env = { TAILRACE_DATA: server.data };
    const { stdout } = await runTailrace(['log', '-a', 'rill', 'hello'], { env, cwd: '/' });
    expect(stdout).toBe('');
    await until(
      'the drain is refused',
      async () => (await server.listDrains(app))[0].delivery.state === 'retrying',
    );
    const { status, of } = await doctor(env);
    expect(status).toBe(1);
    expect(of('server')).toEqual([expect.stringMatching(/^ok: tailrace .* at http/)]);
    expect(of('store')).toEqual(['ok: embedded, in the data folder']);
    expect(of('drain')).toEqual([
      expect.stringMatching(/^trouble: .* of rill takes no lines, \d lines wait: .*503/),
    ]);
    expect(of('ports').join()).toContain(`${server.syslogPort} (UDP)`);
    expect(of('clock').join()).toContain('the same as the server');
    const wrong = await doctor({ ...server.env, TAILRACE_API_KEY: 'k.wrong' });
    expect(wrong.of('server')).toEqual([expect.stringMatching(/^trouble: Invalid credentials/)]);
  });
});

describe.runIf(hasRedis)('tailrace doctor, of a Redis', () => {
  it('reports what is wrong with it, with no server running', async () => {
    const data = dataFolderForTest();
    const store = async (url: string): Promise<string[]> =>
      (await doctor({ TAILRACE_DATA: data, ...FREE, REDIS_URL: url })).of('store');
    const full = await redisForTest('maxmemory 1mb', 'maxmemory-policy noeviction', 'appendonly yes');
    await full.command('config', 'set', 'maxmemory', 1_000);
    const master = await redisForTest('requirepass right', 'maxmemory 1gb', 'maxmemory-policy allkeys-lru');
    const replica = await redisForTest(`replicaof 127.0.0.1 ${full.port}`);
    await until('the replica is in sync', async () =>
      String(await replica.command('info', 'replication')).includes('master_link_status:up'),
    );
    const [outOfMemory, noPassword, wrongPassword, evicting, readOnly, nobody] = await Promise.all([
      store(full.url),
      store(master.url),
      store(`redis://:hush@127.0.0.1:${master.port}`),
      store(`redis://:right@127.0.0.1:${master.port}`),
      store(replica.url),
      store(`redis://127.0.0.1:${await freePort()}`),
    ]);
    expect(outOfMemory[0]).toMatch(/^trouble: Redis is out of memory: raise its maxmemory/);
    expect(outOfMemory[1]).toMatch(/^concern: Redis holds \d+ % of its maxmemory/);
    expect(noPassword).toEqual([expect.stringMatching(/^trouble: Redis asks for a password/)]);
    expect(wrongPassword).toEqual([
      expect.stringMatching(/^trouble: Redis refuses the user name or password/),
    ]);
    expect(wrongPassword.join()).not.toContain('hush');
    expect(evicting[0]).toMatch(/^ok: Redis \d.* at redis:\/\/127/);
    expect(evicting.slice(1)).toEqual([
      expect.stringMatching(/^concern: .*allkeys-lru/),
      expect.stringMatching(/^concern: .*in memory only/),
    ]);
    expect(readOnly[0]).toMatch(/^trouble: Redis is a read-only replica/);
    expect(nobody).toEqual([expect.stringMatching(/^trouble: .*doesn't answer/)]);
  });

  it('still checks the server while its Redis is unavailable', async () => {
    const redis = await redisForTest('appendonly yes');
    const server = await startServerForTest({ env: { REDIS_URL: redis.url } });
    const env = { TAILRACE_DATA: server.data };
    expect((await doctor(env)).of('store')).toEqual([expect.stringMatching(/^ok: Redis/)]);
    await redis.signal('SIGKILL');
    const { status, of } = await doctor(env);
    expect(status).toBe(1);
    expect(of('server')).toEqual([expect.stringMatching(/^ok/)]);
    expect(of('store')).toEqual([expect.stringMatching(/^trouble: Redis at .* doesn't answer/)]);
  });
});
