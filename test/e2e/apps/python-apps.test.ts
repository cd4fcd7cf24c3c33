/** The loop of the talks, with a real Django app, real Celery workers, and real servers as its add-ons. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from '@lydell/node-pty';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { GitRepository } from '../../support/git-repository.ts';
import { missing, Program, TAILRACE } from '../../support/program.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const EXAMPLE = join(import.meta.dirname, '..', '..', '..', 'examples', 'guestbook');
const APP = 'guestbook';
/** As on the slides. */
const ADDONS = ['redis', 'postgresql', 'memcache', 'mailgun', 'sentry'];
let server: Server;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

interface Dyno {
  readonly name: string;
  readonly state: string;
}
const up = async (): Promise<string[]> =>
  (await server.request<Dyno[]>('GET', `/apps/${APP}/dynos`))
    .filter(({ state }) => state === 'up')
    .map(({ name }) => name);

async function page(path = '/'): Promise<{ status: number; text: string }> {
  const { request } = await import('undici');
  const answer = await request(`http://127.0.0.1:${server.routerPort}${path}`, {
    headers: { host: `${APP}.localhost` },
  });
  return { status: answer.statusCode, text: await answer.body.text() };
}

describe.skipIf(missing('django-admin', 'celery', 'redis-server', 'pg_ctlcluster', 'openssl', 'memcached'))(
  'the talks’ demo',
  { timeout: 240_000 },
  () => {
    it('create, push, scale, migrate, requests, logs --tail, run bash', async () => {
      const repository = new GitRepository(server, { '.slugignore': 'README.md\n' });
      cpSync(EXAMPLE, repository.folder, { recursive: true });
      repository.commit({});
      const t = (...args: string[]) => repository.tailrace(...args);
      expect((await t('create', APP)).stdout).toMatch(/Git remote tailrace added/);
      const added = await Promise.all(ADDONS.map((addon) => t('addons:add', addon)));
      expect(added.map(({ stdout }) => /Created \S+ as (.*)/.exec(stdout)?.[1])).toEqual([
        'REDIS_URL',
        'DATABASE_URL',
        'MEMCACHE_SERVERS, MEMCACHE_USERNAME, MEMCACHE_PASSWORD',
        expect.stringContaining('MAILGUN_SMTP_SERVER'),
        'SENTRY_DSN',
      ]);
      // Debian's packages: no index is asked.
      await t('config:add', 'PYTHON=/usr/bin/python3', 'PYTHON_SYSTEM_PACKAGES=yes');

      const pushed = await repository.push();
      expect(pushed.stderr).toMatch(/remote: -----> Python app detected/);
      expect(pushed.stderr).toMatch(/remote: -----> Python 3\.\S+, with the packages of the system/);
      expect(pushed.stderr).toMatch(/Procfile declares types {5}-> web, worker, celery/);
      expect(pushed.status).toBe(0);
      const scaled = await t('scale', 'web=2', 'worker=4', 'celery=1');
      expect(scaled.stdout).toMatch(/now running web=2 worker=4 celery=1/);

      const tail = new Program(process.execPath, [TAILRACE, 'log', '--tail'], {
        cwd: repository.folder,
        env: server.env,
      });
      onTestFinished(async () => void (await tail.stop()));
      const migrated = await t('run', 'python', 'app/manage.py', 'migrate');
      expect(migrated.stdout).toMatch(/Applying guestbook\.0001_initial\.\.\. OK/);
      expect(migrated.status).toBe(0);

      await until('seven dynos', async () => (await up()).length === 7);
      expect((await page('/?text=from+the+test')).text).toContain('<li>from the test</li>');
      await until('both web dynos', async () => /web\.1/.test((await page()).text));
      await until('both web dynos', async () => /web\.2/.test((await page()).text));
      await tail.waitForOutput(
        /heroku\[router\]: at=info method=GET path="\/\?text=from\+the\+test".* status=200/,
      );
      await tail.waitForOutput(/app\[web\.[12]\]: .*"GET \/\?text=from\+the\+test HTTP\/1\.1" 200/);
      await tail.waitForOutput(/app\[celery\.1\]: .*Scheduler: Sending due task count/);
      await tail.waitForOutput(/app\[worker\.[1-4]\]: .*1 entries/);

      expect((await page()).text).toMatch(/from the test.*from the cache/);
      expect((await page('/broken?page=twelve')).status).toBe(500);
      await tail.waitForOutput(/app\[mail\.1\]: .*owner@example\.com.*A new entry/);
      await tail.waitForOutput(/app\[sentry\.1\]: New error: ValueError: invalid literal for int/);
      expect(await pageOfAddon('mailgun', 'api/messages')).toMatch(/A new entry/);
      expect(await pageOfAddon('sentry', 'api/groups')).toMatch(/ValueError/);
      await everyVoiceInOrder(tail);

      await bash(repository.folder);
      // What was deleted there is gone there alone.
      expect((await page()).status).toBe(200);
      expect((await up()).sort()).toEqual(
        ['celery.1', 'web.1', 'web.2', 'worker.1', 'worker.2', 'worker.3', 'worker.4'].sort(),
      );
      const lines = await server.readLines({ id: '', name: APP, token: '' });
      expect(
        lines.filter((line) => / app\[postgres\.1\]: .*ready to accept connections/.test(line)),
      ).toHaveLength(1);
      expect(
        lines.filter((line) => / app\[redis\.1\]: .*Ready to accept connections/.test(line)),
      ).toHaveLength(1);
      expect(lines.join('\n')).not.toMatch(/heroku\[\w+\.\d\]: State changed from up to crashed/);
    });
  },
);

