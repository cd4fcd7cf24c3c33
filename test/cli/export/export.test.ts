/** `tailrace export`: its files are parsed by the tools' own parsers, and run; their lines arrive. */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { signalGroup } from '../../../src/apps/processes/process-group.ts';
import { freePort } from '../../support/free-port.ts';
import { GitRepository } from '../../support/git-repository.ts';
import { missing, runTailrace } from '../../support/program.ts';
import { octetCounted, sendOverTcp } from '../../support/senders/send-lines.ts';
import { type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const APP = 'shop';
const PROGRAM = join(import.meta.dirname, '..', '..', '..', 'bin', 'tailrace');
/** Values that every parser has to keep unchanged. */
const GREETING = `it's "50%" of $HOME \`now\` \\ then`;
const FILES = {
  Procfile: [
    'web: node web.cjs',
    `worker: [[ 1 == 1 ]] && echo "$DYNO says: $GREETING, 100% 'sure'"; exec sleep 1000`,
    'release: true',
    'idle: sleep 1',
    '',
  ].join('\n'),
  'web.cjs': `require('http').createServer((q, r) => r.end('hello')).listen(process.env.PORT, () => console.log('port ' + process.env.PORT))\n`,
};
let server: Server;
let repository: GitRepository;
let folder: string;

beforeAll(async () => {
  server = await startServer();
  folder = temporaryFolder();
});
afterAll(async () => {
  await server?.close();
  execFileSync('rm', ['-rf', folder]);
});

/** Deploys the app once; the repository goes with the first test. */
let deployed: Promise<void> | undefined;
function deploy(): Promise<void> {
  deployed ??= (async () => {
    repository = new GitRepository(server, FILES);
    await repository.tailrace('create', APP);
    await repository.tailrace('config:set', `GREETING=${GREETING}`);
    expect((await repository.tailrace('push')).stdout).toMatch(/Released v3/);
    await repository.tailrace('scale', 'web=2', 'worker=1');
  })();
  return deployed;
}
async function exported(engine: string, ...args: string[]): Promise<{ stdout: string; folder: string }> {
  await deploy();
  const to = join(folder, engine);
  const { stdout, stderr, status } = await runTailrace(['export', engine, to, '-a', APP, ...args], {
    env: server.env,
  });
  expect([status, stderr]).toEqual([0, '']);
  return { stdout, folder: to };
}
const file = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');
const linesOf = (pattern: RegExp) =>
  until(`lines like ${pattern}`, async () => {
    const found = (await server.readLines({ id: '', name: APP, token: '' })).filter((line) =>
      pattern.test(line),
    );
    return found.length > 0 && found;
  });
/** Runs it in a group of its own, until the test is over. */
function run(script: string, cwd: string): void {
  const child = spawn('bash', ['-c', script], {
    cwd,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { PATH: process.env.PATH },
  });
  onTestFinished(() => void signalGroup(child.pid!, 'SIGKILL'));
}
/** Every document of a YAML file, read by PyYAML. */
function documents<T>(text: string): T[] {
  const script = 'import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))';
  return JSON.parse(execFileSync('/usr/bin/python3', ['-c', script], { input: text, encoding: 'utf8' }));
}

describe('export systemd', () => {
  it.skipIf(missing('systemd-analyze'))(
    'writes units that systemd takes, and that run and ship',
    async () => {
      const home = join(folder, 'home');
      mkdirSync(home, { recursive: true });
      for (const [name, text] of Object.entries(FILES)) writeFileSync(join(home, name), text);
      // Of the dyno that is run, the second one.
      const port = await freePort();
      const { stdout, folder: to } = await exported(
        'systemd',
        '--program',
        PROGRAM,
        '-d',
        home,
        '-p',
        String(port - 1),
      );
      expect(stdout).toMatch(/systemctl daemon-reload && systemctl enable --now shop\.target/);
      expect(readdirSync(to).sort()).toEqual(
        [
          'shop-web-1.service',
          'shop-web-2.service',
          'shop-worker-1.service',
          'shop.env',
          'shop.target',
        ].sort(),
      );
      expect(statSync(join(to, 'shop.env')).mode & 0o777).toBe(0o600);
      const units = readdirSync(to).filter((name) => !name.endsWith('.env'));
      // It prints errors on stderr, and fails.
      execFileSync('systemd-analyze', ['verify', '--man=no', ...units.map((name) => join(to, name))], {
        stdio: 'inherit',
      });
      for (const unit of ['shop-worker-1', 'shop-web-2']) {
        const text = file('systemd', `${unit}.service`);
        const [, start] = /^ExecStart=(.*)$/m.exec(text) ?? [];
        const [, environment] = /^Environment=(.*)$/m.exec(text) ?? [];
        // What systemd makes of its doubled signs; its quotes and escapes are the shell's too.
        const line = start.replaceAll('%%', '%').replaceAll('$$', '\\$');
        run(`set -a; . "${join(to, 'shop.env')}"; export ${environment}; ${line}`, home);
      }
      await linesOf(/ app\[worker\.1\]: worker\.1 says: /);
      const said = await linesOf(/ app\[worker\.1\]: worker\.1 says: .*'sure'$/);
      // The dyno on the server prints the same.
      expect(new Set(said.map((line) => line.slice(line.indexOf(' ')))).size).toBe(1);
      expect(said.at(-1)).toContain(`says: ${GREETING}, 100% 'sure'`);
      await linesOf(new RegExp(` app\\[web\\.2\\]: port ${port}$`));
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hello');
    },
  );
});

describe('export compose', () => {
  it('writes valid Compose files, and Docker’s lines arrive as those of the dyno', async () => {
    await exported('compose', '--image', 'registry.example/shop:7', '--syslog', 'logs.example.com:6001');
    interface Service {
      image: string;
      command: string[];
      env_file: string[];
      ports?: string[];
      deploy: { replicas: number };
      logging: { driver: string; options: Record<string, string> };
    }
    const [{ name, services }] = documents<{ name: string; services: Record<string, Service> }>(
      file('compose', 'compose.yaml'),
    );
    expect([name, Object.keys(services)]).toEqual([APP, ['web', 'worker']]);
    expect(services.web).toMatchObject({
      image: 'registry.example/shop:7',
      command: ['/bin/sh', '-c', 'exec node web.cjs'],
      ports: ['127.0.0.1:5000-5001:5000'],
      deploy: { replicas: 2 },
    });
    expect(services.worker.command.at(-1)).toContain('echo "$$DYNO says: $$GREETING');
    expect(services.worker.logging).toMatchObject({
      driver: 'syslog',
      options: { 'syslog-address': 'tcp://logs.example.com:6001' },
    });
    expect(file('compose', 'compose.yaml')).not.toContain('t.');
    const [, token] = /^TAILRACE_TOKEN=(t\.\S+)$/m.exec(file('compose', '.env')) ?? [];
    for (const secret of ['.env', 'shop.env'])
      expect(statSync(join(folder, 'compose', secret)).mode & 0o777).toBe(0o600);
    // As Docker's driver writes it (rfc5424micro): the tag twice, and the daemon's process id.
    const tag = services.worker.logging.options.tag
      .replace(/^\$\{TAILRACE_TOKEN\}/, token)
      .replace('{{index .ContainerLabels "com.docker.compose.service"}}', 'worker')
      .replace('{{index .ContainerLabels "com.docker.compose.container-number"}}', '7');
    await sendOverTcp(
      server.syslogPort,
      octetCounted(`<30>1 2026-11-21T10:00:00.123456Z box ${tag} 812 ${tag} - from a container`),
    );
    await linesOf(/ app\[worker\.7\]: from a container$/);
    const json = await server.readLines({ id: '', name: APP, token: '' }, 'format=json&lines=1000');
    expect(json.join('\n')).not.toContain(token);
  });
});

describe('export kubernetes', () => {
  it('writes objects whose app and sidecar share a pipe', async () => {
    const { stdout } = await exported('kubernetes', '--program', PROGRAM);
    expect(stdout).toMatch(/pods can't reach http:\/\/127\.0\.0\.1/);
    expect(stdout).toMatch(/kubectl apply -f shop\.yaml/);
    interface Container {
      command: string[];
      env: { name: string; value?: string }[];
      envFrom: { secretRef: { name: string } }[];
    }
    interface Thing {
      kind: string;
      metadata: { name: string };
      stringData?: Record<string, string>;
      spec: {
        replicas: number;
        template: { spec: { initContainers: Container[]; containers: Container[] } };
      };
    }
    const all = documents<Thing>(file('kubernetes', 'shop.yaml'));
    expect(all.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'Secret shop-config',
      'Secret shop-logs',
      'Deployment shop-web',
      'Deployment shop-worker',
      'Service shop',
    ]);
    expect(all[0].stringData?.GREETING).toBe(GREETING);
    expect(all[2].spec.replicas).toBe(2);
    // Both containers of a pod, here: the same shells, with another folder for the pipe.
    const pod = join(folder, 'pod');
    mkdirSync(pod);
    const { initContainers, containers } = all[3].spec.template.spec;
    for (const [{ command, env, envFrom }] of [initContainers, containers]) {
      const secret = all.find(({ metadata }) => metadata.name === envFrom[0].secretRef.name);
      const variables = {
        ...secret?.stringData,
        ...Object.fromEntries(env.map(({ name, value }) => [name, value ?? 'shop-worker-5d9c-x2x4z'])),
      };
      const script = join(pod, `${containers[0].command === command ? 'app' : 'sidecar'}.sh`);
      const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}\n`);
      const words = command.map((word) => quoted(word.replaceAll('/logs/', `${pod}/`)));
      writeFileSync(script, `${exports.join('')}exec ${words.join(' ')}\n`);
      chmodSync(script, 0o700);
      if (command !== containers[0].command) run(`exec sh ${script}`, pod);
      else {
        await until('the pipe', () => existsSync(join(pod, 'out')));
        run(`exec sh ${script}`, pod);
      }
    }
    const [line] = await linesOf(/ app\[worker\.x2x4z\]: /);
    expect(line).toContain(`worker.x2x4z says: ${GREETING}, 100% 'sure'`);
  });
});

describe('export', () => {
  it('rejects what it can’t export', async () => {
    await deploy();
    const asked = async (...args: string[]) =>
      (await runTailrace(['export', ...args], { env: server.env })).stderr;
    expect(await asked('nomad', '-a', APP)).toMatch(/no engine "nomad": choose systemd, compose, kubernetes/);
    expect(await asked('compose', '-a', 'nobody')).toMatch(/Couldn't find that app/);
    expect(await asked('compose', '/dev/null/x', '-a', APP)).toMatch(
      /^ › {3}Error: The files can't be written to \/dev\/null\/x \(ENOTDIR\): name another folder\.\n$/,
    );
    writeFileSync(join(folder, '.env'), Buffer.from('A=größe\n', 'latin1'));
    const beside = await runTailrace(['export', 'compose', 'out', '-a', APP], {
      env: server.env,
      cwd: folder,
    });
    expect(beside).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^ › {3}Error: \.env line 1: there are bytes that are no UTF-8/),
    });
    expect(existsSync(join(folder, 'out'))).toBe(false);
    await server.request('POST', '/apps', { name: 'empty-one' });
    expect(await asked('compose', '-a', 'empty-one')).toMatch(/runs no dynos: deploy it and scale it first/);
  });
});

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
