/** A real `tailrace serve` in its own process, with its own data folder. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder, removeFolder, start, stop, TAILRACE, TAILRACE_BUNDLE } from './processes.ts';
import { startRedis } from './redis.ts';

const READY_MS = 20_000;

/** A running server, and its API. */
export interface BenchServer {
  readonly pid: number;
  readonly url: string;
  readonly key: string;
  readonly syslogPort: number;
  /** Undefined without a certificate. */
  readonly syslogTlsPort?: number;
  /** Sends an API request; `T` is the shape of the response. */
  request<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T>;
  /** Creates an app and returns the token of its source `app`. */
  createApp(name: string): Promise<string>;
  addDrain(app: string, url: string): Promise<void>;
  stop(): Promise<void>;
}

/** The environment of a server: without ours, and with free ports. */
export function serverEnvironment(data: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('TAILRACE_') && name !== 'REDIS_URL',
  );
  return {
    ...Object.fromEntries(inherited),
    TAILRACE_DATA: data,
    TAILRACE_HTTP_PORT: '0',
    TAILRACE_SYSLOG_PORT: '0',
    TAILRACE_ROUTER_PORT: '0',
    TAILRACE_ALLOW_PRIVATE_DRAINS: 'yes',
  };
}

/** Starts a server and waits until it prints where it listens; with `BENCH_STORE=redis` on its own Redis. */
export async function startServer(settings: Readonly<Record<string, string>> = {}): Promise<BenchServer> {
  if (process.env.BENCH_STORE !== 'redis' || settings.REDIS_URL !== undefined) return startServerOn(settings);
  const redis = await startRedis();
  const server = await startServerOn({ ...settings, REDIS_URL: redis.url });
  const end = async (): Promise<void> => {
    await server.stop();
    await redis.stop();
  };
  return { ...server, stop: end };
}

async function startServerOn(settings: Readonly<Record<string, string>>): Promise<BenchServer> {
  const folder = makeFolder('tailrace');
  const data = join(folder, 'data');
  const options = (process.env.BENCH_NODE_OPTIONS ?? '').split(' ').filter(Boolean);
  const [program, args] =
    options.length > 0 ? [process.execPath, [...options, TAILRACE_BUNDLE]] : [TAILRACE, []];
  const child = start(program, [...args, 'serve'], {
    cwd: folder,
    env: { ...serverEnvironment(data), ...settings },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [, port, tlsPort] = await waitForOutput(child, /syslog on \S+:(\d+) \(TCP, UDP\)(?: and (\d+))?/);
  const server = connectToServer(child, data, Number(port), async () => {
    await stop(child);
    removeFolder(folder);
  });
  return { ...server, syslogTlsPort: tlsPort === undefined ? undefined : Number(tlsPort) };
}

/** The API of a server that has written its address to a data folder. */
export function connectToServer(
  child: ChildProcess,
  data: string,
  syslogPort: number,
  end: () => Promise<void>,
): BenchServer {
  const { url } = JSON.parse(readFileSync(join(data, 'server.json'), 'utf8')) as { url: string };
  const key = readFileSync(join(data, 'key'), 'utf8').trim();
  const request = async <T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> => {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      body: body && JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };
  return {
    pid: child.pid!,
    url,
    key,
    syslogPort,
    request,
    async createApp(name) {
      await request('POST', '/apps', { name });
      const tokens = await request<{ token: string; source: string }[]>('GET', `/apps/${name}/tokens`);
      return tokens.find(({ source }) => source === 'app')!.token;
    },
    async addDrain(app, drainUrl) {
      await request('POST', `/apps/${app}/log-drains`, { url: drainUrl });
    },
    stop: end,
  };
}

/** Waits until a child has printed something on stdout; what it prints later is discarded. */
export function waitForOutput(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error(`not ready after ${READY_MS / 1_000} s`)), READY_MS);
    child.once('exit', (code) => reject(new Error(`ended with exit code ${code} before it was ready`)));
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      if (text.length > 1_000_000) return;
      text += chunk;
      const match = pattern.exec(text);
      if (!match) return;
      clearTimeout(timer);
      resolve(match);
    });
  });
}

/** Waits until a server has written its address to a data folder. */
export async function waitForServerAddress(data: string, child: ChildProcess): Promise<void> {
  const deadlineMs = performance.now() + READY_MS;
  const left = (name: string, end: string): boolean =>
    existsSync(join(data, name)) && readFileSync(join(data, name), 'utf8').trimEnd().endsWith(end);
  while (!left('server.json', '}') || !left('key', '')) {
    if (child.exitCode !== null) throw new Error(`tailrace ended with exit code ${child.exitCode}`);
    if (performance.now() > deadlineMs) throw new Error(`not ready after ${READY_MS / 1_000} s`);
    await sleep(5);
  }
}
