/** Services that are killed ten times with `kill -9` while real clients write: what was confirmed is there, and clients go on. */
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  configOf,
  createAddon,
  killProgram,
  linesOf,
  type MadeAddon,
  startAddonServerForTest,
} from '../../../support/addons/addon-server.ts';
import { missing, Program } from '../../../support/program.ts';
import type { Server } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

const KILLS = 10;

/** Writes a number after the other until each is confirmed, and prints it then. */
const REDIS_PY = `
import os, time, redis
client = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5)
n = 0
while True:
    try:
        client.set("python:%d" % n, n)
        print(n, flush=True)
        n += 1
    except (redis.ConnectionError, redis.TimeoutError):
        time.sleep(0.02)
`;
/** One client object for all of the time, as in a web process. Prints each number that it could store and read back. */
const PYLIBMC = `
import os, time, pylibmc
client = pylibmc.Client([os.environ["MEMCACHIER_SERVERS"]], binary=True, username=os.environ["MEMCACHIER_USERNAME"],
                        password=os.environ["MEMCACHIER_PASSWORD"], behaviors={"retry_timeout": 1, "tcp_nodelay": True})
n = 0
while True:
    try:
        if client.set("n", n) and client.get("n") == n:
            print(n, flush=True)
            n += 1
    except pylibmc.Error:
        time.sleep(0.02)
`;

function startPython(script: string, env: Readonly<Record<string, string>>): Program {
  const program = new Program('/usr/bin/python3', ['-c', script], { env });
  onTestFinished(async () => void (await program.stop('SIGKILL')));
  return program;
}

const lastNumber = ({ stdout }: Program): number => Number(stdout.trimEnd().split('\n').at(-1) || -1);

/** Kills a program again and again; each time it has to be there again, and every writer has to have had something confirmed. */
async function killRepeatedly(
  server: Server,
  addon: MadeAddon,
  program: string,
  confirmed: readonly (() => number)[],
): Promise<void> {
  for (let kill = 0; kill < KILLS; kill++) {
    const before = confirmed.map((count) => count());
    await until(`${program} takes writes before kill ${kill}`, () =>
      confirmed.every((count, i) => count() > before[i] + 5),
    );
    await killProgram(server, addon, program);
  }
}

describe.skipIf(missing('redis-server', 'memcached', 'saslpasswd2'))('kill -9', () => {
  it('ten times of Redis and of memcached, while clients write', async () => {
    const server = await startAddonServerForTest();
    const { name: app } = await server.createApp();
    const redis = await createAddon(server, app, 'redis');
    const memcached = await createAddon(server, app, 'memcachier');
    const config = await configOf(server, app);
    const python = startPython(REDIS_PY, config);
    const pylibmc = startPython(PYLIBMC, config);
    const node = new Redis(config.REDIS_URL, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
    node.on('error', () => undefined);
    onTestFinished(() => node.disconnect());
    let pushed = 0;
    let isOver = false;
    const pushing = (async () => {
      for (; !isOver; pushed++) await node.set(`node:${pushed}`, pushed);
    })();

    await Promise.all([
      killRepeatedly(server, redis, 'redis-server', [() => lastNumber(python), () => pushed]),
      killRepeatedly(server, memcached, 'memcached', [() => lastNumber(pylibmc)]),
    ]);

    const counts = () => [lastNumber(python), lastNumber(pylibmc), pushed];
    const atTheEnd = counts();
    await until('all write again', () => counts().every((count, i) => count > atTheEnd[i] + 5));
    isOver = true;
    await pushing;
    await python.stop('SIGKILL');
    const confirmed = [
      ...Array.from({ length: lastNumber(python) + 1 }, (_, n) => [`python:${n}`, n] as const),
      ...Array.from({ length: pushed }, (_, n) => [`node:${n}`, n] as const),
    ];
    expect(confirmed.length).toBeGreaterThan(2 * 5 * KILLS);
    const stored = await node.mget(confirmed.map(([key]) => key));
    const lost = confirmed.filter(([, n], i) => stored[i] !== String(n)).map(([key]) => key);
    expect(lost).toEqual([]);

    expect(await configOf(server, app)).toEqual(config);
    for (const name of ['redis.1', 'memcached.1']) {
      let ends: string[] = [];
      const says = until(`${name} says so`, async () => {
        const lines = await linesOf(server, app, name);
        // What is said of its process, not what it says itself: a client that gives up on a busy machine is an error to memcached, too.
        ends = lines.map(({ message }) => message).filter((message) => message.startsWith(`${name} `));
        return ends.length >= KILLS;
      });
      // What it said instead says more than how long was waited.
      await says.catch(() => undefined);
      expect(ends).toEqual(
        Array(KILLS).fill(expect.stringMatching(`^${name} was killed \\(SIGKILL\\); it is started again`)),
      );
    }
  });
});
