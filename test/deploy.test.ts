/** The files in deploy/, as far as that can be checked without a cluster: with the programs that read them, where they are here. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort } from './support/free-port.ts';
import { missing, Program, runProgram } from './support/program.ts';
import { hasRedis } from './support/redis/redis-server.ts';
import { dataFolderForTest } from './support/server.ts';
import { until } from './support/until.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(ROOT, 'deploy', file), 'utf8');
const noYaml = spawnSync('/usr/bin/python3', ['-c', 'import yaml']).status !== 0;
if (noYaml && process.env.CI) throw new Error('not installed: python3-yaml');

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The documents of a YAML text. */
async function parse<T>(text: string): Promise<T[]> {
  const script = 'import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)';
  const { status, stdout, stderr } = await runProgram('/usr/bin/python3', ['-c', script], {
    input: text,
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as T[];
}

/** Does Redis start with these arguments? */
async function startsRedis(args: readonly string[]): Promise<void> {
  const program = new Program('redis-server', [
    ...args,
    '--port',
    String(await freePort()),
    '--dir',
    dataFolderForTest(),
  ]);
  try {
    await program.waitForOutput(/Ready to accept connections/);
  } finally {
    await program.stop('SIGKILL');
  }
}

describe.skipIf(missing('systemd-analyze'))('the systemd unit', () => {
  it('is one, and lets its processes do little', async () => {
    const file = join(dataFolderForTest(), 'tailrace.service');
    const text = read('tailrace.service');
    expect(text).toContain('ExecStart=/usr/bin/tailrace serve');
    writeFileSync(file, text.replace('/usr/bin/tailrace', join(ROOT, 'bin', 'tailrace')));
    // It says what it doesn't know, and goes on.
    expect(await runProgram('systemd-analyze', ['verify', file])).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
    const exposure = ['security', '--offline=true', '--threshold=35', '--no-pager', file];
    expect(await runProgram('systemd-analyze', exposure)).toMatchObject({ status: 0 });
  });
});

interface Compose {
  readonly services: Record<
    string,
    {
      readonly command?: string[];
      readonly environment?: Record<string, string>;
      readonly depends_on?: Record<string, { condition: string }>;
      readonly build?: { context: string; dockerfile: string };
      readonly volumes?: string[];
    }
  >;
}

/** As the program that reads it puts it together; it refuses what it doesn't know. */
async function readCompose(file: string): Promise<Compose> {
  const args = ['-f', join(ROOT, 'deploy', file), 'config'];
  const { status, stdout, stderr } = await runProgram('docker-compose', args);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return (await parse<Compose>(stdout))[0];
}

describe.skipIf(noYaml || missing('docker-compose'))('the compose files', () => {
  it('are read by docker-compose, and name only what is there', async () => {
    const { services } = await readCompose('compose.yaml');
    expect(Object.keys(services).sort()).toEqual(['balancer', 'redis', 'router-1', 'router-2', 'router-3']);
    const single = (await readCompose('compose.single.yaml')).services.tailrace;
    for (const { build, environment, volumes } of [...Object.values(services), single]) {
      if (build) expect(existsSync(join(build.context, build.dockerfile))).toBe(true);
      for (const [from] of (volumes ?? []).map((volume) => volume.split(':')))
        if (from.startsWith('/')) expect(existsSync(from), from).toBe(true);
      const url = environment?.REDIS_URL;
      if (url) expect(services).toHaveProperty([new URL(url).hostname]);
    }
    expect(Object.keys(single.environment ?? {}).filter((name) => !readme.includes(name))).toEqual([]);
  });

  it.skipIf(!hasRedis)('start Redis with settings that it knows', async () => {
    const { services } = await readCompose('compose.yaml');
    const [program, ...args] = services.redis.command ?? [];
    expect(program).toBe('redis-server');
    await startsRedis(args);
  });

  it.skipIf(missing('haproxy'))('have a balancer that reads its settings', async () => {
    const { status, stdout, stderr } = await runProgram('/usr/sbin/haproxy', [
      '-c',
      '-f',
      join(ROOT, 'deploy', 'haproxy.cfg'),
    ]);
    expect(stdout + stderr).not.toMatch(/ALERT|WARNING/);
    expect(status).toBe(0);
  });
});

interface Container {
  readonly name: string;
  readonly ports?: { name?: string; containerPort: number }[];
  readonly env?: { valueFrom?: { secretKeyRef?: { name: string; key: string } } }[];
  readonly args?: string[];
  readonly readinessProbe?: { httpGet?: { port: string }; tcpSocket?: { port: number } };
  readonly livenessProbe?: { httpGet?: { port: string } };
  readonly volumeMounts?: { name: string }[];
}

interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: {
    readonly replicas?: number;
    readonly minAvailable?: number;
    readonly serviceName?: string;
    readonly selector?: Record<string, string> & { matchLabels?: Record<string, string> };
    readonly ports?: { name?: string; port: number; targetPort?: string }[];
    readonly rules?: {
      http: { paths: { backend: { service: { name: string; port: { name: string } } } }[] };
    }[];
    readonly volumeClaimTemplates?: { metadata: { name: string } }[];
    readonly template?: {
      readonly metadata: { labels: Record<string, string> };
      readonly spec: { containers: Container[]; volumes?: { name: string }[] };
    };
  };
}

/** Where `kubernetes-models` is found from. */
const CHECKED = join(ROOT, 'node_modules', '.cache', 'kubernetes.check.ts');

describe.skipIf(noYaml)('the Kubernetes manifest', () => {
  it('has only fields that Kubernetes knows, with values of their types', async () => {
    const all = await parse<Resource>(read('kubernetes.yaml'));
    const text = all.map((resource, i) => {
      const from = `kubernetes-models/${resource.apiVersion}/${resource.kind}`;
      return `export const resource${i}: import('${from}').I${resource.kind} = ${JSON.stringify(resource)};`;
    });
    mkdirSync(dirname(CHECKED), { recursive: true });
    writeFileSync(CHECKED, text.join('\n'));
    const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
    const args = ['--noEmit', '--ignoreConfig', '--strict', '--skipLibCheck', '--types', 'node', CHECKED];
    expect(await runProgram(tsc, args)).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('has resources that fit together', async () => {
    const all = await parse<Resource>(read('kubernetes.yaml'));
    const pods = all.flatMap(({ spec }) => (spec?.template ? [spec.template] : []));
    for (const { kind, metadata, spec } of all) {
      expect(metadata.namespace, metadata.name).toBe('tailrace');
      const selector = spec?.selector?.matchLabels ?? spec?.selector;
      if (!selector) continue;
      const meant = pods.filter(({ metadata: { labels } }) =>
        Object.entries(selector).every(([name, value]) => labels[name] === value),
      );
      expect(meant, `${kind} ${metadata.name}`).toHaveLength(1);
      const ports = meant[0].spec.containers.flatMap((container) => container.ports ?? []);
      for (const { port, targetPort } of kind === 'Service' ? (spec?.ports ?? []) : [])
        expect(ports.some((one) => one.name === targetPort || one.containerPort === port)).toBe(true);
    }
    // It is made once, by the command at the head of the file: applied again, the file doesn't change a password.
    expect(all.map(({ kind }) => kind)).not.toContain('Secret');
    const secret = /create secret generic redis [\s\S]*?\n# {3}kubectl/.exec(read('kubernetes.yaml'))?.[0];
    for (const { template, volumeClaimTemplates } of all.map(({ spec }) => spec ?? {})) {
      const volumes = [
        ...(template?.spec.volumes ?? []).map(({ name }) => name),
        ...(volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
      ];
      for (const { env, volumeMounts, ports, readinessProbe, livenessProbe } of template?.spec.containers ??
        []) {
        for (const { valueFrom } of env ?? []) {
          const { name, key } = valueFrom?.secretKeyRef ?? {};
          expect(name).toBe('redis');
          expect(secret).toContain(`--from-literal=${key}=`);
        }
        for (const { name } of volumeMounts ?? []) expect(volumes).toContain(name);
        expect(readinessProbe).toBeDefined();
        for (const probe of [readinessProbe, livenessProbe])
          if (probe?.httpGet) expect(ports?.map(({ name }) => name)).toContain(probe.httpGet.port);
      }
    }
    const router = all.find(({ kind }) => kind === 'Deployment');
    // Which pods the ingress's rules end at.
    const ingress = all.find(({ kind }) => kind === 'Ingress');
    for (const { service } of (ingress?.spec?.rules ?? []).flatMap(({ http }) =>
      http.paths.map((p) => p.backend),
    )) {
      const target = all.find(({ kind, metadata }) => kind === 'Service' && metadata.name === service.name);
      expect(target?.spec?.ports?.map(({ name }) => name)).toContain(service.port.name);
    }
    const budget = all.find(({ kind }) => kind === 'PodDisruptionBudget');
    expect(budget?.spec?.minAvailable).toBeLessThan(router?.spec?.replicas ?? 0);
  });

  it.skipIf(!hasRedis)('starts Redis with settings that it knows', async () => {
    const all = await parse<Resource>(read('kubernetes.yaml'));
    const [redis] = all.find(({ kind }) => kind === 'StatefulSet')?.spec?.template?.spec.containers ?? [];
    const command = `${redis.args?.[0]} --port ${await freePort()} --dir ${dataFolderForTest()}`;
    const program = new Program('sh', ['-c', command], { env: { REDIS_PASSWORD: 'change-me' } });
    try {
      await until(
        'Redis to be ready',
        () => program.stdout.includes('Ready to accept connections') || program.hasExited,
      );
      expect(program.stdout).toContain('Ready to accept connections');
    } finally {
      await program.stop('SIGKILL');
    }
  });
});
