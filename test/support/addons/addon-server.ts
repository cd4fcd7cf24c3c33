/** Add-ons of a test's server, and the programs behind them. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type ServeOptions, type Server, startServerForTest } from '../server.ts';
import { until } from '../until.ts';

export interface MadeAddon {
  readonly id: string;
  readonly name: string;
  readonly config_vars: readonly string[];
}

/** A server for one test that ends as it should, with its add-ons: one that is killed leaves their programs to the next start. */
export async function startAddonServerForTest(options: ServeOptions = {}): Promise<Server> {
  const server = await startServerForTest(options);
  onTestFinished(() => server.close());
  return server;
}

export function createAddon(
  server: Server,
  app: string,
  plan: string,
  more: object = {},
): Promise<MadeAddon> {
  return server.request<MadeAddon>('POST', `/apps/${app}/addons`, { plan, ...more });
}

export function configOf(server: Server, app: string): Promise<Readonly<Record<string, string>>> {
  return server.request('GET', `/apps/${app}/config-vars`);
}

export function addonFolder(server: Server, addon: MadeAddon): string {
  return join(server.data, 'host', 'addons', addon.id);
}

/** Kills a program of an add-on with SIGKILL, when it runs. @returns its process */
export async function killProgram(server: Server, addon: MadeAddon, program: string): Promise<number> {
  const pid = await until(`${program} runs`, () => processOf(server, addon, program));
  process.kill(pid, 'SIGKILL');
  return pid;
}

/** The process of a program in an add-on's folder; undefined while there is none. */
export function processOf(server: Server, addon: MadeAddon, program: string): number | undefined {
  const folder = realpathSync(addonFolder(server, addon));
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const isProgram = readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === program;
      if (isProgram && readlinkSync(`/proc/${pid}/cwd`) === folder) return Number(pid);
    } catch {
      // It has just ended.
    }
  }
  return undefined;
}

/** The process of an add-on, as the server has noted it down; undefined while there is none. */
export function notedProcess(server: Server, addonId: string): number | undefined {
  const text = readFileSync(join(server.data, 'host', 'dynos.json'), 'utf8');
  const { dynos } = JSON.parse(text) as { dynos: { pid: number; id: string }[] };
  return dynos.find(({ id }) => id === addonId)?.pid;
}

export interface StoredLine {
  readonly level: string;
  readonly message: string;
}

/** Lines of one process of an app (`redis.1`), from its stream. */
export async function linesOf(server: Server, app: string, process: string): Promise<StoredLine[]> {
  const response = await fetch(`${server.url}/apps/${app}/logs?lines=100000&format=json`, {
    headers: { authorization: `Bearer ${server.key}` },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .filter(({ dyno }) => dyno === process)
    .map(({ level, message }) => ({ level, message }));
}
