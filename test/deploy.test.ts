/** The files in deploy/, as far as that can be checked without a cluster: with the programs that read them, where they are here. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** The documents of a YAML file. */
async function parse<T>(file: string): Promise<T[]> {
  const script = 'import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)';
  const { status, stdout, stderr } = await runProgram('/usr/bin/python3', ['-c', script], {
    input: read(file),
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

describe('the Dockerfile', () => {
  it('copies what is there, and starts the command', () => {
    const text = read('Dockerfile');
    const { scripts, files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const copied = [...text.matchAll(/^COPY --from=build \/src\/(\S+) \.\/(\S*)$/gm)].map(([, from]) => from);
    for (const from of copied) expect(existsSync(join(ROOT, from)), from).toBe(true);
    for (const folder of ['bin', 'buildpacks', 'dist']) {
      expect(files).toContain(folder);
      expect(copied).toContain(folder);
    }
    expect(scripts.build).toBeDefined();
    const [command] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(text)?.[1] ?? '[]');
    expect(existsSync(join(ROOT, command.replace('/app/', '')))).toBe(true);
  });
});

describe('the systemd unit', () => {
  it.skipIf(missing('systemd-analyze'))('is one', async () => {
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
  });
});

interface Compose {
  readonly services: Record<
    string,
    {
      readonly command?: string[];
      readonly environment?: Record<string, string>;
      readonly depends_on?: string[] | Record<string, { condition: string }>;
      readonly healthcheck?: object;
      readonly volumes?: string[];
      readonly configs?: { source: string }[];
      readonly build?: { context: string; dockerfile: string };
    }
  >;
  readonly volumes: Record<string, null>;
  readonly configs: Record<string, { content: string }>;
}

describe.skipIf(noYaml)('the compose file', () => {
  it('names only what it has', async () => {
    const [{ services, volumes, configs }] = await parse<Compose>('compose.yaml');
    expect(Object.keys(services)).toEqual(['redis', 'router-1', 'router-2', 'router-3', 'balancer']);
    for (const service of Object.values(services)) {
      const others = Array.isArray(service.depends_on)
        ? service.depends_on
        : Object.keys(service.depends_on ?? {});
      for (const other of others) expect(services).toHaveProperty([other]);
      for (const volume of service.volumes ?? []) expect(volumes).toHaveProperty([volume.split(':')[0]]);
      for (const { source } of service.configs ?? []) expect(configs).toHaveProperty([source]);
      if (service.build) expect(existsSync(join(ROOT, service.build.dockerfile))).toBe(true);
      const url = service.environment?.REDIS_URL;
      if (url) expect(services).toHaveProperty([new URL(url).hostname]);
    }
    expect(services.redis.healthcheck).toBeDefined();
  });

  it.skipIf(!hasRedis)('starts Redis with settings that it knows', async () => {
    const [{ services }] = await parse<Compose>('compose.yaml');
    const [program, ...args] = services.redis.command ?? [];
    expect(program).toBe('redis-server');
    await startsRedis(args);
  });

  it.skipIf(missing('haproxy'))('has a balancer that reads its settings', async () => {
    const [{ configs }] = await parse<Compose>('compose.yaml');
    const file = join(dataFolderForTest(), 'haproxy.cfg');
    writeFileSync(file, configs.haproxy.content);
    const { status, stdout, stderr } = await runProgram('/usr/sbin/haproxy', ['-c', '-f', file]);
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
  readonly stringData?: Record<string, string>;
  readonly spec?: {
    readonly replicas?: number;
    readonly minAvailable?: number;
    readonly serviceName?: string;
    readonly selector?: Record<string, string> & { matchLabels?: Record<string, string> };
    readonly ports?: { port: number; targetPort?: string }[];
    readonly volumeClaimTemplates?: { metadata: { name: string } }[];
    readonly template?: {
      readonly metadata: { labels: Record<string, string> };
      readonly spec: { containers: Container[]; volumes?: { name: string }[] };
    };
  };
}

const VERSIONS: Record<string, string> = {
  Namespace: 'v1',
  Secret: 'v1',
  Service: 'v1',
  StatefulSet: 'apps/v1',
  Deployment: 'apps/v1',
  PodDisruptionBudget: 'policy/v1',
};

describe.skipIf(noYaml)('the Kubernetes manifest', () => {
  it('has resources that fit together', async () => {
    const all = await parse<Resource>('kubernetes.yaml');
    const [namespace] = all.filter(({ kind }) => kind === 'Namespace');
    const pods = all.flatMap(({ spec }) => (spec?.template ? [spec.template] : []));
    for (const { apiVersion, kind, metadata, spec } of all) {
      expect(apiVersion, kind).toBe(VERSIONS[kind]);
      if (kind !== 'Namespace') expect(metadata.namespace, metadata.name).toBe(namespace.metadata.name);
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
    const secrets = new Map(
      all
        .filter(({ kind }) => kind === 'Secret')
        .map(({ metadata, stringData }) => [metadata.name, stringData]),
    );
    for (const { template, volumeClaimTemplates } of all.map(({ spec }) => spec ?? {})) {
      const volumes = [
        ...(template?.spec.volumes ?? []).map(({ name }) => name),
        ...(volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
      ];
      for (const { env, volumeMounts, ports, readinessProbe, livenessProbe } of template?.spec.containers ??
        []) {
        for (const { valueFrom } of env ?? []) {
          const { name = '', key = '' } = valueFrom?.secretKeyRef ?? {};
          expect(secrets.get(name)).toHaveProperty([key]);
        }
        for (const { name } of volumeMounts ?? []) expect(volumes).toContain(name);
        expect(readinessProbe).toBeDefined();
        for (const probe of [readinessProbe, livenessProbe])
          if (probe?.httpGet) expect(ports?.map(({ name }) => name)).toContain(probe.httpGet.port);
      }
    }
    const router = all.find(({ kind }) => kind === 'Deployment');
    const budget = all.find(({ kind }) => kind === 'PodDisruptionBudget');
    expect(budget?.spec?.minAvailable).toBeLessThan(router?.spec?.replicas ?? 0);
  });

  it.skipIf(!hasRedis)('starts Redis with settings that it knows', async () => {
    const all = await parse<Resource>('kubernetes.yaml');
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
