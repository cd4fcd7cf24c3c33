/** What goes wrong with the programs behind add-ons: the app's stream says a sentence, nothing is lost, and others are not held up. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  addonFolder,
  configOf,
  createAddon,
  killProgram,
  linesOf,
  type MadeAddon,
  processOf,
  startAddonServerForTest,
} from '../../../support/addons/addon-server.ts';
import { missing } from '../../../support/program.ts';
import { dataFolderForTest, type Server } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

/** @returns undefined when it isn't there */
function redisCli(url: string, command: readonly string[], input?: Buffer): string | undefined {
  try {
    return execFileSync('redis-cli', ['--no-auth-warning', '-u', url, ...command], {
      encoding: 'utf8',
      stdio: 'pipe',
      input,
    }).trim();
  } catch {
    return undefined;
  }
}

const isThere = (url: string) => until('Redis is there', () => redisCli(url, ['PING']) === 'PONG', 60_000);

async function waitForMessage(
  server: Server,
  app: string,
  process: string,
  pattern: RegExp,
): Promise<string> {
  return until(
    `${process}: ${pattern}`,
    async () =>
      (await linesOf(server, app, process)).map(({ message }) => message).find((one) => pattern.test(one)),
    60_000,
  );
}

/** Kills it as soon as it has been started again: then it is down for most of a second. */
async function killTwice(server: Server, addon: MadeAddon, url: string): Promise<void> {
  const first = await killProgram(server, addon, 'redis-server');
  await until('it is started again', () => {
    const pid = processOf(server, addon, 'redis-server');
    return pid !== first && pid;
  });
  await until('it answers', () => redisCli(url, ['PING']) === 'PONG');
  await killProgram(server, addon, 'redis-server');
}

/** Mounts a disk of its own, as small as it was asked for; false when this machine doesn't let us. */
function mountSmallDisk(folder: string, megabytes: number): boolean {
  mkdirSync(folder, { recursive: true });
  try {
    const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'tailrace-test', folder];
    execFileSync('mount', options, { stdio: 'ignore' });
  } catch {
    return false;
  }
  onTestFinished(() => void execFileSync('umount', ['-l', folder]));
  return true;
}

