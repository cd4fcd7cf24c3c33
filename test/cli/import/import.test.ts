/** `tailrace import` from what answers as Heroku does: everything that comes along, nothing twice, nothing changed there, no secret shown. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SourceApi } from '../../../src/cli/import/source-api.ts';
import { HerokuApi, SECRETS } from '../../support/heroku/heroku-api.ts';
import { type ExitResult, missing, Program, runTailrace, TAILRACE } from '../../support/program.ts';
import { type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

let server: Server;
let heroku: HerokuApi;
const folder = temporaryFolder();
beforeAll(async () => {
  [server, heroku] = await Promise.all([startServer(), HerokuApi.start()]);
});
afterAll(async () => {
  await Promise.all([server?.close(), heroku?.close()]);
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => {
  heroku.refusals = [];
  expect(heroku.requests.filter((request) => !request.startsWith('GET '))).toEqual([]);
});

const env = (): Record<string, string> => ({
  ...server.env,
  HOME: folder,
  HEROKU_API_KEY: heroku.key,
});
const importShop = (...args: string[]): Promise<ExitResult> =>
  runTailrace(['import', '--from', heroku.url, '--app', 'shop', ...args], { env: env(), cwd: folder });
const get = <T>(path: string): Promise<T> => server.request<T>('GET', path);

/** What an app has that could be there twice. */
async function contents(app: string) {
  const names = async (path: string, field: string): Promise<string[]> =>
    (await get<Record<string, string>[]>(`/apps/${app}/${path}`)).map((one) => one[field]).sort();
  return {
    domains: await names('domains', 'hostname'),
    drains: (await get<{ url: string; addon: unknown }[]>(`/apps/${app}/log-drains`))
      .filter(({ addon }) => addon === null)
      .map(({ url }) => url)
      .sort(),
    attachments: await names('addon-attachments', 'name'),
    addons: (await names('addons', 'name')).length,
    config: Object.keys(await get<Record<string, string>>(`/apps/${app}/config-vars`)).sort(),
    buildpacks: (await get<{ buildpack: { name: string } }[]>(`/apps/${app}/buildpack-installations`)).map(
      ({ buildpack }) => buildpack.name,
    ),
    preboot: (await get<{ enabled: boolean }>(`/apps/${app}/features/preboot`)).enabled,
    people: (await get<{ email: string; apps: { app: { name: string }; role: string }[] }[]>('/people'))
      .flatMap(({ email, apps }) =>
        apps.filter((one) => one.app.name === app).map(({ role }) => `${email} ${role}`),
      )
      .sort(),
  };
}
/** With the values, all of it; PostgreSQL and Redis are what this machine has. */
const IMPORTED = {
  domains: ['*.shops.example.com', 'shop.localhost', 'www.example.com'],
  drains: ['https://shop:****@logs.example.com/loki', 'syslog+tls://logs.example.com:6514'],
  attachments: ['DATABASE', 'HEROKU_POSTGRESQL_ROSE', 'PAPERTRAIL', 'REDISCLOUD'],
  addons: 3,
  config: [
    'BASE_URL',
    'CACHE_URL',
    'DATABASE_URL',
    'HEROKU_POSTGRESQL_ROSE_URL',
    'PAPERTRAIL_API_TOKEN',
    'PAPERTRAIL_URL',
    'REDISCLOUD_URL',
    'SENDGRID_PASSWORD',
    'SENDGRID_USERNAME',
    'STRIPE_KEY',
  ],
  buildpacks: ['heroku/nodejs', 'heroku/ruby', 'heroku-community/apt'],
  preboot: false,
  people: ['Ada@example.com admin', 'ben@example.com viewer', 'cleo@example.com member'],
};

