/** The add-on commands of the official `heroku` against a real `tailrace start`, with a real Redis and PostgreSQL. */
import { afterAll, describe, expect, it } from 'vitest';
import { HerokuCli } from '../../../support/heroku/heroku-cli.ts';
import { HerokuCliApp } from '../../../support/heroku/heroku-cli-app.ts';
import { missing } from '../../../support/program.ts';

const shop = new HerokuCliApp(25_500);
const { run: h } = shop;
let withData: HerokuCli | undefined;
/** As a user has it who has said where Heroku's data service is. */
const data = (command: string, input = ''): ReturnType<HerokuCli['run']> => {
  withData ??= new HerokuCli(shop.server, { HEROKU_DATA_HOST: 'localhost' });
  return withData.run(`${command} -a shop`, input);
};
afterAll(() => withData?.close());

interface Addon {
  readonly name: string;
  readonly config_vars: readonly string[];
}
const addons = () => shop.server.request<Addon[]>('GET', '/apps/shop/addons');
const config = () => shop.server.request<Record<string, string>>('GET', '/apps/shop/config-vars');

describe.skipIf(missing('redis-server', 'pg_ctlcluster'))('heroku addons', { timeout: 300_000 }, () => {
  it('none at first; an unknown service and an unknown plan are refused', async () => {
    expect(await h('addons')).toMatch(/No add-ons for app shop/);
    const service = await shop.heroku.run('addons:create nosuch -a shop');
    expect(service.stderr).toMatch(/Couldn't find that add-on service/);
    const plan = await shop.heroku.run('addons:create redis:nosuch -a shop');
    expect(plan.stderr.replace(/\s*\n\s*›?\s*/g, ' ')).toMatch(
      /Couldn't find either the add-on service or the add-on plan of "redis:nosuch"/,
    );
  });

  it('services and plans', async () => {
    expect(await shop.heroku.runOk('addons:services')).toMatch(/heroku-postgresql\s+Heroku Postgres\s+ga/);
    expect(await shop.heroku.runOk('addons:plans redis')).toMatch(
      /default\s+heroku-redis:local[\s\S]*heroku-redis:premium-0[\s\S]*free/,
    );
    expect(await h('addons:docs redis --show-url')).toMatch(/articles\/heroku-redis/);
  });

  it('create, list, info, upgrade, rename, destroy', async () => {
    expect(await h('addons:create redistogo --as CACHE --name shop-cache')).toMatch(
      /Created shop-cache as CACHE_URL/,
    );
    expect(await h('addons:create redis:dev')).toMatch(/Created redis-\S+ as REDIS_URL/);
    // What the server says of it names the command that was called.
    expect(await h('addons:create mailgun')).toMatch(/look with heroku addons:open mail-/);
    await h('addons:destroy mailgun --confirm shop');
    expect(await h('addons')).toMatch(/heroku-redis \(redis-\S+\)\s+local\s+free[\s\S]*as REDIS/);
    expect(await h('addons:info shop-cache')).toMatch(
      /=== shop-cache\s+Plan:\s+heroku-redis:local[\s\S]*Attachments:\s+shop::CACHE\s+Owning app:\s+shop[\s\S]*State:\s+created/,
    );
    expect(await h('addons:upgrade shop-cache heroku-redis:premium-0')).toMatch(
      /Changing shop-cache on shop from heroku-redis:local to heroku-redis:premium-0... done/,
    );
    const refused = await shop.heroku.run('addons:upgrade shop-cache heroku-redis:nosuch -a shop');
    expect(refused.stderr).toMatch(
      /Here are the available plans for heroku-redis:[\s\S]*heroku-redis:premium-0/,
    );
    expect(await shop.heroku.runOk('addons:rename shop-cache shop-fast')).toMatch(
      /successfully renamed to shop-fast/,
    );
    expect(await h('addons:destroy shop-fast --confirm shop')).toMatch(
      /Destroying shop-fast on shop... done/,
    );
    expect(Object.keys(await config())).toEqual(['REDIS_URL']);
    const overwritten = await shop.heroku.run('config:set REDIS_URL=mine -a shop');
    expect(overwritten.stderr).toMatch(/Cannot overwrite attachment values REDIS_URL/);
  });

  it('attach to another app, detach', async () => {
    await shop.heroku.runOk('apps:create shop-two');
    const [{ name }] = await addons();
    expect(await shop.heroku.runOk(`addons:attach ${name} --as QUEUE -a shop-two`)).toMatch(
      /Attaching \S+ as QUEUE to shop-two... done[\s\S]*Setting QUEUE config vars and restarting shop-two... done, v2/,
    );
    expect(await h('addons')).toMatch(/as REDIS[\s\S]*as QUEUE on shop-two app/);
    const refused = await shop.heroku.run(`addons:destroy ${name} --confirm shop -a shop`);
    expect(refused.stderr.replace(/\s*\n\s*›?\s*/g, ' ')).toMatch(
      /is attached to other apps \(shop-two::QUEUE\)/,
    );
    expect(await shop.heroku.runOk('addons:detach QUEUE -a shop-two')).toMatch(
      /Detaching QUEUE to \S+ from shop-two... done[\s\S]*Unsetting QUEUE config vars and restarting shop-two... done, v3/,
    );
    await shop.heroku.runOk('apps:destroy shop-two --confirm shop-two');
  });

  it('redis:info and redis:cli', async () => {
    const info = await data('redis:info');
    expect(info.stdout).toMatch(
      /=== redis-\S+ \(REDIS_URL\)[\s\S]*Version:\s+\d[\s\S]*Connections:\s+\d+\/\d+/,
    );
    const cli = await data('redis:cli --confirm shop', 'SET greeting hello\nGET greeting\n');
    expect(`${cli.stdout}${cli.stderr}`).toMatch(/Connecting to redis-\S+ \(REDIS_URL\)[\s\S]*hello/);
  });

  it('pg:info, pg:psql without TLS, pg:wait, pg:promote', async () => {
    expect(await h('addons:create heroku-postgresql:essential-0 --wait')).toMatch(
      /Created postgresql-\S+ as DATABASE_URL/,
    );
    expect(await h('addons:create postgresql')).toMatch(/as HEROKU_POSTGRESQL_[A-Z]+_URL/);
    const before = await config();
    const other = Object.keys(before).find((name) => name.startsWith('HEROKU_POSTGRESQL_')) ?? '';
    const info = await data('pg:info');
    expect(info.stdout).toMatch(/=== DATABASE_URL[\s\S]*Connections:\s+\d+\/20[\s\S]*PG Version:\s+\d/);
    expect((await data('pg:wait')).status).toBe(0);
    const psql = shop.heroku.run(['pg:psql', '-a', 'shop', '-c', "SELECT 'answer ' || 6 * 7"]);
    expect((await psql).stdout).toMatch(/answer 42/);
    const promoted = await data(`pg:promote ${other}`);
    expect(promoted.stderr).toMatch(
      /Ensuring an alternate alias for existing DATABASE_URL... HEROKU_POSTGRESQL_\w+_URL[\s\S]*Promoting \S+ to DATABASE_URL on shop... done/,
    );
    expect((await config()).DATABASE_URL).toBe(before[other]);
  });
});