describe.skipIf(missing('redis-server'))('a service', () => {
  it('whose port another program has taken gets another one, and its apps are released with that', async () => {
    const server = await startAddonServerForTest();
    const { name: app } = await server.createApp();
    const addon = await createAddon(server, app, 'redis');
    const { REDIS_URL: before } = await configOf(server, app);
    redisCli(before, ['SET', 'kept', 'yes']);
    const other = createServer();
    onTestFinished(() => void other.close());
    await killTwice(server, addon, before);
    const port = Number(new URL(before).port);
    await until('another program has its port', async () => {
      if (processOf(server, addon, 'redis-server') !== undefined) await killTwice(server, addon, before);
      return new Promise<boolean>((resolve) => {
        other.once('error', () => resolve(false));
        other.listen(port, '127.0.0.1', () => resolve(true));
      });
    });
    const after = await until('its new address', async () => {
      const { REDIS_URL: url } = await configOf(server, app);
      return url !== before && url;
    });
    expect(after.replace(/\d+$/, '')).toBe(before.replace(/\d+$/, ''));
    await isThere(after);
    expect(redisCli(after, ['GET', 'kept'])).toBe('yes');
    await waitForMessage(
      server,
      app,
      'redis.1',
      new RegExp(
        `^Another program on the server has port ${port}: ${addon.name} listens on ${new URL(after).port} `,
      ),
    );
    const releases = await server.request<{ description: string }[]>('GET', `/apps/${app}/releases`);
    expect(releases.at(-1)?.description).toBe('Update REDIS by heroku-redis');
    // It stays there.
    await server.request('PATCH', `/apps/${app}/addons/${addon.name}`, { plan: 'heroku-redis:premium-1' });
    expect((await configOf(server, app)).REDIS_URL).toBe(after);
    expect(redisCli(after, ['GET', 'kept'])).toBe('yes');
  });

  it('that can’t start is tried less and less often, says so, and holds up no other; mended, it is there again', async () => {
    const data = dataFolderForTest();
    const server = await startAddonServerForTest({ data });
    const { name: app } = await server.createApp();
    const broken = await createAddon(server, app, 'redis');
    await createAddon(server, app, 'redistogo');
    const { REDIS_URL: url, REDISTOGO_URL: otherUrl } = await configOf(server, app);
    redisCli(url, ['SET', 'kept', 'yes']);
    const manifest = join(addonFolder(server, broken), 'appendonlydir', 'appendonly.aof.manifest');
    const good = readFileSync(manifest);
    writeFileSync(manifest, 'nonsense\n');
    await killProgram(server, broken, 'redis-server');
    for (const seconds of [2, 4])
      await waitForMessage(
        server,
        app,
        'redis.1',
        new RegExp(
          `^redis\\.1 ended by itself \\(exit status 1\\); it is started again in ${seconds} seconds\\.$`,
        ),
      );
    const lines = await linesOf(server, app, 'redis.1');
    expect(lines).toContainEqual({ level: 'error', message: '*** FATAL AOF MANIFEST FILE ERROR ***' });
    expect(redisCli(otherUrl, ['PING'])).toBe('PONG');
    await createAddon(server, app, 'redis', { name: 'a-third' });

    // A server starts, and stops, all the same.
    await server.close();
    const again = await startAddonServerForTest({ data });
    await isThere(otherUrl);
    writeFileSync(manifest, good);
    await isThere(url);
    expect(redisCli(url, ['GET', 'kept'])).toBe('yes');
    await again.close();

    // Half a command at the end was never confirmed: it is left out, and the rest is there.
    const log = readdirSync(join(manifest, '..')).filter((name) => name.endsWith('.incr.aof'));
    appendFileSync(join(manifest, '..', log[0]), '*3\r\n$3\r\nSET\r\n$4\r\nkept\r\n$2\r\nn');
    await startAddonServerForTest({ data });
    await isThere(url);
    expect(redisCli(url, ['GET', 'kept'])).toBe('yes');
  });

  it('whose disk is full confirms nothing that it can’t keep, says so, and goes on when there is room', async (context) => {
    const data = dataFolderForTest();
    const disk = join(data, 'host', 'addons');
    if (!mountSmallDisk(disk, 6)) return context.skip('a small disk can’t be mounted here');
    const server = await startAddonServerForTest({ data });
    const { name: app } = await server.createApp();
    await createAddon(server, app, 'redis');
    const { REDIS_URL: url } = await configOf(server, app);
    // Something else takes most of the disk.
    writeFileSync(join(disk, 'somebody-elses'), Buffer.alloc(4_000_000));
    const confirmed: number[] = [];
    const value = Buffer.alloc(50_000, 'x');
    let refused = 0;
    for (let i = 0; refused < 5; i++) {
      if (redisCli(url, ['-x', 'SET', `key:${i}`], value) === 'OK') confirmed.push(i);
      else refused++;
      expect(i).toBeLessThan(200);
    }
    expect(confirmed.length).toBeGreaterThan(5);
    const sentence = await waitForMessage(server, app, 'redis.1', /the server's disk is full/);
    expect(sentence).toMatch(
      /^redis\.1 ended by itself \(exit status 1\) while the server's disk is full: make space there\. What it confirmed is kept; it is started again /,
    );
    rmSync(join(disk, 'somebody-elses'));
    await until('writes are taken again', () => redisCli(url, ['SET', 'again', 'yes']) === 'OK', 60_000);
    const lost = () => confirmed.filter((i) => redisCli(url, ['STRLEN', `key:${i}`]) !== '50000');
    expect(lost()).toEqual([]);
    await server.kill();
    await startAddonServerForTest({ data });
    await isThere(url);
    expect(lost()).toEqual([]);
    expect(redisCli(url, ['GET', 'again'])).toBe('yes');
  });
});

describe.skipIf(missing('redis-server', 'memcached', 'saslpasswd2'))(
  'a program outside of the server’s PATH',
  () => {
    it('is found where systems have it, and started from there', async () => {
      const folder = dataFolderForTest();
      for (const name of ['bash', 'sh', 'mkfifo'])
        symlinkSync(
          execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(),
          join(folder, name),
        );
      const server = await startAddonServerForTest({ env: { PATH: folder } });
      const { name: app } = await server.createApp();
      await createAddon(server, app, 'redis');
      await createAddon(server, app, 'memcache');
      const { REDIS_URL: url } = await configOf(server, app);
      expect(redisCli(url, ['PING'])).toBe('PONG');
    });
  },
);

describe.skipIf(missing('redis-server', 'memcached', 'saslpasswd2'))('a program that isn’t installed', () => {
  it('is named with its package, and nothing is left of the add-on', async (context) => {
    const programs = ['redis-server', 'memcached', 'saslpasswd2'].map((name) =>
      execFileSync('sh', ['-c', `realpath "$(command -v ${name})"`], {
        encoding: 'utf8',
        env: { PATH: `${process.env.PATH}:/usr/sbin` },
      }).trim(),
    );
    const hide = programs.map((file) => `mount --bind /dev/null ${file}`).join(' && ');
    try {
      execFileSync('unshare', ['--mount', 'sh', '-c', hide], { stdio: 'ignore' });
    } catch {
      return context.skip('programs can’t be hidden here');
    }
    const shell = `exec unshare --mount sh -c '${hide} && exec "$0" "$@"' "$0" "$@"; true`;
    const server = await startAddonServerForTest({ shell });
    const { name: app } = await server.createApp();
    const refused = (plan: string) =>
      createAddon(server, app, plan).then(
        () => 'was made',
        (error: Error) => error.message,
      );
    expect(await refused('redis')).toMatch(
      /503 .*redis-server is not installed on the server: apt-get install redis-server/,
    );
    expect(await refused('memcache')).toMatch(
      /503 .*memcached with passwords \(SASL\) is not installed on the server: apt-get install memcached sasl2-bin/,
    );
    expect(await server.request('GET', `/apps/${app}/addons`)).toEqual([]);
  });
});

describe('MongoDB', () => {
  it('that isn’t here is said with how to get it, and one that runs elsewhere is attached', {}, async () => {
    const server = await startAddonServerForTest();
    const { name: app } = await server.createApp();
    const isInstalled = spawnSync('mongod', ['--version']).status === 0;
    if (!isInstalled)
      await expect(createAddon(server, app, 'mongohq')).rejects.toThrow(
        /503 .*mongod is not installed on the server, .*install-on-linux.*--url mongodb:\/\/USER/,
      );
    expect(await server.request('GET', `/apps/${app}/addons`)).toEqual([]);
    const url = 'mongodb://me:secret@db.example.com:27017/shop';
    await createAddon(server, app, 'mongohq', { config: { url } });
    expect(await configOf(server, app)).toEqual({ MONGOHQ_URL: url });
  });
});
