/**
 * memcached with a password, as MemCachier has it: the binary protocol with SASL. memcached's other way (`--auth-file`, for the text
 * protocol) excludes this one, and no program can offer both on one port.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { replaceFileWith } from '../../../../common/files/replace-file.ts';
import { hostEnvironment } from '../../../build/slug-files.ts';
import { askService } from '../local/ask-service.ts';
import { findProgram, programWord } from '../local/find-program.ts';
import type { LocalInstance, ProcessService } from '../local/local-service.ts';
import { loopbackAddresses } from '../local/loopback-addresses.ts';
import { machineSamples } from '../local/machine-samples.ts';
import { hitRate } from './hit-rate.ts';
import { readMemcachedLines } from './lines/memcached-lines.ts';

const USER = 'app';
const MEMORY_MB = 64;
const CONNECTIONS = 1_024;
const SASLPASSWD_TIMEOUT_MS = 10_000;

export const memcachedService: ProcessService = {
  kind: 'process',
  service: 'memcachier',
  missing() {
    const missing = [
      ...(findProgram('memcached') ? [] : ['memcached']),
      ...(findProgram('saslpasswd2') ? [] : ['sasl2-bin']),
      ...(lacksPlainMechanism() ? ['libsasl2-modules'] : []),
    ];
    if (missing.length === 0) return undefined;
    return `memcached with passwords (SASL) is not installed on the server: apt-get install ${missing.join(' ')} (or the packages of your system).`;
  },
  files: ({ folder }) => ({
    // Found by SASL_CONF_PATH.
    'memcached.conf': [
      'mech_list: plain',
      'pwcheck_method: auxprop',
      'auxprop_plugin: sasldb',
      `sasldb_path: ${passwordFile(folder)}`,
      '',
    ].join('\n'),
  }),
  prepare: writePasswordFile,
  command({ port, plan }) {
    const options = [
      '-S',
      '-v',
      `-p ${port}`,
      `-l ${loopbackAddresses().join(',')}`,
      `-m ${plan.memoryMb ?? MEMORY_MB}`,
      `-c ${plan.connections ?? CONNECTIONS}`,
      // It refuses to run as root unless it is told to; its folder is for the server's user alone.
      ...(process.getuid?.() === 0 ? ['-u root'] : []),
    ];
    return `SASL_CONF_PATH="$PWD" exec ${programWord('memcached')} ${options.join(' ')}`;
  },
  facts: ({ port, password }) => ({ servers: `localhost:${port}`, username: USER, password }),
  async info(instance) {
    const stats = await askMemcached(instance);
    return [
      { name: 'Plan', values: [instance.plan.description] },
      { name: 'Status', values: ['available'] },
      { name: 'Version', values: [stats.version ?? '?'] },
      { name: 'Connections', values: [`${activeConnections(stats)}/${stats.max_connections}`] },
      { name: 'Memory', values: [`${megabytes(stats.bytes)}/${megabytes(stats.limit_maxbytes)} MB`] },
      { name: 'Items', values: [stats.curr_items ?? '?'] },
      { name: 'Hit Rate', values: [String(hitRate(stats.get_hits, stats.get_misses))] },
    ];
  },
  async samples(instance) {
    const stats = await askMemcached(instance);
    return {
      'active-connections': activeConnections(stats),
      'max-connections': stats.max_connections,
      ...machineSamples(instance.folder),
      'memory-memcached': `${stats.bytes}bytes`,
      items: stats.curr_items,
      'hit-rate': hitRate(stats.get_hits, stats.get_misses),
      'evicted-keys': stats.evictions,
    };
  },
  readLines: readMemcachedLines,
};

/** A user belongs to a realm, which is the machine's name for those who log in without one: another name, another file. */
function passwordFile(folder: string): string {
  return join(folder, `sasldb.${encodeURIComponent(hostname())}`);
}

/** Makes libsasl's file of users, when it isn't there. @throws with what saslpasswd2 said */
async function writePasswordFile({ folder, password, name }: LocalInstance): Promise<void> {
  const file = passwordFile(folder);
  if (existsSync(file)) return;
  // Synced: an empty one would be taken for one with the password.
  await replaceFileWith(file, async (temporary) => {
    await rm(temporary, { force: true });
    const options = ['-p', '-c', '-a', 'memcached', '-u', hostname(), '-f', temporary, USER];
    const { status, stderr } = await runWithInput('saslpasswd2', options, password);
    if (status !== 0)
      throw new Error(
        `saslpasswd2 made no password for ${name}: ${stderr.trim() || `exit status ${status}`}`,
      );
  });
}

function runWithInput(
  program: string,
  args: readonly string[],
  input: string,
): Promise<{ readonly status: number; readonly stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(findProgram(program) ?? program, args, {
      env: hostEnvironment(process.env),
      stdio: ['pipe', 'ignore', 'pipe'],
      timeout: SASLPASSWD_TIMEOUT_MS,
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (status) => resolve({ status: status ?? 1, stderr }));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** libsasl's plug-ins are packages of their own: that for passwords in a file is always there, that for PLAIN need not be. */
function lacksPlainMechanism(): boolean {
  const folders = ['x86_64-linux-gnu', 'aarch64-linux-gnu', '.', '../lib64'].map((part) =>
    join('/usr/lib', part, 'sasl2'),
  );
  const plugins = folders.filter(existsSync).flatMap((folder) => readdirSync(folder));
  const has = (name: string) => plugins.some((plugin) => plugin.startsWith(`lib${name}.so`));
  return has('sasldb') && !has('plain');
}

type MemcachedStats = Readonly<Record<string, string>>;

/** The answer to `stat`, by name. @throws TailraceError */
function askMemcached({ port, password, name }: LocalInstance): Promise<MemcachedStats> {
  return askService(name, async (late) => {
    const { Client } = await import('memjs');
    // Errors are those of the command.
    const logger = { log: () => undefined };
    const client = Client.create(`127.0.0.1:${port}`, { username: USER, password, logger });
    late.addEventListener('abort', () => {
      for (const server of client.servers) server.error(new Error('nobody waits any more'));
    });
    try {
      return await new Promise<MemcachedStats>((resolve, reject) => {
        client.stats((error, _server, stats) => {
          if (error) reject(error);
          else resolve(stats ?? {});
        });
      });
    } finally {
      client.close();
    }
  });
}

/** Its own isn't one of the app's. */
function activeConnections(stats: MemcachedStats): number {
  return Number(stats.curr_connections) - 1;
}

function megabytes(bytes: string | undefined): string {
  return (Number(bytes ?? 0) / 1_048_576).toFixed(1);
}
