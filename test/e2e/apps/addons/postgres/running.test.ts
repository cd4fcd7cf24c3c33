/** A PostgreSQL add-on as a program: who runs it, what it says, how it stops, what a killed one leaves, on which data it isn't started. */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { missing, runTailrace } from '../../../../support/program.ts';
import {
  dataFolderForTest,
  type ServeOptions,
  type Server,
  startServerForTest,
} from '../../../../support/server.ts';
import { until } from '../../../../support/until.ts';

const isRoot = process.getuid?.() === 0;
/** What root of a container has by default: it is told nothing of others' processes, and mounts nothing. */
const CONTAINER_ROOT = `exec setpriv --bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap "$0" "$@"`;
const container = isRoot ? { shell: CONTAINER_ROOT } : {};
const APP = 'shop';
const stream = { id: '', name: APP, token: '' };

interface Addon {
  readonly id: string;
  readonly name: string;
}

async function withDatabase(
  data: string,
  options: ServeOptions = {},
): Promise<{ server: Server; addon: Addon; url: string; folder: string }> {
  const server = await startServerForTest({ data, ...options });
  await server.createApp(APP);
  const addon = await server.request<Addon>('POST', `/apps/${APP}/addons`, { plan: 'postgresql' });
  return {
    server,
    addon,
    url: await urlOf(server),
    folder: join(data, 'host', 'addons', addon.id, 'data'),
  };
}

const urlOf = async (server: Server): Promise<string> =>
  (await server.request<{ DATABASE_URL: string }>('GET', `/apps/${APP}/config-vars`)).DATABASE_URL;