describe.skipIf(missing('pg_ctlcluster', 'psql', 'redis-server'))('import', { timeout: 240_000 }, () => {
  it('says in a dry run what comes along, what differs and what stays, and changes nothing', async () => {
    const { status, stdout, stderr } = await importShop('--dry-run');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    for (const line of [
      'shop at 127.0.0.1:',
      '(dry run: nothing is changed)',
      '  app shop\n',
      '  formation web=2:Standard-2X worker=1:Performance-L console=0:Basic, from the first release on\n',
      '  buildpacks heroku/nodejs, heroku/ruby, heroku-community/apt\n',
      '  feature preboot off\n',
      '  add-on heroku-postgresql:local as HEROKU_POSTGRESQL_ROSE, DATABASE\n',
      '  add-on rediscloud:local as REDISCLOUD\n',
      '  domain *.shops.example.com\n',
      '  drain https://shop:****@logs.example.com/loki\n',
      '  Ada@example.com as admin\n',
      "worker: Performance-L instead of Performance-XL, which isn't here",
      'local (there: standard-4): on this machine',
      'region eu: here it is this machine',
      'stack heroku-22: here it is the system of this machine',
      "buildpack heroku-community/apt isn't built in here",
      'buildpack http://example.com/pack.git: ',
      'drain ftp://logs.example.com: Drains to ftp://',
      'the code and the releases (there: v412 (Deploy 1a2b3c4d)): push its repository',
      'its pipeline',
      '1 webhooks',
      '1 certificates',
      'features: http-session-affinity',
      'maintenance mode is on there',
      'add-on sendgrid-square-3 (sendgrid:starter): the mail service here only catches mail of tests',
      'add-on scheduler-solid-4 (scheduler:standard): its jobs are in no API',
      'add-on postgresql-other-5 (heroku-postgresql) belongs to the app billing',
      "config vars of papertrail that the one here doesn't give: PAPERTRAIL_OLD",
      'config vars that Heroku sets itself (dyno metadata): HEROKU_APP_NAME',
      'values of config vars: BASE_URL, CACHE_URL, SENDGRID_PASSWORD, SENDGRID_USERNAME, STRIPE_KEY. They are copied with --config-values',
      'the team that owns it (acme@herokumanager.com)',
    ])
      expect(stdout).toContain(line);
    for (const secret of [...SECRETS, heroku.key]) expect(stdout).not.toContain(secret);
    expect(await get('/apps')).toEqual([]);
    expect(await get('/people')).toEqual([]);
  });

  it('makes it, goes on where it was killed, and makes nothing twice', async () => {
    const args = ['import', '--from', heroku.url, '--app', 'shop', '--config-values'];
    const killed = new Program(process.execPath, [TAILRACE, ...args], { env: env(), cwd: folder });
    await killed.waitForOutput(/buildpacks .*: done/);
    await killed.stop('SIGKILL');
    const { status, stdout, stderr } = await importShop('--config-values');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/app shop: is here already/);
    expect(stdout).toMatch(/cleo@example\.com as member: invited; send this link[^\n]*\n {4}http\S+#invite=/);
    expect(stdout).toMatch(
      /CACHE_URL names the host of REDISCLOUD_URL there[\s\S]*BASE_URL names an address at Heroku|BASE_URL names an address at Heroku[\s\S]*CACHE_URL names the host of REDISCLOUD_URL there/,
    );
    expect(stdout).toContain('SENDGRID_USERNAME, SENDGRID_PASSWORD are those of sendgrid there');
    for (const secret of [...SECRETS, heroku.key]) expect(stdout).not.toContain(secret);
    // The database that was being made when it was killed may still be.
    await until('the database', async () => 'DATABASE_URL' in (await get<object>('/apps/shop/config-vars')));
    expect(await contents('shop')).toEqual(IMPORTED);
    const config = await get<Record<string, string>>('/apps/shop/config-vars');
    expect(config.STRIPE_KEY).toBe('hunter2-stripe');
    expect(config.DATABASE_URL).toMatch(/@localhost:/);
    expect(config.HEROKU_POSTGRESQL_ROSE_URL).toBe(config.DATABASE_URL);

    // What somebody has changed here since stays, under whatever name.
    await server.request('PATCH', '/apps/shop/config-vars', { STRIPE_KEY: 'another' });
    await server.request('PATCH', '/apps/shop', { name: 'shop-2' });
    const again = await importShop('--config-values', '--json');
    expect(again.status).toBe(0);
    const { app, steps, notes } = JSON.parse(again.stdout) as {
      app: string;
      steps: { what: string; state: string }[];
      notes: { text: string }[];
    };
    expect(app).toBe('shop-2');
    expect(steps.filter(({ state }) => state !== 'there').map(({ what }) => what)).toEqual([
      expect.stringMatching(/^formation .*, from the first release on$/),
    ]);
    expect(notes).toContainEqual(
      expect.objectContaining({ text: 'config vars that have another value here, which stays: STRIPE_KEY' }),
    );
    const domains = ['*.shops.example.com', 'shop-2.localhost', 'www.example.com'];
    expect(await contents('shop-2')).toEqual({ ...IMPORTED, domains });
  });

  it('leaves an app alone that isn’t from there, and tells what could not be done', async () => {
    await server.request('POST', '/apps', { name: 'mine' });
    const refused = await importShop('--as', 'mine');
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(/There is an app mine here, and it wasn't imported from .*--as NAME\./);
    heroku.refusals = [{ path: /addons$/, status: 403, body: '{"id":"forbidden","message":"No."}' }];
    // The domains are those of the first import.
    const second = await importShop('--as', 'copy');
    expect(second.status).toBe(1);
    expect(second.stdout).toMatch(/domain www\.example\.com: failed: .*already the domain of an app/);
    expect(second.stdout).toMatch(/Ada@example\.com as admin: invited/);
    expect(second.stderr).toMatch(/2 of \d+ could not be done: .*run the same again/);
    expect(Object.keys(await get('/apps/copy/config-vars'))).not.toContain('STRIPE_KEY');
  });

  it('sees what is behind the first page of a list, as every command does', async () => {
    for (let i = 0; i < 205; i++)
      await server.request('POST', '/apps/mine/domains', { hostname: `d${i}.example.net` });
    const { stdout } = await runTailrace(['domains', '--app', 'mine', '--json'], { env: env() });
    expect(JSON.parse(stdout)).toHaveLength(206);
  });

  it('sets a formation before the first deploy, all of it or nothing', async () => {
    const put = (...updates: object[]) => server.request('PUT', '/apps/mine/formation', { updates });
    expect(await put({ type: 'worker', quantity: 2, size: 'standard-2x' })).toEqual({});
    await expect(put({ type: 'web', quantity: 1 }, { type: 'x y', quantity: 1 })).rejects.toThrow(/422/);
    await expect(put({ type: 'web', quantity: 101 })).rejects.toThrow(/from 0 to 100/);
    await expect(put({ type: 'web', size: 'Huge' })).rejects.toThrow(/No such size/);
  });

  it('lets the git remote lead here on request, and keeps the old one', async () => {
    const git = (...args: string[]): string => execFileSync('git', args, { cwd: folder }).toString();
    git('init', '-q');
    git('remote', 'add', 'heroku', 'https://git.heroku.com/shop.git');
    for (const said of ['Git remote heroku is heroku-old now', 'Git remote heroku leads there too'])
      expect((await importShop('--remote')).stdout).toContain(said);
    const lines = git('remote', '-v').split('\n');
    expect(lines.filter((line) => line.endsWith('(push)'))).toEqual([
      `heroku\t${server.url}/shop-2.git (push)`,
      'heroku-old\thttps://git.heroku.com/shop.git (push)',
      `tailrace\t${server.url}/shop-2.git (push)`,
    ]);
  });

  it('takes the key from a file, or where heroku login writes it', async () => {
    const { HEROKU_API_KEY: key, ...bare } = env();
    const run = (args: string[], input = ''): Promise<ExitResult> =>
      runTailrace(['import', '--from', heroku.url, '--app', 'shop', '--dry-run', ...args], {
        env: bare,
        input,
      });
    const noKey = /There is no key for 127\.0\.0\.1: set HEROKU_API_KEY .*--key-file/;
    expect((await run([])).stderr).toMatch(noKey);
    // Of the server that the heroku command speaks to.
    const other = { ...env(), HEROKU_HOST: 'http://localhost:8601' };
    const args = ['import', '--from', heroku.url, '--app', 'shop', '--dry-run'];
    const before = heroku.requests.length;
    expect((await runTailrace(args, { env: other })).stderr).toMatch(noKey);
    expect(heroku.requests).toHaveLength(before);
    expect(await run(['--key-file', '-'], `${key}\n`)).toMatchObject({ status: 0, stderr: '' });
    writeFileSync(join(folder, '.netrc'), `machine 127.0.0.1\n  login me@example.com\n  password ${key}\n`);
    expect(await run([])).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('what the source refuses', () => {
  const said: string[] = [];
  const read = (path = '/apps/shop', key = heroku.key): Promise<unknown> =>
    new SourceApi({ url: heroku.url, key, onWait: (reason) => said.push(reason) }).get(path);
  const refuse = (status: number, body: string, headers = {}, stays = false): void => {
    heroku.refusals = [{ path: /./, status, body, headers, stays }];
  };

  it('gets a sentence', async () => {
    await expect(read('/apps/shop', 'wrong')).rejects.toThrow(
      /doesn't accept the key \("Invalid credentials/,
    );
    refuse(403, '{"id":"forbidden","message":"You do not have access."}');
    await expect(read()).rejects.toThrow(/The key may not read \/apps\/shop .*read-protected/);
    refuse(403, '{"id":"two_factor","message":"A second authentication factor is required."}');
    await expect(read()).rejects.toThrow(/wants a second factor .*heroku authorizations:create/);
    await expect(read('/apps/nobody')).rejects.toThrow(/There is no \/apps\/nobody/);
    refuse(200, '<html>a proxy</html>');
    await expect(read()).rejects.toThrow(/with no JSON: is --from the address/);
    refuse(302, '', { location: 'https://elsewhere.example.com/' });
    await expect(read()).rejects.toThrow(/answered GET \/apps\/shop with 302/);
    refuse(200, `"${'x'.repeat(17_000_000)}"`);
    await expect(read()).rejects.toThrow(/with more than 16 MB: is --from the address/);
    const nobody = new SourceApi({ url: 'http://127.0.0.1:1', key: 'x', onWait: () => {} });
    await expect(nobody.get('/apps/shop')).rejects.toThrow(/can't be reached \(ECONNREFUSED\)/);
  });

  it('is waited for when it is soon over, and else said', async () => {
    refuse(429, '{"id":"rate_limit","message":"Your account reached the API limit."}', {
      'retry-after': '0',
    });
    expect(await read()).toMatchObject({ name: 'shop' });
    expect(said).toEqual([expect.stringMatching(/is asked too often: trying again in 0 s/)]);
    refuse(
      429,
      '{"id":"rate_limit","message":"Your account reached the API limit."}',
      { 'retry-after': '900' },
      true,
    );
    await expect(read()).rejects.toThrow(/is asked too often .*again after 900 s/);
    refuse(503, '{}', { 'retry-after': '0' });
    expect(await read()).toMatchObject({ name: 'shop' });
  });

  it('of one resource is said, and the rest comes along', async () => {
    heroku.refusals = [
      {
        path: /config-vars|collaborators/,
        status: 403,
        body: '{"id":"forbidden","message":"No."}',
        stays: true,
      },
      { path: /pipeline-couplings/, status: 404, body: '{"id":"not_found","message":"No."}' },
    ];
    const { status, stdout } = await importShop('--dry-run', '--config-values');
    expect(status).toBe(0);
    expect(stdout).toMatch(/config vars: The key may not read \/apps\/shop\/config-vars .*read-protected/);
    expect(stdout).toMatch(/collaborators: The key may not read/);
    expect(stdout).not.toMatch(/pipeline/);
  });
});
