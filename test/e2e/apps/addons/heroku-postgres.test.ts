/** The `pg` commands of the official `heroku` against a real `tailrace start`, with a real PostgreSQL. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HerokuCli } from '../../../support/heroku/heroku-cli.ts';
import { HerokuCliApp } from '../../../support/heroku/heroku-cli-app.ts';
import { missing } from '../../../support/program.ts';
import { until } from '../../../support/until.ts';

const shop = new HerokuCliApp(25_700);
let data: HerokuCli;
beforeAll(() => {
  // As a user has it who has said where Heroku's data service is.
  data = new HerokuCli(shop.server, { HEROKU_DATA_HOST: 'localhost' });
});
afterAll(() => data?.close());

/** Its output, on one line a paragraph: it breaks long ones. */
async function h(command: string | readonly string[]): Promise<string> {
  const words = typeof command === 'string' ? command.split(' ') : command;
  const { status, stdout, stderr } = await data.run([...words, '-a', 'shop']);
  if (status !== 0) throw new Error(`heroku ${words.join(' ')}: ${status}\n${stdout}\n${stderr}`);
  return `${stderr}\n${stdout}`;
}
const psql = (sql: string) => h(['pg:psql', '-c', sql]);

describe.skipIf(missing('pg_ctlcluster', 'psql'))('heroku pg', { timeout: 300_000 }, () => {
  it('pg:psql, pg:info, pg:wait, pg:credentials:url, pg:ps, pg:killall', async () => {
    await h('addons:create heroku-postgresql:essential-0 --name shop-db');
    expect(await psql('CREATE TABLE things AS SELECT generate_series(1, 100) AS n')).toMatch(/SELECT 100/);
    expect(await h('pg:info')).toMatch(/=== DATABASE_URL[\s\S]*Plan:\s+20 connections[\s\S]*Tables:\s+1/);
    await h('pg:wait');
    const { DATABASE_URL: url } = await shop.server.request<{ DATABASE_URL: string }>(
      'GET',
      '/apps/shop/config-vars',
    );
    expect(await h('pg:credentials:url')).toContain(url);
    expect(await h('pg:credentials')).toMatch(/default\s+active/);
    expect(await h('pg:ps')).toMatch(/running_for/);
    expect(await h('pg:killall')).toMatch(/Terminating connections for all credentials... done/);
  });

  it('pg:backups: capture, list, info, url, restore, delete', async () => {
    expect(await h('pg:backups')).toMatch(/No backups\. Capture one with/);
    expect(await h('pg:backups:capture')).toMatch(
      /Starting backup of \S*shop-db[\s\S]*Backing up \S*shop-db\S* to \S*b001\S*\.\.\. done/,
    );
    expect(await h('pg:backups')).toMatch(/b001\s+\S+\s+Completed \S+\s+[\d.]+KB\s+\S*shop-db/);
    expect(await h('pg:backups:info')).toMatch(
      /=== Backup b001[\s\S]*Status:\s+Completed[\s\S]*b001 is complete/,
    );
    const link = /http:\S+/.exec(await h('pg:backups:url b001'))?.[0] ?? '';
    expect(
      Buffer.from(await (await fetch(link)).arrayBuffer())
        .subarray(0, 5)
        .toString(),
    ).toBe('PGDMP');

    await psql('DELETE FROM things');
    expect(await h('pg:backups:restore b001 DATABASE_URL --confirm shop')).toMatch(/Restoring\.\.\. done/);
    expect(await psql("SELECT 'rows ' || count(*) FROM things")).toMatch(/rows 100/);
    await psql('DELETE FROM things');
    expect(await h(['pg:backups:restore', link, 'DATABASE_URL', '--confirm', 'shop'])).toMatch(
      /Restoring\.\.\. done/,
    );
    expect(await psql("SELECT 'rows ' || count(*) FROM things")).toMatch(/rows 100/);
    expect(await h('pg:backups')).toMatch(/=== Restores[\s\S]*r002\s+\S+\s+Completed/);

    const failed = await data.run([
      'pg:backups:restore',
      `${link}x`,
      'DATABASE_URL',
      '--confirm',
      'shop',
      '-a',
      'shop',
    ]);
    expect(failed.stderr.replace(/\s*\n\s*›?\s*/g, ' ')).toMatch(
      /An error occurred and the backup did not finish.*it answered 404/,
    );
    expect(await h('pg:backups:delete b001 --confirm shop')).toMatch(
      /Deleting backup \S*b001\S* on .*shop.*\.\.\. done/,
    );
    const gone = await data.run('pg:backups:restore b001 DATABASE_URL --confirm shop -a shop');
    expect(gone.stderr).toMatch(/Backup b001 not found for/);
  });

  it('pg:backups:schedule, schedules, unschedule', async () => {
    expect(await h(['pg:backups:schedule', 'DATABASE_URL', '--at', '02:00 Europe/Berlin'])).toMatch(
      /Scheduling automatic daily backups of \S*shop-db\S* at 0?2:00 Europe\/Berlin\.\.\. done/,
    );
    expect(await h('pg:backups:schedules')).toMatch(/DATABASE_URL: daily at 2:00 Europe\/Berlin/);
    expect(await h('pg:backups:unschedule')).toMatch(
      /Unscheduling \S*DATABASE_URL\S* daily backups\.\.\. done/,
    );
    expect(await h('pg:backups:schedules')).toMatch(/No backup schedules found/);
  });

  it('pg:promote and pg:reset', async () => {
    await h('addons:create heroku-postgresql --name shop-two --as SECOND');
    expect(await h('pg:promote SECOND')).toMatch(/Promoting \S+ to DATABASE_URL on \S*shop... done/);
    data.forget();
    await psql('CREATE TABLE things (a int)');
    expect(await h('pg:reset DATABASE_URL --confirm shop')).toMatch(/Resetting \S*shop-two\S*\.\.\. done/);
    await until('an empty database', async () =>
      (await psql("SELECT 'tables ' || count(*) FROM pg_stat_user_tables")).includes('tables 0'),
    );
    expect(await h('addons:upgrade shop-two heroku-postgresql:standard-0')).toMatch(/done/);
    expect(await psql('SHOW max_connections')).toMatch(/120/);
  });
});
