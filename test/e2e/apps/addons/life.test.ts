/** The life of add-ons on a real server with a real Redis and PostgreSQL: names, attachments, plans, releases, restarts, `kill -9`. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../../../support/program.ts';
import { dataFolderForTest, type Server, startServer, startServerForTest } from '../../../support/server.ts';
import { until } from '../../../support/until.ts';

interface Addon {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly config_vars: readonly string[];
  readonly addon_service: { readonly name: string };
  readonly plan: { readonly name: string };
}
interface Attachment {
  readonly id: string;
  readonly name: string;
  readonly app: { readonly name: string };
  readonly config_vars: readonly string[];
}
interface Release {
  readonly version: number;
  readonly description: string;
}
type Config = Readonly<Record<string, string>>;

let server: Server;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

const create = (app: string, plan: string, more: object = {}): Promise<Addon> =>
  server.request<Addon>('POST', `/apps/${app}/addons`, { plan, ...more });
const attach = (app: string, addon: string, more: object = {}): Promise<Attachment> =>
  server.request<Attachment>('POST', '/addon-attachments', { addon, app, ...more });
const config = (app: string): Promise<Config> => server.request<Config>('GET', `/apps/${app}/config-vars`);
const descriptions = async (app: string): Promise<string[]> =>
  (await server.request<Release[]>('GET', `/apps/${app}/releases`)).map(({ description }) => description);
const newApp = async (): Promise<string> => (await server.createApp()).name;

const redisCli = (url: string, ...command: string[]): string =>
  execFileSync('redis-cli', ['--no-auth-warning', '-u', url, ...command], {
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();

describe.skipIf(missing('redis-server'))('an add-on', () => {
  it('is named as it was typed, and its record as Heroku’s CLI looks for it', async () => {
    const app = await newApp();
    const plain = await create(app, 'redis:dev');
    expect(plain).toMatchObject({
      state: 'provisioned',
      config_vars: ['REDIS_URL'],
      addon_service: { name: 'heroku-redis' },
      plan: { name: 'heroku-redis:local' },
    });
    expect(plain.name).toMatch(/^redis-[a-z]+-[a-z]+-\d+$/);
    const togo = await create(app, 'redistogo');
    expect(togo).toMatchObject({ config_vars: ['REDISTOGO_URL'], addon_service: { name: 'heroku-redis' } });
    const second = await create(app, 'heroku-redis');
    expect(second.config_vars).toEqual([expect.stringMatching(/^HEROKU_REDIS_[A-Z]+_URL$/)]);
    const named = await create(app, 'redis', { name: 'my-cache', attachment: { name: 'cache' } });
    expect(named).toMatchObject({ name: 'my-cache', config_vars: ['CACHE_URL'] });

    const urls = Object.values(await config(app));
    expect(urls).toHaveLength(4);
    expect(new Set(urls).size).toBe(4);
    for (const url of urls) {
      expect(url).toMatch(/^redis:\/\/default:\w{36}@localhost:\d+$/);
      expect(redisCli(url, 'PING')).toBe('PONG');
    }
    expect(await descriptions(app)).toEqual([
      'Initial release',
      `Attach REDIS (@ref:${plain.name})`,
      `Attach REDISTOGO (@ref:${togo.name})`,
      `Attach ${second.config_vars[0].replace('_URL', '')} (@ref:${second.name})`,
      'Attach CACHE (@ref:my-cache)',
    ]);
    await until('lines of all four', async () => {
      const lines = await server.readLines({ id: '', name: app, token: '' });
      return [1, 2, 3, 4].every((number) =>
        lines.some((line) => line.includes(` app[redis.${number}]: `) && line.includes('Ready to accept')),
      );
    });
    await server.request('DELETE', `/apps/${app}`);
    expect(() => redisCli(urls[0], 'PING')).toThrow();
  });

  it('is refused with what to do when it can’t be, and leaves nothing', async () => {
    const app = await newApp();
    const refused = (plan: string, more: object = {}) =>
      create(app, plan, more).then(
        () => 'was made',
        (error: Error) => error.message,
      );
    expect(await refused('nosuch')).toMatch(
      /404 .*Couldn't find that add-on service; there are: heroku-postgresql/,
    );
    expect(await refused('redis:nosuch')).toMatch(
      /422 .*Couldn't find either the add-on service or the add-on plan of \\"redis:nosuch\\"\. heroku-redis has the plans local, mini/,
    );
    expect(await refused('redis', { name: '-' })).toMatch(/422 .*Name must start with a letter/);
    expect(await refused('redis', { attachment: { name: '1st' } })).toMatch(
      /422 .*can't be an attachment's name/,
    );
    expect(await refused('redis', { attachment: { name: 3 } })).toMatch(/422 .*Invalid request/);
    expect(await refused('redis', { config: { url: 'nonsense' } })).toMatch(/422 .*is no address/);
    expect(await refused('redis', { config: { url: 'http://cache.example.com' } })).toMatch(
      /422 .*heroku-redis is not at an address with http:; it begins with redis:\/\/ or rediss:\/\//,
    );
    expect(await refused('pg', { config: { url: 'mysql://db.example.com/x' } })).toMatch(/422 .*mysql:/);
    expect(await server.request('GET', `/apps/${app}/addons`)).toEqual([]);
    expect(await descriptions(app)).toEqual(['Initial release']);
    const { name } = await create(app, 'redis', { config: { url: 'redis://cache.example.com:6379/1' } });
    expect(await refused('redis', { name })).toMatch(/409 .*is already taken/);
    expect(await config(app)).toEqual({ REDIS_URL: 'redis://cache.example.com:6379/1' });
    // Nothing was started for it.
    expect(await server.request('GET', `/addons/${name}`)).toMatchObject({
      plan: { name: 'heroku-redis:external' },
    });
  });

  it('its config vars are its own: not overwritten, and not rolled back', async () => {
    const app = await newApp();
    const change = (vars: object) => server.request('PATCH', `/apps/${app}/config-vars`, vars);
    await change({ A: '1', REDISTOGO_URL: 'mine' });
    const first = await create(app, 'redis');
    const url = (await config(app)).REDIS_URL;
    for (const value of ['mine', null])
      await expect(change({ B: '2', REDIS_URL: value })).rejects.toThrow(
        `422 {"id":"invalid_params","message":"Cannot overwrite attachment values REDIS_URL. They are those of ${first.name}: detach it first (addons:detach)."}`,
      );
    expect(await config(app)).toEqual({ A: '1', REDISTOGO_URL: 'mine', REDIS_URL: url });

    // What was set by hand isn't overwritten unasked.
    const other = await create(app, 'redistogo');
    expect(other.config_vars).toEqual([expect.stringMatching(/^REDISTOGO_[A-Z]+_URL$/)]);
    const taken = create(app, 'redis', { attachment: { name: 'REDISTOGO' } });
    await expect(taken).rejects.toThrow(
      `423 {"id":"confirmation_required","message":"Adding REDISTOGO to app ${app} would overwrite existing vars REDISTOGO_URL."}`,
    );
    await attach(app, first.name, { name: 'REDISTOGO', confirm: app });
    expect((await config(app)).REDISTOGO_URL).toBe(url);

    await server.request('POST', `/apps/${app}/releases`, { release: '2' });
    expect(await config(app)).toMatchObject({ A: '1', REDIS_URL: url, REDISTOGO_URL: url });
    await server.request('DELETE', `/apps/${app}/addons/${first.name}`);
    expect(await config(app)).toEqual({ A: '1', [other.config_vars[0]]: expect.anything() });
    // A release of the time when it was there brings nothing of it back.
    await server.request('POST', `/apps/${app}/releases`, { release: '3' });
    expect(await config(app)).not.toHaveProperty('REDIS_URL');
  });

  it('is shared with another app, which it outlives nowhere', async () => {
    const [owner, guest] = [await newApp(), await newApp()];
    const { name } = await create(owner, 'redis');
    const { REDIS_URL: url } = await config(owner);
    await attach(guest, name, { name: 'queue' });
    expect(await config(guest)).toEqual({ QUEUE_URL: url });
    expect(await descriptions(guest)).toEqual(['Initial release', `Attach QUEUE (@ref:${name})`]);
    await expect(attach(guest, name, { name: 'QUEUE', confirm: guest })).rejects.toThrow(
      /422 .*as QUEUE already/,
    );
    expect(await server.request('GET', `/apps/${guest}/addons`)).toMatchObject([
      { name, app: { name: owner } },
    ]);

    await expect(server.request('DELETE', `/apps/${owner}/addons/${name}`)).rejects.toThrow(
      `409 {"id":"conflict","message":"${name} is attached to other apps (${guest}::QUEUE): detach it there first (addons:detach), or add --force"}`,
    );
    await expect(server.request('DELETE', `/apps/${owner}`)).rejects.toThrow(/409 .*which is attached to/);
    await expect(server.request('DELETE', `/apps/${owner}/addon-attachments/REDIS`)).rejects.toThrow(
      `422 {"id":"invalid_params","message":"Cannot destroy last attachment to billing app for resource ${name}`,
    );
    expect(redisCli(url, 'PING')).toBe('PONG');

    await server.request('DELETE', `/apps/${guest}/addon-attachments/QUEUE`);
    expect(await config(guest)).toEqual({});
    await attach(guest, name);
    await server.request('DELETE', `/apps/${owner}/addons/${name}`, { force: true });
    expect([await config(owner), await config(guest)]).toEqual([{}, {}]);
    expect((await descriptions(guest)).at(-1)).toBe(`Detach REDIS (@ref:${name})`);
  });

  it('is renamed, and gets another plan with its data kept', async () => {
    const app = await newApp();
    const { id, name } = await create(app, 'redis:mini');
    const { REDIS_URL: url } = await config(app);
    redisCli(url, 'SET', 'kept', 'yes');
    expect(redisCli(url, 'CONFIG', 'GET', 'maxmemory')).toMatch(/26214400/);
    expect(await server.request('PATCH', `/addons/${name}`, { name: 'renamed-one' })).toMatchObject({
      id,
      name: 'renamed-one',
    });
    const other = await create(app, 'redis', { config: { url: 'redis://elsewhere:1' } });
    await expect(server.request('PATCH', `/addons/${other.name}`, { name: 'Renamed-One' })).rejects.toThrow(
      /409 .*taken/,
    );
    const changed = await server.request('PATCH', `/apps/${app}/addons/renamed-one`, {
      plan: { name: 'heroku-redis:premium-1' },
    });
    expect(changed).toMatchObject({ plan: { name: 'heroku-redis:premium-1' } });
    expect(redisCli(url, 'CONFIG', 'GET', 'maxmemory')).toMatch(/104857600/);
    expect(redisCli(url, 'GET', 'kept')).toBe('yes');
    await expect(server.request('PATCH', `/addons/${id}`, { plan: 'heroku-redis:nosuch' })).rejects.toThrow(
      /422 .*add-on plan of \\"heroku-redis:nosuch/,
    );
    await expect(server.request('PATCH', `/addons/${other.name}`, { plan: 'mini' })).rejects.toThrow(
      /runs elsewhere/,
    );
    await expect(server.request('PATCH', `/addons/${id}`, {})).rejects.toThrow(/422/);

    // A plan that is too small for what it holds would make it useless.
    const fill = `for i = 1, 40 do redis.call('SET', 'k' .. i, string.rep('x', 1000000)) end return 'full'`;
    expect(redisCli(url, 'EVAL', fill, '0')).toBe('full');
    await expect(server.request('PATCH', `/addons/${id}`, { plan: 'heroku-redis:mini' })).rejects.toThrow(
      /422 .*renamed-one holds \d+ MB, and with mini \(25 MB, 20 connections\) it would refuse every write: make it smaller first/,
    );
    expect(await server.request('GET', `/addons/${id}`)).toMatchObject({
      plan: { name: 'heroku-redis:premium-1' },
    });
    expect(redisCli(url, 'SET', 'more', 'yes')).toBe('OK');
  });

  it('is found by its name, its attachments, its config vars, its service, and refused when that says too little', async () => {
    const app = await newApp();
    const [one, two] = [await create(app, 'redis'), await create(app, 'redistogo')];
    const resolve = async (addon: string) =>
      (await server.request<Addon[]>('POST', '/actions/addons/resolve', { addon, app })).map(
        ({ name }) => name,
      );
    for (const which of [one.id, one.name, 'REDIS', 'redis', 'REDIS_URL'])
      expect(await resolve(which)).toEqual([one.name]);
    for (const which of ['redistogo', 'REDISTOGO_URL']) expect(await resolve(which)).toEqual([two.name]);
    expect(await resolve('heroku-redis')).toEqual([one.name, two.name]);
    await expect(resolve('postgres')).rejects.toThrow(/404 .*Couldn't find that add-on\./);
    await expect(server.request('GET', `/apps/${app}/addons/heroku-redis`)).rejects.toThrow(
      `422 {"id":"multiple_matches","message":"Several add-ons match heroku-redis; say which by its name: ${one.name}, ${two.name}."}`,
    );
  });

  it('made by many at once has a name of its own', async () => {
    const app = await newApp();
    const url = 'redis://elsewhere:1';
    const made = await Promise.all(
      Array.from({ length: 8 }, () => create(app, 'redis', { config: { url } })),
    );
    expect(new Set(made.flatMap((addon) => addon.config_vars)).size).toBe(8);
    expect(Object.keys(await config(app))).toHaveLength(8);
    const named = await Promise.allSettled(
      Array.from({ length: 4 }, () => create(app, 'redis', { name: 'only-one', config: { url } })),
    );
    expect(named.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe.skipIf(missing('pg_ctlcluster', 'redis-server'))('databases', () => {
  it('are promoted: DATABASE moves in one release', async () => {
    const app = await newApp();
    const first = await create(app, 'postgresql');
    const second = await create(app, 'heroku-postgresql:essential-0');
    expect(first.config_vars).toEqual(['DATABASE_URL']);
    expect(second.config_vars).toEqual([expect.stringMatching(/^HEROKU_POSTGRESQL_[A-Z]+_URL$/)]);
    const before = await config(app);
    await expect(attach(app, second.name, { name: 'DATABASE', confirm: app })).rejects.toThrow(
      /Cannot destroy last attachment to billing app/,
    );
    const backup = await attach(app, first.name, { confirm: app });
    await attach(app, second.name, { name: 'DATABASE', confirm: app });
    const after = await config(app);
    expect(after.DATABASE_URL).toBe(before[second.config_vars[0]]);
    expect(after[backup.config_vars[0]]).toBe(before.DATABASE_URL);
    expect((await descriptions(app)).at(-1)).toBe(
      `Detach DATABASE (@ref:${first.name}), Attach DATABASE (@ref:${second.name})`,
    );
    const sql = (url: string, query: string) =>
      execFileSync('psql', [url, '-Atc', query], { encoding: 'utf8' }).trim();
    expect(sql(after.DATABASE_URL, 'SHOW max_connections')).toBe('20');
    await server.request('DELETE', `/apps/${app}`);
  });
});

describe.skipIf(missing('redis-server'))('after a restart', () => {
  it('add-ons are there with their data, on their ports; what was half-made or half-removed is gone', async () => {
    const data = dataFolderForTest();
    const before = await startServerForTest({ data });
    const app = await before.createApp();
    const made = await before.request<Addon>('POST', `/apps/${app.name}/addons`, { plan: 'redis' });
    const { REDIS_URL: url } = await before.request<Config>('GET', `/apps/${app.name}/config-vars`);
    redisCli(url, 'SET', 'kept', 'yes');
    const folder = join(data, 'host', 'addons');
    const half = before
      .request('POST', `/apps/${app.name}/addons`, { plan: 'redis', name: 'half' })
      .catch(() => undefined);
    await until('the folder of the second', () => readdirSync(folder).length === 2);
    await before.kill();
    await half;
    const after = await startServerForTest({ data });
    expect(await after.request<Config>('GET', `/apps/${app.name}/config-vars`)).toEqual({ REDIS_URL: url });
    await until('redis', () => answers(url));
    expect(redisCli(url, 'GET', 'kept')).toBe('yes');
    expect(await after.request('GET', '/addons')).toMatchObject([{ name: made.name }]);
    expect(readdirSync(folder)).toEqual([made.id]);
    // Its name is free again.
    await after.request('POST', `/apps/${app.name}/addons`, {
      plan: 'redis',
      name: 'half',
      config: { url: 'redis://elsewhere:1' },
    });
    await after.request('DELETE', `/apps/${app.name}/addons/${made.name}`);
    expect(existsSync(join(folder, made.id))).toBe(false);
  });
});

function answers(url: string): boolean {
  try {
    return redisCli(url, 'PING') === 'PONG';
  } catch {
    return false;
  }
}
