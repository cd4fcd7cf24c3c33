/** `tailrace backup` and `tailrace restore`, as whoever runs a server uses them: while it runs, into either store, and what is refused. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fetchFromApp, GitRepository } from '../../support/git-repository.ts';
import { Program, runProgram, runTailrace, TAILRACE } from '../../support/program.ts';
import { startHttpReceiver } from '../../support/receivers/receivers.ts';
import { hasRedis, RedisServer } from '../../support/redis/redis-server.ts';
import { type App, dataFolderForTest, type Server, startServerForTest } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const ADA = { email: 'ada@example.com', role: 'owner' };

async function push(server: Server, app: App, ...lines: string[]): Promise<void> {
  const answer = await fetch(`${server.url}/logs`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`token:${app.token}`)}`, 'content-type': 'text/plain' },
    body: `${lines.join('\n')}\n`,
  });
  expect(answer.status).toBe(204);
}

/** What was pushed, each line with its number, its time and the rest. */
async function pushedLines(server: Server, app: App): Promise<string[]> {
  const all = await server.readLines(app, 'lines=1000&format=json&source=app');
  return all.filter((line) => JSON.parse(line).dyno !== 'api');
}

async function signIn(server: Server, path: string, token?: string): Promise<number> {
  const body = JSON.stringify({ email: ADA.email, password: 'correct horse battery', token });
  const headers = { 'content-type': 'application/json' };
  return (await fetch(server.url + path, { method: 'POST', headers, body })).status;
}

/** With what is written to its standard error, when it was refused. */
async function tailrace(args: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = await runTailrace(args, { env });
  return { status, text: stdout + stderr };
}

const isRunning = (server: Server): Record<string, string> => ({
  TAILRACE_URL: server.url,
  TAILRACE_API_KEY: server.key,
});

