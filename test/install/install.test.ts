/**
 * From the sources to a server that runs, as whoever installs it goes: the image's steps are played in a folder, what they pack is installed with
 * npm, and run, on each version of Node.js, and as process 1.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { validate } from 'dockerfile-utils';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { Container, execForm, isIgnored, readIgnoreFile, readStages } from '../support/image/container.ts';
import { missing, Program, runProgram } from '../support/program.ts';
import { temporaryFolder } from '../support/server.ts';
import { until } from '../support/until.ts';
import { firstDay } from './first-day.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const DOCKERFILE = readFileSync(join(ROOT, 'deploy', 'Dockerfile'), 'utf8');
const [build, image] = readStages(DOCKERFILE);
/** With this machine's way to the registry. */
const NPM_ENV = { ...process.env, HOME: '/tmp', TMPDIR: '/tmp', npm_config_update_notifier: 'false' };
/** Everything is compiled, or started four times, beside other tests. */
const BUILD_TIMEOUT_MS = 400_000;
const isRoot = process.getuid?.() === 0;
const cannot = !isRoot || missing('bwrap', 'tini', 'man', 'setpriv', 'nsenter', 'dpkg', 'systemd-sysusers');
if (cannot && process.env.CI) throw new Error('the image’s steps need root');

describe.skipIf(cannot)('what is installed', () => {
  const folder = temporaryFolder();
  const packages = join(ROOT, 'node_modules');
  // The page's builder writes beside its packages.
  const viteFolder = '.vite-temp';
  const builder = new Container(join(folder, 'build'), { '/src/node_modules': packages }, [
    `/src/node_modules/${viteFolder}`,
  ]);
  const container = new Container(join(folder, 'image'));
  /** The package where `npm install --global` has put it. */
  const installed = builder.path('/out/lib/node_modules/tailrace');
  /** The same where no folder above has packages: what is missing would be found there. */
  const prefix = join(folder, 'prefix');
  const said: string[] = [];

  beforeAll(async () => {
    mkdirSync(join(packages, viteFolder), { recursive: true });
    for (const path of ['/src/node_modules', '/out', '/tmp'])
      mkdirSync(builder.path(path), { recursive: true });
    const patterns = readIgnoreFile(join(ROOT, '.dockerignore'));
    for (const { name, args } of build) {
      if (name === 'COPY') builder.copy(ROOT, args, '/src', (path) => isIgnored(path, patterns));
      if (name !== 'RUN') continue;
      const result = await builder.run(['sh', '-c', args], { env: NPM_ENV, workdir: '/src' });
      said.push(result.stdout + result.stderr);
      expect(result.status, `${args}\n${said.at(-1)}`).toBe(0);
    }
    cpSync(builder.path('/out'), prefix, { recursive: true, verbatimSymlinks: true });
    chmodSync(prefix, 0o777);
  }, BUILD_TIMEOUT_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is made of what the image’s context holds, and npm warns of nothing', () => {
    expect(readdirSync(builder.path('/src')).sort()).toEqual(
      expect.not.arrayContaining(['bench', 'test', 'examples', '.git', '.ci']),
    );
    expect(existsSync(builder.path('/src/docs/images'))).toBe(false);
    expect(said.join('')).not.toMatch(/warn|deprecat|install-scripts/i);
    expect(said.at(-1)).toMatch(/added \d packages/);
  });

  it('has docs, deploy files and the man page, and nothing that it doesn’t need', async () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter(
      (path) => !path.startsWith('node_modules'),
    );
    for (const file of [
      'docs/README.md',
      'docs/install.md',
      'deploy/Dockerfile',
      'deploy/tailrace.service',
      'dist/bundle/LICENSES.txt',
      'dist/man/tailrace.1',
      'SECURITY.md',
    ])
      expect(files).toContain(file);
    expect(files.filter((path) => /\.map$|\.ts$|(^|\/)(test|bench|src\/web)\//.test(path))).toEqual([]);
    const [packed] = readdirSync(builder.path('/tmp')).filter((name) => name.endsWith('.tgz'));
    expect(readFileSync(builder.path(`/tmp/${packed}`)).length).toBeLessThan(4_500_000);
  });

  it('has a man page that man shows without a complaint, with every command and setting', async () => {
    const page = join(installed, 'dist', 'man', 'tailrace.1');
    const env = { MANWIDTH: '80', LC_ALL: 'C.UTF-8' };
    const { status, stdout, stderr } = await runProgram('man', ['--warnings', '--local-file', page], { env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const help = await runProgram(join(installed, 'bin', 'tailrace'), ['--help']);
    const commands = [...help.stdout.matchAll(/^ {2}([a-z][\w:-]*)/gm)].map(([, name]) => name);
    expect(commands.length).toBeGreaterThan(100);
    for (const name of commands) expect(stdout).toMatch(new RegExp(`^ {3}${name}\\b`, 'm'));
    for (const [, variable] of readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(
      /^\| `([A-Z_]+)` +\|/gm,
    ))
      expect(stdout).toContain(variable);
  });

  it('runs an app for an ordinary user, beside nothing else', async () => {
    const home = join(folder, 'home');
    mkdirSync(join(home, 'app'), { recursive: true });
    for (const path of [folder, home, join(home, 'app')]) chmodSync(path, 0o777);
    const env = {
      PATH: `${join(prefix, 'bin')}:/usr/bin:/bin`,
      HOME: home,
      TMPDIR: home,
      TAILRACE_HTTP_PORT: '0',
      TAILRACE_SYSLOG_PORT: '0',
      TAILRACE_ROUTER_PORT: '0',
    };
    const asUser = ['--reuid=12345', '--regid=12345', '--clear-groups', '--no-new-privs', '--', 'tailrace'];
    await runProgram('sh', ['-c', 'printf "worker: echo ready; exec sleep 1000\\n" > Procfile'], {
      cwd: join(home, 'app'),
    });
    const cwd = join(home, 'app');
    const app = new Program('setpriv', [...asUser, 'start'], { env, cwd });
    onTestFinished(async () => void (await app.stop('SIGKILL')));
    await app.waitForOutput(/ready/);
    const logs = await runProgram('setpriv', [...asUser, 'logs'], { env, cwd });
    expect(logs).toMatchObject({ status: 0, stdout: expect.stringMatching(/app\[worker\.1\]: ready/) });
    expect(await app.stop('SIGINT')).toMatchObject({ status: 0, stderr: '' });
  });

  it(
    'works on every version of Node.js that is supported',
    async () => {
      const script = join(ROOT, 'scripts', 'node-versions.mjs');
      const { status, stdout, stderr } = await runProgram(
        process.execPath,
        [script, '--package', installed],
        {
          env: process.env,
        },
      );
      expect({ status, stderr, versions: stdout.match(/^v\d+\S+ passed$/gm)?.length, stdout }).toEqual({
        status: 0,
        stderr: '',
        versions: 4,
        stdout,
      });
    },
    BUILD_TIMEOUT_MS,
  );

  it('is a Debian package with a Node.js, a unit and a user of its own, which is removed without its data', async () => {
    const script = join(ROOT, 'scripts', 'deb.mjs');
    const args = [script, '--package', installed, '--out', folder, '--compression', 'none'];
    const made = await runProgram(process.execPath, args, { env: process.env });
    expect(made).toMatchObject({ status: 0, stderr: '' });
    const root = join(folder, 'debian');
    for (const path of ['info', 'updates']) mkdirSync(join(root, 'var/lib/dpkg', path), { recursive: true });
    writeFileSync(join(root, 'var/lib/dpkg/status'), '');
    // What it depends on isn't in this root; its scripts know that they work on another one.
    const how = [`--root=${root}`, '--force-script-chrootless', '--force-depends', '--log=/dev/null'];
    const dpkg = async (...command: string[]): Promise<string> => {
      const { status, stdout, stderr } = await runProgram('dpkg', [...how, ...command]);
      expect(status, `${stdout}${stderr}`).toBe(0);
      return stdout;
    };
    await dpkg('--install', made.stdout.trim());
    expect(await dpkg('--verify', 'tailrace')).toBe('');
    const [, uid] = /^tailrace:x:(\d+):/m.exec(readFileSync(join(root, 'etc/passwd'), 'utf8')) ?? [];
    const data = statSync(join(root, 'var/lib/tailrace'));
    expect([data.uid, data.mode & 0o777]).toEqual([Number(uid), 0o700]);
    expect(statSync(join(root, 'etc/tailrace.env')).mode & 0o777).toBe(0o600);
    for (const file of ['lib/systemd/system/tailrace.service', 'share/man/man1/tailrace.1.gz'])
      expect(existsSync(join(root, 'usr', file))).toBe(true);

    // As its unit starts it: as that user, with that folder.
    const unit = readFileSync(join(root, 'usr/lib/systemd/system/tailrace.service'), 'utf8');
    const [, command] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
    chmodSync(folder, 0o755);
    const ids = [`--reuid=${uid}`, `--regid=${data.gid}`, '--clear-groups', '--'];
    const env = {
      TAILRACE_DATA: join(root, 'var/lib/tailrace'),
      TAILRACE_HTTP_PORT: '0',
      TAILRACE_SYSLOG_PORT: '0',
      TAILRACE_ROUTER_PORT: '0',
    };
    const server = new Program('setpriv', [...ids, ...join(root, command).split(' ')], { env });
    onTestFinished(async () => void (await server.stop('SIGKILL')));
    await server.waitForOutput(/tailrace serves on/);
    expect(readlinkSync(`/proc/${server.pid}/exe`)).toBe(join(root, 'usr/lib/tailrace/node/bin/node'));
    expect(await server.stop('SIGTERM')).toMatchObject({ status: 0, stderr: '' });

    // Settings outlive an upgrade, and lines the package.
    writeFileSync(join(root, 'etc/tailrace.env'), 'TAILRACE_HOST=0.0.0.0\n');
    await dpkg('--install', made.stdout.trim());
    expect(readFileSync(join(root, 'etc/tailrace.env'), 'utf8')).toBe('TAILRACE_HOST=0.0.0.0\n');
    expect(await dpkg('--purge', 'tailrace')).toContain('left in /var/lib/tailrace');
    expect(existsSync(join(root, 'usr/lib/tailrace'))).toBe(false);
    expect(existsSync(join(root, 'var/lib/tailrace/key'))).toBe(true);
  });

  it(
    'takes a team through its first day: people, TLS, a push, a drain, a backup, and a machine that is lost',
    {
      timeout: 240_000,
    },
    () => firstDay(join(prefix, 'bin'), join(folder, 'first-day')),
  );

  describe('as an image', () => {
    const run = image.filter(({ name }) => name === 'RUN').map(({ args }) => args);
    const env = Object.fromEntries(
      image
        .filter(({ name }) => name === 'ENV')
        .flatMap(({ args }) => args.split(' ').map((one) => one.split('=', 2))),
    );

    beforeAll(async () => {
      for (const path of ['/usr/local/bin', '/data']) mkdirSync(container.path(path), { recursive: true });
      for (const { name, args } of image)
        if (name === 'COPY') container.copy(builder.root, args.replace('--from=build ', ''), '/');
      for (const args of run.filter((one) => !one.startsWith('apt-get')))
        expect(await container.run(['sh', '-c', args], { env: NPM_ENV }), args).toMatchObject({ status: 0 });
      chmodSync(folder, 0o755);
    });

    it('has a Dockerfile without mistakes, and installs what it starts', () => {
      expect(validate(DOCKERFILE).map(({ message }) => message)).toEqual([]);
      const packages = run.find((one) => one.startsWith('apt-get'))?.split(/\s+/);
      expect(packages).toEqual(expect.arrayContaining([execForm(image, 'ENTRYPOINT')[0], 'git', 'openssl']));
      expect(image.find(({ name }) => name === 'USER')?.args).toMatch(/^[1-9]\d*:[1-9]\d*$/);
      const ports = image.find(({ name }) => name === 'EXPOSE')?.args.match(/\d+/g);
      const settings = readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(
        /^\| `TAILRACE_\w+_PORT` +\| `(\d+)`/gm,
      );
      const listening = [...settings].map(([, port]) => port).filter((port) => port !== '0');
      expect([...new Set(ports)].sort()).toEqual([...new Set(listening)].sort());
    });

    it('is well as process 1: checked, without zombies, and ended by SIGTERM', async () => {
      const port = await freePort();
      const settings = {
        ...env,
        TMPDIR: '/tmp',
        PATH: '/usr/local/bin:/usr/bin:/bin',
        TAILRACE_HOST: '127.0.0.1',
        TAILRACE_HTTP_PORT: String(port),
        TAILRACE_SYSLOG_PORT: '0',
        TAILRACE_ROUTER_PORT: '0',
      };
      const program = container.start(
        [...execForm(image, 'ENTRYPOINT'), ...execForm(image, 'CMD')],
        settings,
      );
      onTestFinished(async () => void (await program.stop('SIGKILL')));
      await program.waitForOutput(/tailrace serves on/);
      const first = childOf(childOf(program.pid));
      const enter = ['-t', String(first), '-U', '-m', '-p', '-S', '1000', '-G', '1000'];
      const inside = (...command: string[]) =>
        runProgram('nsenter', [...enter, ...command], { env: settings });
      const check = await inside(...execForm(image, 'HEALTHCHECK'));
      expect(check).toMatchObject({ status: 0, stderr: '' });
      expect(JSON.parse(check.stdout)).toMatchObject({ store: { kind: 'embedded' } });
      expect(existsSync(join(container.root, 'data', 'key'))).toBe(true);

      // A process whose parent has ended is process 1's.
      await inside('sh', '-c', '(sleep 0.1 & exec true) & wait');
      await until('no process but the server’s', async () => {
        const { stdout } = await inside('ps', '-e', '-o', 'pid=,stat=,args=');
        return !/ Z|sleep/.test(stdout);
      });
      process.kill(first, 'SIGTERM');
      expect(await program.exited).toMatchObject({ status: 0, stderr: '' });
    });
  });
});

/** The only child of a process. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}
