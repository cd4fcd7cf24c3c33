/** The add-on commands of `tailrace`, against a real server. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing, runTailrace } from '../support/program.ts';
import { type Server, startServer } from '../support/server.ts';

let server: Server;
let app: string;
const said = async (...args: string[]): Promise<string> => {
  // In no git repository, whose remotes would be changed.
  const { stdout, stderr, status } = await runTailrace([...args, '-a', app], {
    env: server.env,
    cwd: server.data,
  });
  return status === 0 ? stdout : `${status}${stderr}`;
};

beforeAll(async () => {
  server = await startServer();
  app = (await server.createApp('shop')).name;
  await server.createApp('shop-two');
});
afterAll(() => server?.close());

describe('addons', () => {
  it('are attached by their address, listed, renamed, shared, detached, destroyed', async () => {
    expect(await said('addons')).toBe('No add-ons for app shop.\n');
    expect(
      await said('addons:add', 'redistogo', '--url', 'redis://cache.example.com:6379', '--name', 'far'),
    ).toBe(
      'Creating redistogo on shop... done\nIt runs elsewhere, and is used by its address.\nCreated far as REDISTOGO_URL\n',
    );
    expect(await said('config')).toMatch(/REDISTOGO_URL: +redis:\/\/cache\.example\.com:6379/);
    expect(await said('addons:rename', 'far', 'near')).toBe('far successfully renamed to near.\n');
    app = 'shop-two';
    expect(await said('addons:attach', 'near', '--as', 'queue')).toBe(
      'Attaching near as QUEUE to shop-two... done\nSetting QUEUE_URL and restarting shop-two... done, v2\n',
    );
    expect(await said('addons:destroy', 'QUEUE', '--confirm', 'shop-two')).toMatch(
      /1.*near is on shop not shop-two/s,
    );
    app = 'shop';
    expect(await said('addons')).toBe('heroku-redis:external  near  as REDISTOGO, as QUEUE on shop-two\n');
    expect(await said('addons:info', 'redistogo')).toMatch(
      /^=== near\nPlan: +heroku-redis:external\nAttachments: +shop::REDISTOGO, shop-two::QUEUE\nOwning app: +shop\n/,
    );
    expect(await said('addons:destroy', 'near')).toMatch(/If you mean it, add --confirm shop/);
    expect(await said('addons:destroy', 'near', '--confirm', 'shop')).toMatch(
      /1.*near is attached to other apps \(shop-two::QUEUE\)/s,
    );
    app = 'shop-two';
    expect(await said('addons:detach', 'QUEUE')).toMatch(
      /Detaching QUEUE to near from shop-two... done\nUnsetting QUEUE_URL/,
    );
    app = 'shop';
    expect(await said('addons:destroy', 'near', '--confirm', 'shop')).toBe(
      'Destroying near on shop... done\n',
    );
    expect(await said('config')).not.toMatch(/REDIS/);
  });

  it('are found by their names without an app, as names are one on all apps', async () => {
    const anyApp = async (args: readonly string[], env = {}): Promise<string> => {
      const { stdout, stderr, status } = await runTailrace([...args], {
        env: { ...server.env, ...env },
        cwd: server.data,
      });
      return status === 0 ? stdout : `${status}${stderr}`;
    };
    const url = ['--url', 'redis://cache.example.com:6379'];
    await said('addons:add', 'redis', ...url, '--name', 'one-cache');
    app = 'shop-two';
    await said('addons:add', 'redis', ...url, '--name', 'two-cache');
    app = 'shop';
    expect(await anyApp(['addons:info', 'two-cache'])).toMatch(/^=== two-cache\n.*Owning app: +shop-two\n/s);
    // What one app calls REDIS isn't what another does.
    const inShop = { TAILRACE_APP: 'shop' };
    expect(await anyApp(['addons:info', 'REDIS'], inShop)).toMatch(/^=== one-cache\n/);
    expect(await anyApp(['addons:info', 'two-cache'], inShop)).toMatch(/^=== two-cache\n/);
    expect(await anyApp(['addons:info', 'REDIS'])).toMatch(/Several add-ons match REDIS/);
    expect(await anyApp(['addons:info', 'two-cache', '-a', 'shop'])).toMatch(
      /Couldn't find that add-on: two-cache\./,
    );
    expect(await anyApp(['addons:info', 'CACHE'], inShop)).toMatch(/Couldn't find that add-on/);
    expect(await anyApp(['addons:docs', 'two-cache', '--show-url'])).toMatch(/^https:/);
    expect(await anyApp(['addons:rename', 'two-cache', 'second-cache'], inShop)).toBe(
      'two-cache successfully renamed to second-cache.\n',
    );
    const destroy = ['addons:destroy', 'second-cache', '--confirm'];
    expect(await anyApp([...destroy, 'shop'], inShop)).toMatch(/add --confirm shop-two/);
    expect(await anyApp([...destroy, 'shop-two'])).toBe('Destroying second-cache on shop-two... done\n');
    await said('addons:destroy', 'one-cache', '--confirm', 'shop');
  });

  it('stay with their app when that is renamed', async () => {
    await said('addons:add', 'redis', '--url', 'redis://cache.example.com:6379', '--name', 'one-cache');
    expect(await said('apps:rename', 'shop-two')).toMatch(/Name shop-two is already taken/);
    expect(await said('apps:rename', 'Shop!')).toMatch(/Name must start with a letter/);
    expect(await said('apps:rename', 'store')).toMatch(
      /^Renaming shop to store\.\.\. done\nhttp:\/\/store\.localhost/,
    );
    app = 'store';
    expect(await said('addons:info', 'REDIS')).toMatch(/Attachments: +store::REDIS\nOwning app: +store\n/);
    expect(await said('rename', 'shop')).toMatch(/^Renaming store to shop/);
    app = 'shop';
    await said('addons:destroy', 'one-cache', '--confirm', 'shop');
  });

  it('that would overwrite something say what to add', async () => {
    await said('config:set', 'SENTRY_DSN=mine');
    const create = ['addons:create', 'sentry', '--url', 'https://key@errors.example.com/1'];
    expect(await said(...create, '--as', 'sentry')).toMatch(
      /1.*Adding SENTRY to app shop would overwrite existing vars SENTRY_DSN\. If you mean it, add --confirm shop/s,
    );
    expect(await said(...create, '--as', 'sentry', '--confirm', 'shop')).toMatch(/Created \S+ as SENTRY_DSN/);
    expect(await said('config:unset', 'SENTRY_DSN')).toMatch(
      /1.*Cannot overwrite attachment values SENTRY_DSN/s,
    );
    expect(await said('addons:open', 'sentry')).toMatch(/1.*has no page to open/s);
    expect(await said('addons:destroy', 'sentry', '--confirm', 'shop')).toMatch(/done/);
  });

  it('services, plans, documentation', async () => {
    const run = (...args: string[]) => runTailrace(args, { env: server.env });
    expect((await run('addons:services')).stdout).toMatch(/^heroku-postgresql +.*PostgreSQL/m);
    expect((await run('addons:plans', 'redis')).stdout).toMatch(/^default +heroku-redis:local/);
    expect((await run('addons:docs', 'redistogo', '--show-url')).stdout).toMatch(
      /^https:\/\/\S+\/heroku-redis\n$/,
    );
    expect((await run('addons:plans', 'nosuch')).stderr).toMatch(/Couldn't find that add-on service/);
    expect(await said('addons:create', 'redis', 'stray')).toMatch(/1.*Unexpected argument stray/s);
    expect(await said('addons:upgrade', 'redis')).toMatch(/1.*No plan specified/s);
  });

  it.skipIf(missing('redis-server'))('made with an app: all of them, or no app', async () => {
    const run = (...args: string[]) => runTailrace(args, { env: server.env });
    const refused = await run('create', 'half-made', '--no-remote', '--addons', 'redis,nosuch');
    expect(refused.stderr).toMatch(/Couldn't find that add-on service/);
    expect(refused.status).toBe(1);
    const folder = join(server.data, 'host', 'addons');
    writeFileSync(folder, 'no folder');
    const failed = await run('create', 'half-made', '--no-remote', '--addons', 'redis');
    rmSync(folder);
    expect(failed.stderr.replace(/\s*\n\s*/g, ' ')).toMatch(
      /has no folder on the server \((ENOTDIR|EEXIST)\).* The app half-made was not made\./,
    );
    const odd = await run('create', 'half-made', '--no-remote', '-b', 'heroku/nodejs', '-b', 'no such');
    expect(odd.stderr.replace(/\s*\n\s*/g, ' ')).toMatch(/no such.* The app half-made was not made\./);
    expect((await run('apps')).stdout).toBe('shop\nshop-two\n');
    expect(await server.request('GET', '/addons')).toEqual([]);
  });
});