interface AddonView {
  readonly id: string;
  readonly addon_service: { readonly name: string };
}

/** What an add-on's own API answers, over the server's. */
async function pageOfAddon(service: string, path: string): Promise<string> {
  const addons = await server.request<AddonView[]>('GET', `/apps/${APP}/addons`);
  const id = addons.find(({ addon_service: { name } }) => name === service)?.id;
  return JSON.stringify(await server.request('GET', `/addons/${id}/page/${path}`));
}

/** One tail has the lines of all, in the order in which they are stored. */
async function everyVoiceInOrder(tail: Program): Promise<void> {
  const seen = tail.stdout.split('\n').filter((line) => /^\d{4}-\d\d-\d\dT\S+ \S+\[/.test(line));
  const stored = await server.readLines({ id: '', name: APP, token: '' });
  // Each is found behind the one before it: some lines are there twice.
  let place = -1;
  const lost = seen.filter((line) => {
    const next = stored.indexOf(line, place + 1);
    if (next !== -1) place = next;
    return next === -1;
  });
  expect(lost).toEqual([]);
  const voices = new Set(stored.map((line) => /^\S+ (\S+?)(?:\.\d+)?\]/.exec(line)?.[1]));
  for (const voice of [
    'app[web',
    'app[worker',
    'app[celery',
    'app[postgres',
    'app[redis',
    'app[memcached',
    'app[mail',
    'app[sentry',
    'app[api',
    'heroku[router',
    'heroku[web',
  ])
    expect(voices).toContain(voice);
}

/** `run bash` at a terminal: looks around, deletes everything, leaves. */
async function bash(cwd: string): Promise<void> {
  const { PATH, HOME } = process.env;
  const terminal = spawn(process.execPath, [TAILRACE, 'run', 'bash'], {
    cwd,
    env: { PATH, HOME, TERM: 'xterm', ...server.env },
  });
  onTestFinished(() => terminal.kill('SIGKILL'));
  let seen = '';
  terminal.onData((text) => {
    seen += text;
  });
  const ended = new Promise<number>((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
  const sees = (pattern: RegExp) =>
    until(`${pattern} on the terminal`, () => pattern.test(seen)).catch((error: unknown) => {
      throw new Error(`${error}, but ${JSON.stringify(seen)}`);
    });
  await sees(/Running bash on guestbook\.\.\. up, run\.\d+[\s\S]*[#$] /);
  terminal.write('echo "$DYNO $(ls app)"\r');
  await sees(/run\.\d+ guestbook\s+manage\.py/);
  terminal.write('rm -rf app Procfile .venv; echo left: $(ls)\r');
  await sees(/left: requirements\.txt/);
  terminal.write('exit\r');
  expect(await ended).toBe(0);
}

describe('Python apps', () => {
  it('get a virtual environment of their own, whose programs run wherever the slug does', async () => {
    const repository = new GitRepository(server, {
      Procfile: 'worker: sleep 1000\n',
      // No index is needed: the package is in the repository.
      'requirements.txt': '--no-index\n--find-links wheels\nhello==1.0\n',
    });
    wheel(repository.folder);
    repository.commit({});
    const name = `python-${process.pid % 10_000}`;
    await repository.tailrace('create', name);
    await repository.tailrace('config:set', 'PYTHON=/usr/bin/python3');
    const pushed = await repository.push();
    expect(pushed.stderr).toMatch(/Successfully installed hello-1\.0/);
    expect(pushed.status).toBe(0);
    const said = await repository.tailrace('run', 'hello; python -c "import django" 2>&1 | tail -n 1');
    expect(said.stdout).toMatch(/^hello from \S+\/dynos\/\S+\.venv\/bin\/python3?\n/);
    expect(said.stdout).toMatch(/No module named 'django'/);

    await repository.tailrace('config:set', 'PYTHON=python-of-nowhere');
    repository.commit({ 'requirements.txt': '--no-index\nhello==2.0\n' });
    expect((await repository.push()).stderr).toMatch(/There is no Python at "python-of-nowhere"/);
    await repository.tailrace('config:set', 'PYTHON=/usr/bin/python3');
    const failed = await repository.push();
    expect(failed.stderr).toMatch(/pip could not install requirements\.txt[\s\S]*PYTHON_SYSTEM_PACKAGES=yes/);
    expect(failed.status).not.toBe(0);
    expect(existsSync(join(server.data, 'host', 'slugs'))).toBe(true);
  });
});

/** A package with one program, as pip takes it (PEP 427): a zip file, made by Python. */
function wheel(folder: string): void {
  const script = `
import zipfile, os
os.makedirs('wheels')
with zipfile.ZipFile('wheels/hello-1.0-py3-none-any.whl', 'w') as z:
    z.writestr('hello.py', 'import sys\\ndef main(): print("hello from", sys.executable)\\n')
    z.writestr('hello-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: hello\\nVersion: 1.0\\n')
    z.writestr('hello-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    z.writestr('hello-1.0.dist-info/entry_points.txt', '[console_scripts]\\nhello = hello:main\\n')
    z.writestr('hello-1.0.dist-info/RECORD', '')
`;
  execFileSync('/usr/bin/python3', ['-c', script], { cwd: folder });
}