const psql = (url: string, ...sql: string[]): string =>
  execFileSync('psql', ['-X', url, '-At', ...sql.flatMap((one) => ['-c', one])], {
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
const answers = (url: string): boolean => {
  try {
    return psql(url, 'SELECT 1') === '1';
  } catch {
    return false;
  }
};
const leaderOf = (folder: string): number =>
  Number(readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')[0]);
const statusOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
};
const lines = (server: Server, query = 'lines=100000'): Promise<string[]> => server.readLines(stream, query);

describe.skipIf(missing('pg_ctlcluster', 'psql'))('PostgreSQL', () => {
  it('speaks in the stream: one message for what belongs together, with its severity; no passwords; and what it is like', async () => {
    const { server, addon, url } = await withDatabase(dataFolderForTest());
    expect(() =>
      psql(
        url,
        'CREATE TABLE things (a int)',
        'SELECT *\n  FROM nosuch\n  WHERE true',
        "ALTER USER app PASSWORD 'geheim' nonsense",
      ),
    ).toThrow();
    expect(() => psql(url, "ALTER USER app PASSWORD 'geheim' nonsense")).toThrow();
    interface Line {
      readonly message: string;
      readonly level: string;
      readonly dyno: string;
    }
    const records = async (): Promise<Line[]> =>
      (await lines(server, 'lines=1000&format=json')).map((line) => JSON.parse(line) as Line);
    const found = await until('both errors', async () => {
      const all = (await records()).filter(({ message }) => message.includes('ERROR:'));
      return all.length >= 2 && all;
    });
    expect(found).toMatchObject([
      {
        dyno: 'postgres.1',
        message: expect.stringMatching(
          /^\[\d+\] app@app ERROR: {2}relation "nosuch" does not exist at character 17\nSTATEMENT: {2}SELECT \*\n {2}FROM nosuch\n {2}WHERE true$/,
        ),
      },
      { message: expect.stringContaining("PASSWORD '[hidden]' nonsense") },
    ]);
    const atLeast = await lines(server, 'lines=1000&level=error');
    expect(atLeast.join('\n')).toMatch(/relation "nosuch"/);
    expect(atLeast.join('\n')).not.toMatch(/LOG: /);
    const all = (await lines(server)).join('\n');
    expect(all).not.toMatch(/geheim/);
    expect(all).toMatch(/app\[postgres\.1\]: \[\d+\] LOG: {2}database system is ready to accept connections/);
    const sample = await until('what it is like', async () =>
      (await lines(server)).find((line) => line.includes('sample#db_size')),
    );
    expect(sample).toMatch(
      new RegExp(
        `app\\[postgres\\.1\\]: source=DATABASE addon=${addon.name} sample#current_transaction=\\d+ sample#db_size=\\d+bytes sample#tables=\\d+ sample#active-connections=\\d+ sample#waiting-connections=0 sample#index-cache-hit-rate=[\\d.]+ sample#table-cache-hit-rate=[\\d.]+ sample#load-avg-1m=[\\d.]+ `,
      ),
    );
  });

  it.skipIf(!isRoot)(
    'isn’t root where the server is: another user, who has the data alone, behind folders closed to it',
    async () => {
      const data = dataFolderForTest();
      // As in a container with default rights: no user namespaces.
      const refusing = join(data, 'bin');
      mkdirSync(refusing, { recursive: true });
      writeFileSync(
        join(refusing, 'unshare'),
        '#!/bin/sh\necho "unshare failed: Operation not permitted" >&2\nexit 1\n',
      );
      chmodSync(join(refusing, 'unshare'), 0o755);
      chmodSync(data, 0o700);
      const env = { PATH: `${refusing}${delimiter}${process.env.PATH}` };
      const { server, url, folder } = await withDatabase(data, { env, ...container });
      const uid = Number(execFileSync('id', ['-u', 'postgres'], { encoding: 'utf8' }));
      const leader = leaderOf(folder);
      expect(statusOf(leader)).toMatch(new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t`, 'm'));
      expect(statusOf(leader)).toMatch(/^Groups:\t\s*$/m);
      expect((await lines(server)).join('\n')).toMatch(
        /app\[postgres\.1\]: PostgreSQL runs as the user postgres: it refuses to run as root\./,
      );
      expect(psql(url, "SELECT count(*) FROM pg_ls_dir('base')")).not.toBe('0');
      // Whoever may run SQL doesn't read the server's key.
      expect(() => psql(url, `COPY (SELECT 1) TO PROGRAM 'cat ${join(data, 'key')}'`)).toThrow(/failed/);
      expect(lstatSync(data).mode & 0o777).toBe(0o700);
      await server.close();

      // As a server before this one left them.
      execFileSync('chown', ['-R', 'root:root', join(folder, '..')]);
      const again = await startServerForTest({ data, env, ...container });
      await until('an answer', () => answers(url));
      expect(lstatSync(join(folder, 'base')).uid).toBe(uid);
      await again.request('DELETE', `/apps/${APP}`);
      expect(existsSync(folder)).toBe(false);
    },
  );

  it('is shut down with clients connected, and has nothing to recover, after a stop and a new plan; goes on when a server dies', async () => {
    const data = dataFolderForTest();
    const { server, addon, url, folder } = await withDatabase(data);
    psql(url, 'CREATE TABLE kept (a int)', 'INSERT INTO kept VALUES (7)');
    const stay = () => {
      const client = spawn('psql', ['-X', url], { stdio: ['pipe', 'pipe', 'ignore'] });
      client.stdin.on('error', () => {});
      client.stdin.write("SELECT 'connected';\n");
      onTestFinished(() => void client.kill('SIGKILL'));
      return new Promise((resolve) => client.stdout.once('data', resolve));
    };
    await stay();
    await server.request('PATCH', `/addons/${addon.name}`, { plan: 'heroku-postgresql:essential-0' });
    expect(psql(url, 'SHOW max_connections', 'SELECT a FROM kept')).toBe('20\n7');
    await stay();
    await server.close();
    const second = await startServerForTest({ data });
    await until('an answer', () => answers(url));
    await stay();
    const leader = leaderOf(folder);
    await second.kill();
    const third = await startServerForTest({ data });
    await until('an answer', () => answers(url));
    expect(leaderOf(folder)).toBe(leader);
    expect(psql(url, 'SELECT a FROM kept')).toBe('7');
    const all = (await lines(third)).join('\n');
    expect(all.match(/received fast shutdown request/g)).toHaveLength(2);
    expect(all.match(/database system was shut down at/g)?.length).toBeGreaterThanOrEqual(3);
    expect(all).not.toMatch(/not properly shut down|interrupted|recovery/);
  });

  it('starts again when its first process is killed and another is at work on a query, whatever its lock file says', async () => {
    const data = dataFolderForTest();
    const { server, url, folder } = await withDatabase(data, container);
    const busy = spawn('psql', ['-X', url, '-c', 'SELECT pg_sleep(600)'], { stdio: 'ignore' });
    onTestFinished(() => void busy.kill('SIGKILL'));
    const backend = await until(
      'a query',
      () =>
        Number(psql(url, "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")) ||
        undefined,
    );
    // One that stands still doesn't notice that its server is gone.
    process.kill(backend, 'SIGSTOP');
    const before = leaderOf(folder);
    process.kill(before, 'SIGKILL');
    await until('an answer', () => answers(url));
    expect(leaderOf(folder)).not.toBe(before);
    expect(statusOf(backend)).toMatch(/^$|State:\tZ/);
    await server.close();

    // A number that is another process's by now, of the same user.
    const other = spawn('sleep', ['600'], isRoot ? { uid: lstatSync(folder).uid } : {});
    onTestFinished(() => void other.kill('SIGKILL'));
    const lock = `${other.pid}\n${folder}\n1\n${new URL(url).port}\n\nlocalhost\n  1 1\nready\n`;
    writeFileSync(join(folder, 'postmaster.pid'), lock);
    await startServerForTest({ data, ...container });
    await until('an answer', () => answers(url));
    expect(other.exitCode).toBeNull();
  });

  it('isn’t started on data of another major version: they stay as they are, and it is said what to install', async () => {
    const data = dataFolderForTest();
    const { server, addon, url, folder } = await withDatabase(data);
    psql(url, 'CREATE TABLE kept (a int)');
    await server.close();
    const version = readFileSync(join(folder, 'PG_VERSION'), 'utf8');
    writeFileSync(join(folder, 'PG_VERSION'), '99\n');
    const before = snapshot(folder);
    const second = await startServerForTest({ data });
    const said = await until('the sentence', async () =>
      (await lines(second)).find((line) => line.includes('of PostgreSQL 99')),
    );
    expect(said).toMatch(
      new RegExp(
        `app\\[postgres\\.1\\]: The data of ${addon.name} are of PostgreSQL 99, and the server has ${version.trim()}: install PostgreSQL 99 beside it \\(postgresql-99\\), and restart tailrace\\. Nothing was changed\\.`,
      ),
    );
    expect(snapshot(folder)).toEqual(before);
    await second.close();
    writeFileSync(join(folder, 'PG_VERSION'), version);
    await startServerForTest({ data });
    await until('an answer', () => answers(url));
    expect(psql(url, 'SELECT count(*) FROM kept')).toBe('0');
  });

  it('listens on another port when its own is taken, and the app is released with it', async () => {
    const data = dataFolderForTest();
    const { server, url } = await withDatabase(data);
    psql(url, 'CREATE TABLE kept (a int)');
    await server.close();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(Number(new URL(url).port), '127.0.0.1', resolve));
    onTestFinished(() => void taken.close());
    const second = await startServerForTest({ data });
    const now = await urlOf(second);
    expect(new URL(now).port).not.toBe(new URL(url).port);
    await until('an answer', () => answers(now));
    expect(psql(now, 'SELECT count(*) FROM kept')).toBe('0');

    const client = await runTailrace(['pg:psql', '-a', APP], { env: { ...second.env, PATH: data } });
    expect([client.status, client.stderr.trim()]).toEqual([
      1,
      expect.stringContaining('psql is not installed here: apt-get install postgresql-client'),
    ]);
  });
});

/** Every file below a folder, with its size and when it was changed. */
function snapshot(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const { size, mtimeMs, uid } = lstatSync(join(folder, name));
      return `${name} ${size} ${mtimeMs} ${uid}`;
    });
}