describe.skipIf(missing('redis-server', 'pg_ctlcluster'))('databases', () => {
  it('are shown, used and promoted', async () => {
    expect(await said('redis:cli')).toMatch(/1.*shop has no heroku-redis databases/s);
    expect(await said('addons:create', 'redis')).toMatch(/Created \S+ as REDIS_URL/);
    const set = ['redis:cli', '-a', app, 'REDIS', '--', 'SET', 'a', '1'];
    expect((await runTailrace(set, { env: server.env })).stdout).toBe('OK\n');
    expect(await said('redis:info')).toMatch(/^=== REDIS_URL\n[\s\S]*Connections: +\d+\/\d+/);
    expect(await said('addons:create', 'postgresql')).toMatch(/Created \S+ as DATABASE_URL/);
    expect(await said('pg:psql', '-c', 'SELECT 6 * 7 AS answer')).toMatch(/answer\s+-+\s+42/);
    expect(await said('pg:info')).toMatch(/^=== DATABASE_URL\n[\s\S]*PG Version: +\d+/);
    expect(await said('addons:create', 'postgresql', '--as', 'second')).toMatch(/as SECOND_URL/);
    expect(await said('pg:promote', 'second')).toMatch(/Promoting \S+ to DATABASE_URL on shop... done/);
    expect(await said('pg:info')).toMatch(
      /^=== SECOND_URL, DATABASE_URL\n[\s\S]*=== HEROKU_POSTGRESQL_\w+_URL\n/,
    );
    expect(await said('pg:promote', 'second')).toMatch(/1.*already promoted/s);
    expect(await said('pg:psql', 'nosuch')).toMatch(/1.*Unknown database: nosuch\. Valid options are: /s);
  });
});
