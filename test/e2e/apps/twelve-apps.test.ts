import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { GitRepository } from '../../support/git-repository.ts';
import { missing } from '../../support/program.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';
import { packGems } from './builds/pack-gems.ts';

const FIXTURES = join(import.meta.dirname, '..', '..', 'fixtures', 'apps');
/** Requests that are under way at a time, and the pause behind each. */
const CLIENTS = 2;
const PAUSE_MS = 160;

let server: Server;
beforeAll(async () => {
  const { NODE_EXTRA_CA_CERTS } = process.env;
  server = await startServer({ env: NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS } });
});
afterAll(() => server?.close());

/** What an app needs beside its files. */
interface TakenApp {
  readonly name: string;
  /** Programs that it can't be built or run without. */
  readonly programs?: readonly string[];
  readonly config?: readonly string[];
  readonly addons?: readonly string[];
  /** Before the first push: makes files that depend on this machine. */
  readonly prepare?: (folder: string) => void;
  /** Of the second version, behind its deploy. */
  readonly look?: () => Promise<void>;
}

/** Debian's packages: no index is asked. */
const DEBIAN_PYTHON = ['PYTHON=/usr/bin/python3', 'PYTHON_SYSTEM_PACKAGES=yes'];

const APPS: readonly TakenApp[] = [
  { name: 'express' },
  { name: 'pnpm' },
  { name: 'yarn' },
  { name: 'vite' },
  { name: 'fastify', look: lookAtSocketsAndEvents },
  { name: 'flask', programs: ['gunicorn'], config: DEBIAN_PYTHON },
  {
    name: 'django',
    programs: ['django-admin', 'celery', 'gunicorn', 'redis-server'],
    config: [...DEBIAN_PYTHON, 'SECRET_KEY=not a secret'],
    addons: ['redis'],
    look: lookAtStaticFilesAndTasks,
  },
  { name: 'go', programs: ['go'] },
  { name: 'ruby', programs: ['bundle'], prepare: lockGems },
  { name: 'bash' },
  { name: 'monorepo' },
];