describe.runIf(hasRedis)('a backup', () => {
  it('is made while the server runs, goes on from one before, and is restored into a folder and into Redis', {
    timeout: 240_000,
  }, async () => {
    const redis = await RedisServer.start({ config: ['appendonly yes'] });
    onTestFinished(() => redis.remove());
    const [folder, other, third, files] = [0, 1, 2, 3].map(() => dataFolderForTest());
    const receiver = await startHttpReceiver();
    const before = await startServerForTest({ data: folder });
    const app = await before.createApp('shop');
    await before.createApp('silent');
    await before.request('PATCH', '/apps/shop/config-vars', { SECRET: 'rosebud' });
    await before.createDrain(app, receiver.url);
    const { invitation_url: link } = await before.request<{ invitation_url: string }>('POST', '/people', ADA);
    expect(await signIn(before, '/invitations/accept', link.split('=')[1])).toBe(201);
    await push(before, app, 'one', 'two');
    await until('the drain has them', () => receiver.acceptedMessages().length === 2);

    const [first, second] = [join(files, 'monday.tar'), join(files, 'tuesday.tar')];
    const made = await tailrace(['backup', first], isRunning(before));
    expect(made).toMatchObject({
      status: 0,
      text: expect.stringMatching(/^Backed up 3 apps with \d+ lines/),
    });
    expect(statSync(first).mode & 0o777).toBe(0o600);
    await push(before, app, 'three');
    await until('the drain has it', () => receiver.acceptedMessages().length === 3);
    // The drain's cursor is written a moment later.
    await until('its cursor', async () => {
      const [{ delivery }] = await before.listDrains(app);
      return delivery.lagLines === 0;
    });
    const next = await tailrace(['backup', second, '--since', first], isRunning(before));
    expect(next).toMatchObject({ status: 0, text: expect.stringContaining('keep that one, too') });
    const lines = await pushedLines(before, app);
    expect(lines).toHaveLength(3);
    expect(readdirSync(files).sort()).toEqual(['monday.tar', 'tuesday.tar']);
    const audit = await before.readMessages({ id: '', name: 'tailrace-audit', token: '' });
    expect(audit.filter((line) => line.startsWith('action="Back up everything"'))).toHaveLength(2);

    // What comes after the backup is delivered, and lost here: others will have these numbers.
    await push(before, app, 'lost');
    await until('the drain has it', () => receiver.acceptedMessages().length === 4);
    await before.kill();

    const checked = await tailrace(['restore', second, '--dir', other, '--dry-run']);
    expect(checked).toMatchObject({
      status: 0,
      text: expect.stringMatching(/tuesday.tar is whole\..*- shop: \d+ lines/s),
    });
    expect(readdirSync(other)).toEqual([]);
    const restored = await tailrace(['restore', second, '--to', redis.url, '--dir', other]);
    expect(restored).toMatchObject({ status: 0, text: expect.stringContaining('into Redis:') });
    const there = await startServerForTest({ data: other, env: { REDIS_URL: redis.url } });
    expect(await pushedLines(there, app)).toEqual(lines);
    expect(await there.request('GET', '/apps/shop/config-vars')).toEqual({ SECRET: 'rosebud' });
    expect(await signIn(there, '/session')).toBe(200);
    expect(await there.tokenOf('shop', 'app')).toBe(app.token);
    await push(there, app, 'four');
    await until('the drain goes on', () => receiver.acceptedMessages().includes('four'));
    // None twice, but for what its cursor didn't know yet when the backup was made; and no request has another one's name.
    const names = new Map<string, string>();
    for (const { frameId, body } of receiver.requests) {
      expect(names.get(frameId) ?? body).toBe(body);
      names.set(frameId, body);
    }
    const [{ delivery }] = await there.listDrains(app);
    expect(delivery.lost).toBe(0);

    const running = await tailrace(['restore', second, '--to', redis.url, '--dir', third]);
    expect(running).toMatchObject({ status: 1, text: expect.stringContaining('Routers run on the target') });
    const fromRedis = join(files, 'redis.tgz');
    expect(await tailrace(['backup', fromRedis], isRunning(there))).toMatchObject({ status: 0 });
    await there.close();
    const json = JSON.parse((await tailrace(['restore', fromRedis, '--dir', third, '--json'])).text);
    expect(json.streams).toContainEqual(expect.objectContaining({ name: 'shop', tooOld: 0 }));
    const again = await startServerForTest({ data: third });
    expect((await pushedLines(again, app)).slice(0, 3)).toEqual(lines);
    expect((await again.readMessages(app)).at(-1)).toBe('four');
  });

  it('is made of a stopped server, and restored in place of another only when that is said', {
    timeout: 240_000,
  }, async () => {
    const [folder, other, files] = [0, 1, 2].map(() => dataFolderForTest());
    const server = await startServerForTest({ data: folder });
    const app = await server.createApp('shop');
    await push(server, app, 'one');
    const viewer = await server.request<{ access_token: { token: string } }>(
      'POST',
      '/oauth/authorizations',
      {
        scope: ['read', 'read-protected', 'write'],
      },
    );
    const file = join(files, 'all.tar');
    const env = { TAILRACE_URL: server.url, TAILRACE_API_KEY: viewer.access_token.token };
    expect(await tailrace(['backup', file], env)).toMatchObject({
      status: 1,
      text: expect.stringContaining('admin'),
    });
    expect(await tailrace(['restore', file, '--dir', folder])).toMatchObject({ status: 1 });
    expect(readdirSync(files)).toEqual([]);
    // To standard output, and ended in the middle: nothing that looks whole.
    const piped = new Program(
      'sh',
      ['-c', `"$0" "$@" > ${file}.piped`, process.execPath, TAILRACE, 'backup', '-'],
      {
        env: isRunning(server),
      },
    );
    expect((await piped.exited).status).toBe(0);
    expect(await tailrace(['restore', `${file}.piped`, '--dry-run'])).toMatchObject({ status: 0 });
    await server.close();

    expect(await tailrace(['backup', file, '--dir', folder])).toMatchObject({ status: 0 });
    expect(await tailrace(['backup', file, '--since', file])).toMatchObject({ status: 1 });
    const nowhere = await tailrace(['backup', join(files, 'no', 'such.tar'), '--dir', folder]);
    expect(nowhere).toMatchObject({
      status: 1,
      text: expect.stringContaining("such.tar can't be written (ENOENT)"),
    });
    const pipe = join(files, 'no-file');
    execFileSync('mkfifo', [pipe]);
    expect(await tailrace(['backup', pipe, '--dir', folder])).toMatchObject({
      status: 1,
      text: expect.stringContaining(
        'no-file is no file: name one, or write - and lead standard output there.',
      ),
    });
    expect(statSync(pipe).isFIFO()).toBe(true);
    execFileSync('tar', ['-tf', file]);

    const occupied = await startServerForTest({ data: other });
    await occupied.createApp('mine');
    const busy = await tailrace(['restore', file, '--dir', other, '--replace']);
    expect(busy).toMatchObject({
      status: 1,
      text: expect.stringContaining(`another tailrace (process ${occupied.program.pid})`),
    });
    await occupied.close();
    const refused = await tailrace(['restore', file, '--dir', other]);
    expect(refused).toMatchObject({
      status: 1,
      text: expect.stringMatching(/already holds apps \(.*mine.*--replace/),
    });
    const half = join(files, 'half.tar');
    writeFileSync(half, readFileSync(file));
    truncateSync(half, 5_000);
    const damaged = await tailrace(['restore', half, '--dir', other, '--replace']);
    expect(damaged).toMatchObject({
      status: 1,
      text: expect.stringContaining('half.tar is damaged (its end is missing'),
    });

    const replaced = await tailrace(['restore', file, '--dir', other, '--replace']);
    expect(replaced).toMatchObject({
      status: 0,
      text: expect.stringMatching(/- shop: 1 line\n.*What was there is in .*replaced/s),
    });
    const [aside] = readdirSync(join(other, 'replaced'));
    expect(existsSync(join(other, 'replaced', aside, 'store.mdb'))).toBe(true);
    const after = await startServerForTest({ data: other });
    const apps = await after.request<{ name: string }[]>('GET', '/apps');
    expect(apps.map(({ name }) => name)).toContain('shop');
    expect(apps.map(({ name }) => name)).not.toContain('mine');
    expect(await after.readMessages(app)).toEqual(['one']);
  });

  it('is of a time when less was pushed: what came after it can be pushed again', {
    timeout: 240_000,
  }, async () => {
    const [folder, files] = [0, 1].map(() => dataFolderForTest());
    const server = await startServerForTest({ data: folder });
    const repository = new GitRepository(server);
    await repository.tailrace('create', 'pushed');
    expect((await repository.push()).stderr).toContain('Released v2');
    const backup = join(files, 'first.tar');
    expect(await tailrace(['backup', backup], isRunning(server))).toMatchObject({ status: 0 });
    repository.commit({ 'version.txt': 'two\n' });
    expect((await repository.push()).stderr).toContain('Released v3');
    await server.close();

    const replaced = await tailrace(['restore', backup, '--dir', folder, '--replace', '--json']);
    expect(replaced.status).toBe(0);
    const { moved_to: movedTo } = JSON.parse(replaced.text);
    expect(readdirSync(movedTo).sort()).toEqual(
      expect.arrayContaining(['host', 'repositories', 'store.mdb', 'streams']),
    );
    const again = await startServerForTest({ data: folder });
    repository.git(
      'remote',
      'set-url',
      'tailrace',
      `${again.url.replace('//', `//key:${again.key}@`)}/pushed.git`,
    );
    const pushed = await repository.push();
    expect(pushed.stderr).toContain('Released v3');
    await until('what was pushed', async () => (await fetchFromApp(again, 'pushed')).version === 'two');
    await again.close();

    // The store is lost, and with it what would have to be replaced.
    for (const name of ['store.mdb', 'store.mdb-lock']) rmSync(join(folder, name));
    rmSync(join(folder, 'streams'), { recursive: true });
    expect(await tailrace(['restore', backup, '--dir', folder])).toMatchObject({
      status: 0,
      text: expect.stringMatching(/What was there is in .*replaced/),
    });
    expect(existsSync(join(folder, 'repositories'))).toBe(false);
  });

  it('that can’t be restored to its end says where that is which was there', {
    timeout: 120_000,
  }, async () => {
    const [folder, files] = [0, 1].map(() => dataFolderForTest());
    const server = await startServerForTest({ data: folder });
    const repository = new GitRepository(server);
    await repository.tailrace('create', 'kept');
    expect((await repository.push()).stderr).toContain('Released v2');
    const backup = join(files, 'first.tar');
    expect(await tailrace(['backup', backup], isRunning(server))).toMatchObject({ status: 0 });
    await server.close();
    // Where slugs go nothing can be written.
    const broken = `rm -rf host/slugs && ln -s /proc/nowhere host/slugs && exec "$0" "$@"`;
    const args = ['-c', broken, process.execPath, TAILRACE, 'restore', backup, '--dir', folder];
    const failed = await runProgram('sh', [...args, '--replace'], { cwd: folder });
    expect(failed).toMatchObject({ status: 1, stdout: '' });
    expect(failed.stderr).toMatch(
      /host\/slugs.* can't be written: .* What was there before is in \S+\/replaced\//,
    );
    rmSync(join(folder, 'host', 'slugs'), { force: true });
    expect(await tailrace(['restore', backup, '--dir', folder])).toMatchObject({ status: 0 });
  });
});
