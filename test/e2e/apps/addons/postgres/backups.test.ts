/** `tailrace pg:backups …`, `pg:reset` and the other tools on a real PostgreSQL, and what goes wrong with them. */
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fakeClockForTest, missingFakeClock } from '../../../../support/fake-clock.ts';
import { missing, runTailrace } from '../../../../support/program.ts';
import {
  dataFolderForTest,
  type Server,
  startServer,
  startServerForTest,
} from '../../../../support/server.ts';
import { until } from '../../../../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'tailrace-backups-'));
let server: Server;
let url: string;
let addon: { id: string; name: string };

interface Transfer {
  readonly name: string;
  readonly uuid: string;
  readonly succeeded: boolean;
  readonly finished_at: string | null;
  readonly canceled_at: string | null;
  readonly processed_bytes: number;
  readonly logs: readonly { readonly message: string }[];
}

const APP = 'shop';
const config = (app = APP) => server.request<Record<string, string>>('GET', `/apps/${app}/config-vars`);
const transfers = (app = APP) => server.request<Transfer[]>('GET', `/client/v11/apps/${app}/transfers`);
const sql = (...statements: string[]): string =>
  execFileSync('psql', ['-X', url, '-At', ...statements.flatMap((one) => ['-c', one])], {
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
const run = (command: string, ...more: string[]) =>
  runTailrace([...command.split(' '), ...more, '-a', APP], { env: server.env, cwd: folder });
async function ok(command: string, ...more: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(command, ...more);
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trim();
}
async function refused(command: string, ...more: string[]): Promise<string> {
  const { status, stderr } = await run(command, ...more);
  expect(status).toBe(1);
  return stderr.replace(/\s*\n\s*›?\s*/g, ' ').trim();
}
const backupFiles = (): string[] =>
  readdirSync(join(server.data, 'host', 'backups'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(dump|part)$/.test(name),
  );

const isThere = !missing('pg_ctlcluster', 'psql');

describe.skipIf(!isThere)('backups', () => {
  beforeAll(async () => {
    server = await startServer();
    await server.createApp(APP);
    addon = await server.request('POST', `/apps/${APP}/addons`, { plan: 'postgresql' });
    url = (await config()).DATABASE_URL;
    sql('CREATE TABLE things AS SELECT n, md5(n::text) AS text FROM generate_series(1, 5000) n');
  });
  afterAll(async () => {
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are made, listed, looked at, downloaded, restored, deleted', async () => {
    expect(await ok('pg:backups')).toBe(
      '=== Backups\nNo backups for shop. Make one with: tailrace pg:backups:capture',
    );
    expect(await refused('pg:backups:download')).toMatch(/No backups for shop/);
    expect(await ok('pg:backups:capture')).toMatch(
      new RegExp(`^Backing up ${addon.name} to b001\\.\\.\\. done, \\d+ KB$`),
    );
    expect(await ok('pg:backups')).toMatch(new RegExp(`b001 .*Completed .*${addon.name}`));
    expect(await ok('pg:backups:info')).toMatch(
      /=== Backup b001[\s\S]*Status: +Completed[\s\S]*b001 is complete/,
    );

    expect(await ok('pg:backups:download b001')).toBe('Downloading b001... done, latest.dump');
    expect(await ok('pg:backups:download')).toBe('Downloading b001... done, latest.dump.1');
    expect(readFileSync(join(folder, 'latest.dump')).subarray(0, 5).toString()).toBe('PGDMP');
    const link = await ok('pg:backups:url');
    const file = await fetch(link);
    expect(file.headers.get('content-disposition')).toContain(`${addon.name}-b001.dump`);
    expect((await file.arrayBuffer()).byteLength).toBe(statSync(join(folder, 'latest.dump')).size);
    expect((await fetch(`${link}x`)).status).toBe(404);

    sql('DELETE FROM things', 'CREATE TABLE later (a int)');
    expect(await refused('pg:backups:restore b001')).toMatch(
      new RegExp(
        `Everything in ${addon.name} is replaced by that backup\\. If you mean it, add --confirm shop`,
      ),
    );
    // A client that stays connected doesn't hold it up.
    const client = spawn('psql', ['-X', url], { stdio: ['pipe', 'pipe', 'ignore'] });
    onTestFinished(() => void client.kill('SIGKILL'));
    client.stdin.on('error', () => {});
    client.stdin.write('SELECT 1;\n');
    await new Promise((resolve) => client.stdout.once('data', resolve));
    expect(await ok('pg:backups:restore b001 --confirm shop')).toBe(
      `Restoring b001 to ${addon.name}... done`,
    );
    expect(sql('SELECT count(*), max(n) FROM things')).toBe('5000|5000');
    expect(() => sql('SELECT * FROM later')).toThrow(/does not exist/);
    expect(sql("SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database")).toBe(
      'app postgres template0 template1',
    );

    sql('DELETE FROM things');
    expect(await ok('pg:backups:restore latest.dump --confirm shop')).toBe(
      `Restoring latest.dump to ${addon.name}... done`,
    );
    expect(sql('SELECT count(*) FROM things')).toBe('5000');
    expect(await ok('pg:backups')).toMatch(/=== Restores\nr002 .*from b001\nr003 .*from an uploaded file/);

    expect(await refused('pg:backups:delete b001')).toMatch(/add --confirm shop/);
    expect(await ok('pg:backups:delete b001 --confirm shop')).toBe('Deleting backup b001 on shop... done');
    expect(backupFiles()).toEqual([]);
    expect(await refused('pg:backups:info b001')).toMatch(/There is no backup b001/);
    // Its number isn't given away again.
    expect(await ok('pg:backups:capture')).toMatch(/to b004/);
  });

  it('that can’t be restored leave the database as it is', async () => {
    const before = sql('SELECT count(*) FROM things');
    writeFileSync(join(folder, 'plain.sql'), 'SELECT 1;\n');
    writeFileSync(join(folder, 'half.dump'), readFileSync(join(folder, 'latest.dump')).subarray(0, 60_000));
    writeFileSync(join(folder, 'empty.dump'), '');
    expect(await refused('pg:backups:restore plain.sql --confirm shop')).toMatch(
      /failed: .*does not appear to be a valid archive.*\. The database is as it was before/,
    );
    for (const file of ['half.dump', 'empty.dump'])
      expect(await refused('pg:backups:restore', file, '--confirm', 'shop')).toMatch(/as it was before/);
    expect(await refused('pg:backups:restore nosuch.dump --confirm shop')).toMatch(
      /There is no file nosuch\.dump here/,
    );
    expect(await refused('pg:backups:restore b999 --confirm shop')).toMatch(/There is no backup b999/);
    expect(await refused('pg:backups:restore r002 --confirm shop')).toMatch(
      /no file r002|no finished backup/,
    );
    expect(sql('SELECT count(*) FROM things')).toBe(before);
    expect(sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'tailrace%'")).toBe('0');
    expect(backupFiles().filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('of another app, and from an address; not from this machine unless that is allowed', async () => {
    await server.createApp('other');
    const other = await server.request<{ name: string }>('POST', '/apps/other/addons', {
      plan: 'postgresql',
    });
    // For whoever may do everything in this app alone, there is no backup of that one.
    const b004 = (await transfers()).find(({ name }) => name === 'b004');
    const { access_token: ofOther } = await server.request<{ access_token: { token: string } }>(
      'POST',
      '/oauth/authorizations',
      { scope: ['global'], apps: ['other'] },
    );
    const foreign = await fetch(`${server.url}/client/v11/databases/${other.name}/restores`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ofOther.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ backup_url: `tailrace-backup:${b004?.uuid}` }),
    });
    expect([foreign.status, await foreign.text()]).toEqual([404, expect.stringContaining('no such backup')]);
    const restored = await runTailrace(
      ['pg:backups:restore', `${APP}::b004`, '-a', 'other', '--confirm', 'other'],
      { env: server.env, cwd: folder },
    );
    expect(restored.stdout.trim()).toBe(`Restoring b004 to ${other.name}... done`);

    const paths: string[] = [];
    const files = createServer((request, response) => {
      paths.push(request.url ?? '');
      if (request.url === '/moved') return response.writeHead(302, { location: '/db.dump?key=1' }).end();
      if (request.url?.startsWith('/db.dump')) return response.end(readFileSync(join(folder, 'latest.dump')));
      return response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void files.close());
    const origin = `http://127.0.0.1:${(files.address() as AddressInfo).port}`;
    sql('DELETE FROM things');
    expect(await ok('pg:backups:restore', `${origin}/moved`, '--confirm', 'shop')).toMatch(/done$/);
    expect(sql('SELECT count(*) FROM things')).toBe('5000');
    expect(await refused('pg:backups:restore', `${origin}/nosuch?secret=1`, '--confirm', 'shop')).toMatch(
      new RegExp(`The backup can't be fetched from ${origin}/nosuch: it answered 404\\.`),
    );
    expect(JSON.stringify(await transfers())).not.toMatch(/secret=1|key=1/);

    const strict = await startServerForTest({ env: { TAILRACE_ALLOW_PRIVATE_DRAINS: 'no' } });
    await strict.createApp(APP);
    await strict.request('POST', `/apps/${APP}/addons`, { plan: 'postgresql', name: 'strict-db' });
    const seen = paths.length;
    for (const forbidden of [
      `${origin}/db.dump`,
      'http://169.254.169.254/latest',
      'http://[::1]:1/x',
      'file:///etc/passwd',
    ])
      await expect(
        strict.request('POST', '/client/v11/databases/strict-db/restores', { backup_url: forbidden }),
      ).rejects.toThrow(/422 .*(Backups may not be fetched from|Name a backup)/);
    expect(paths.length).toBe(seen);
  });

  it('that fail, are canceled or lose their server leave no file that passes for one', async () => {
    // pg_dump waits for the lock.
    const locker = spawn('psql', ['-X', url], { stdio: ['pipe', 'pipe', 'ignore'] });
    onTestFinished(() => void locker.kill('SIGKILL'));
    locker.stdin.on('error', () => {});
    locker.stdin.write("BEGIN; LOCK TABLE things; SELECT 'locked';\n");
    await until(
      'the lock',
      () => sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'") !== '0',
    );
    const capture = run('pg:backups:capture');
    const running = await until('a backup that waits', async () =>
      (await transfers()).find((one) => one.finished_at === null),
    );
    expect(await refused('pg:backups:download', running.name)).toMatch(/no finished backup/);
    expect(await ok('pg:backups:cancel')).toBe(`Canceling ${running.name}... done`);
    expect((await capture).stderr).toMatch(/It was canceled/);
    expect((await transfers()).at(-1)).toMatchObject({ succeeded: false, canceled_at: expect.any(String) });
    expect(await ok('pg:backups')).toMatch(new RegExp(`${running.name} .*Canceled`));

    // Its connection is ended.
    const killed = run('pg:backups:capture');
    const pid = await until(
      'pg_dump',
      () => Number(sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'pg_dump'")) || undefined,
    );
    process.kill(pid, 'SIGTERM');
    expect((await killed).stderr.replace(/\s*\n\s*›?\s*/g, ' ')).toMatch(/Backing up .* failed: /);
    expect(backupFiles().filter((name) => name.endsWith('.part'))).toEqual([]);
    expect(backupFiles()).toHaveLength(1);
  });

  it('stay when the database is destroyed, and go with the app; an unfinished one of a server that died has failed', async () => {
    const data = dataFolderForTest();
    const first = await startServerForTest({ data });
    await first.createApp(APP);
    const make = () => first.request<{ name: string }>('POST', `/apps/${APP}/addons`, { plan: 'postgresql' });
    const { name } = await make();
    const own = (await first.request<Record<string, string>>('GET', `/apps/${APP}/config-vars`)).DATABASE_URL;
    const locker = spawn('psql', ['-X', own], { stdio: ['pipe', 'pipe', 'ignore'] });
    onTestFinished(() => void locker.kill('SIGKILL'));
    locker.stdin.on('error', () => {});
    locker.stdin.write("CREATE TABLE t (a int); BEGIN; LOCK TABLE t; SELECT 'locked';\n");
    let said = '';
    locker.stdout.on('data', (text) => {
      said += String(text);
    });
    await until('the lock', () => said.includes('locked'));
    await first.request('POST', `/client/v11/databases/${name}/backups`, {});
    await first.kill();
    const second = await startServerForTest({ data });
    // The database has gone on without a server.
    locker.kill('SIGKILL');
    const path = `/client/v11/apps/${APP}/transfers`;
    expect(await second.request<Transfer[]>('GET', path)).toMatchObject([
      { name: 'b001', succeeded: false, finished_at: expect.any(String) },
    ]);
    await until('an answer', async () => {
      const info = await second.request(`GET`, `/addons/${name}/details`).catch(() => undefined);
      return info !== undefined;
    });
    await second.request('POST', `/client/v11/databases/${name}/backups`, {});
    await until('the second', async () => (await second.request<Transfer[]>('GET', path))[1].finished_at);
    await second.request('DELETE', `/apps/${APP}/addons/${name}`);
    expect(await second.request<Transfer[]>('GET', path)).toMatchObject([
      { name: 'b001', succeeded: false },
      { name: 'b002', succeeded: true },
    ]);
    await second.request('DELETE', `/apps/${APP}`);
    expect(readdirSync(join(data, 'host', 'backups'))).toEqual([]);
  });

  it('on a full disk fail, with a sentence and no file; so does a new database', async (context) => {
    const data = dataFolderForTest();
    const small = await startServerForTest({ data });
    const { id } = await small.createApp(APP);
    await small.request('POST', `/apps/${APP}/addons`, { plan: 'postgresql', name: 'small-db' });
    const own = (await small.request<Record<string, string>>('GET', `/apps/${APP}/config-vars`)).DATABASE_URL;
    const table = 'CREATE TABLE things AS SELECT md5(n::text) FROM generate_series(1, 20000) n';
    execFileSync('psql', ['-X', own, '-c', table], { stdio: 'pipe' });
    const backups = join(data, 'host', 'backups', id);
    if (!mountSmallDisk(backups, '200k')) return context.skip('a small disk can’t be mounted here');
    await small.request('POST', '/client/v11/databases/small-db/backups', {});
    const path = `/client/v11/apps/${APP}/transfers/b001`;
    const ended = await until('its end', async () => {
      const one = await small.request<Transfer>('GET', path);
      return one.finished_at !== null && one;
    });
    expect(ended).toMatchObject({ succeeded: false });
    expect(ended.logs.at(-1)?.message).toBe("The server's disk is full: make space, and try again.");
    await until('no more than its record', () => readdirSync(backups).join() === '1.json');

    mountSmallDisk(join(data, 'host', 'addons'), '10m');
    await expect(small.request('POST', `/apps/${APP}/addons`, { plan: 'postgresql' })).rejects.toThrow(
      /503 .*store_full.*No space left on device/,
    );
    expect(await small.request('GET', '/addons')).toMatchObject([{ name: 'small-db' }]);
    expect(readdirSync(join(data, 'host', 'addons'))).toEqual([]);
  });

  it('are made of a database elsewhere, too, which is left alone otherwise', async () => {
    const external = { plan: 'postgresql', name: 'far-db', config: { url } };
    await server.createApp('far');
    await server.request('POST', '/apps/far/addons', external);
    await server.request('POST', '/client/v11/databases/far-db/backups', {});
    await until('its end', async () => (await transfers('far'))[0].succeeded);
    for (const [method, path] of [
      ['PUT', 'reset'],
      ['POST', 'restores'],
      ['POST', 'connection_reset'],
    ])
      await expect(
        server.request(method, `/client/v11/databases/far-db/${path}`, {
          backup_url: `tailrace-backup:${(await transfers('far'))[0].uuid}`,
        }),
      ).rejects.toThrow(/422 .*far-db runs elsewhere/);
  });

  it.skipIf(missingFakeClock())('are made every day, at their hour', async () => {
    const clock = fakeClockForTest();
    const daily = await startServerForTest({ env: clock.env });
    await daily.createApp(APP);
    await daily.request('POST', `/apps/${APP}/addons`, { plan: 'postgresql', name: 'daily-db' });
    const run = (...words: string[]) => runTailrace([...words, '-a', APP], { env: daily.env });
    expect((await run('pg:backups:schedules')).stdout).toMatch(/No backup schedules for shop/);
    expect((await run('pg:backups:schedule', '--at', 'noon')).stderr).toMatch(/"noon" is no full hour/);
    expect((await run('pg:backups:schedule', '--at', '02:00 Mars/X')).stderr).toMatch(
      /no time zone "Mars\/X"/,
    );
    const hour = (new Date().getUTCHours() + 2) % 24;
    expect((await run('pg:backups:schedule', '--at', `${hour}:00 UTC`)).stdout).toBe(
      `Scheduling automatic daily backups of daily-db at ${hour}:00 UTC... done\n`,
    );
    expect((await run('pg:backups:schedules')).stdout).toBe(`DATABASE_URL: daily at ${hour}:00 UTC\n`);
    const list = () => daily.request<Transfer[]>('GET', `/client/v11/apps/${APP}/transfers`);
    expect(await list()).toEqual([]);
    clock.set(2 * 3_600_000);
    await until('the backup', async () => (await list())[0]?.succeeded);
    expect(await list()).toMatchObject([{ name: 'a001' }]);
    expect((await run('pg:backups:unschedule')).stdout).toBe('Unscheduling daily-db daily backups... done\n');
    expect((await run('pg:backups:unschedule')).stderr).toMatch(/has no daily backups/);
  });

  it('pg:reset, and the tools', async () => {
    expect(await refused('pg:reset')).toMatch(/loses all of its data\. If you mean it, add --confirm shop/);
    expect(await refused('pg:reset --confirm shop --extensions', 'x"; DROP DATABASE app')).toMatch(
      /is no name of an extension/,
    );
    expect(await ok('pg:reset --confirm shop --extensions plpgsql')).toBe(`Resetting ${addon.name}... done`);
    expect(sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).toBe('0');
    expect(await ok('pg:wait')).toBe(`${addon.name} is available`);
    expect(await ok('pg:credentials:url')).toContain(url);
    const busy = spawn('psql', ['-X', url, '-c', 'SELECT pg_sleep(601)'], { stdio: 'ignore' });
    onTestFinished(() => void busy.kill('SIGKILL'));
    const ended = new Promise((resolve) => busy.once('exit', resolve));
    const shown = await until('the query', async () => /^ *(\d+) .*pg_sleep\(601\)/m.exec(await ok('pg:ps')));
    expect(await ok('pg:locks')).toMatch(/query_snippet/);
    expect(await ok(`pg:kill ${shown[1]}`)).toMatch(/ t$/m);
    expect(await ended).toBe(1);
    expect(await ok('pg:killall')).toBe('Terminating connections for all credentials... done');
    expect(await refused('pg:kill one')).toMatch(/is no number of a process/);
    expect(existsSync(join(server.data, 'host', 'backups'))).toBe(true);
  });
});

/** A disk of its own, which other files don't fill. False where this machine doesn't let us have one. */
function mountSmallDisk(folder: string, size: string): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    const options = `size=${size},mode=700`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tailrace-test', folder], { stdio: 'ignore' });
  } catch {
    return false;
  }
  onTestFinished(() => void execFileSync('umount', ['-l', folder]));
  return true;
}