describe.each(APPS)(
  '$name',
  { timeout: 300_000 },
  ({ name, programs = [], config, addons, prepare, look }) => {
    it.skipIf(missing(...programs))(
      'is deployed twice, scaled, rolled back and destroyed without a failed request',
      async () => {
        const app = `${name}-app`;
        const repository = new GitRepository(server, { '.gitignore': 'node_modules\n' });
        cpSync(join(FIXTURES, name), repository.folder, { recursive: true });
        prepare?.(repository.folder);
        repository.commit({});
        const t = async (...args: string[]) => {
          const result = await repository.tailrace(...args);
          if (result.status !== 0) throw new Error(`${args.join(' ')}: ${result.stdout}${result.stderr}`);
          return result.stdout;
        };
        await t('create', app);
        for (const addon of addons ?? []) await t('addons:create', addon);
        if (config) await t('config:set', ...config);

        const pushed = await repository.push();
        expect(pushed.stderr).toMatch(/deployed to Tailrace/);
        expect(pushed.status).toBe(0);
        expect((await fetchPage(app)).text).toContain(`${name} one`);
        const first = await currentVersion(app);
        if (addons) await t('scale', 'worker=1');

        const load = new Load(app);
        onTestFinished(() => load.stop());
        repository.write({ 'version.txt': 'two\n' });
        expect(await t('push')).toMatch(/deployed to Tailrace/);
        await until('the second version', async () => (await fetchPage(app)).text.includes(`${name} two`));
        await t('scale', 'web=2');
        await t('ps:wait', '-w', '0.3');
        await look?.();
        await t('rollback', `v${first}`);
        await until('the first version again', async () =>
          (await fetchPage(app)).text.includes(`${name} one`),
        );
        await t('ps:wait', '-w', '0.3');
        await until('more than some requests', () => load.answered > 20);
        await load.stop();
        expect(load.failures, await story(app)).toEqual([]);
        expect(await t('destroy', app, '--confirm', app)).toMatch(/done/);
        await expect(server.request('GET', `/apps/${app}`)).rejects.toThrow(/Couldn't find that app/);
      },
    );
  },
);

describe('worker', { timeout: 300_000 }, () => {
  it('an app without web dynos is deployed twice, scaled, rolled back and destroyed', async () => {
    const repository = new GitRepository(server, { '.gitignore': 'node_modules\n' });
    cpSync(join(FIXTURES, 'worker'), repository.folder, { recursive: true });
    repository.commit({});
    await repository.tailrace('create', 'worker');
    const app = { id: '', name: 'worker', token: '' };
    /** Of dynos that have started since then. */
    const says = (text: string, from: number) =>
      until(text, async () => (await server.readMessages(app)).slice(from).includes(text));
    expect((await repository.push()).status).toBe(0);
    expect((await fetchPage('worker')).status).toBe(503);
    await repository.tailrace('scale', 'worker=2');
    await says('worker one', 0);
    repository.write({ 'version.txt': 'two\n' });
    expect((await repository.tailrace('push')).status).toBe(0);
    await says('worker two', 0);
    await says('worker done', 0);
    const { length } = await server.readMessages(app);
    expect((await repository.tailrace('rollback')).stdout).toMatch(/done/);
    await says('worker one', length);
    expect((await repository.tailrace('destroy', 'worker', '--confirm', 'worker')).status).toBe(0);
  });
});

/** What the platform has said of an app, without requests that went well. */
async function story(name: string): Promise<string> {
  const lines = await server.readLines({ id: '', name, token: '' });
  return lines.filter((line) => !/ app\[build\]| heroku\[router\]: at=info/.test(line)).join('\n');
}

async function fetchPage(app: string, path = '/', dispatcher?: Agent) {
  const answer = await request(`http://127.0.0.1:${server.routerPort}${path}`, {
    headers: { host: `${app}.localhost` },
    dispatcher,
  });
  return { status: answer.statusCode, text: await answer.body.text() };
}

async function currentVersion(app: string): Promise<number> {
  const all = await server.request<{ version: number; current: boolean }[]>('GET', `/apps/${app}/releases`);
  return all.find(({ current }) => current)?.version ?? 0;
}

/** Some clients that ask one after the other until they are stopped. */
class Load {
  readonly failures: string[] = [];
  answered = 0;
  private stopped = false;
  private readonly agent = new Agent();
  private readonly clients: Promise<unknown>;

  constructor(app: string) {
    this.clients = Promise.all(Array.from({ length: CLIENTS }, () => this.ask(app)));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.clients;
    if (!this.agent.destroyed) await this.agent.destroy();
  }

  private async ask(app: string): Promise<void> {
    while (!this.stopped) {
      const { status, text } = await fetchPage(app, '/', this.agent).catch((error: unknown) => ({
        status: 0,
        text: String(error),
      }));
      this.answered += 1;
      if (status !== 200 && this.failures.length < 20) this.failures.push(`${status} ${text.slice(0, 200)}`);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

async function lookAtSocketsAndEvents(): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.routerPort}/echo`, {
    headers: { host: 'fastify-app.localhost' },
  });
  const echoed = await new Promise((resolve, reject) => {
    socket.on('open', () => socket.send('hello'));
    socket.on('message', (data) => resolve(String(data)));
    socket.on('error', reject);
  });
  socket.close();
  expect(echoed).toBe('echo hello');
  const answer = await request(`http://127.0.0.1:${server.routerPort}/events`, {
    headers: { host: 'fastify-app.localhost' },
  });
  let text = '';
  for await (const chunk of answer.body) {
    text += chunk;
    if (text.includes('event 2')) break;
  }
  expect(text).toMatch(/^data: event 1\n\ndata: event 2\n/);
}

async function lookAtStaticFilesAndTasks(): Promise<void> {
  expect((await fetchPage('django-app', '/static/style.css')).text).toMatch(/color: teal/);
  expect(await fetchPage('django-app', '/sum')).toEqual({ status: 200, text: 'sum 5' });
}

/** Gems of Debian as the app's own, and a lock file that names them. */
function lockGems(folder: string): void {
  const specs = packGems(folder);
  writeFileSync(
    join(folder, 'Gemfile.lock'),
    `GEM
  remote: https://index.invalid/
  specs:
${specs.join('\n')}

PLATFORMS
  ruby

DEPENDENCIES
  rake
  webrick

BUNDLED WITH
   2.3.15
`,
  );
}
