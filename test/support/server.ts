/** A real `tailrace serve` in its own process, and requests to it. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Program, TAILRACE } from './program.ts';

export interface ServeOptions {
  /** Default: a new folder, removed when the server exits. */
  readonly data?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A shell command that runs before it, such as `ulimit -f 100`. */
  readonly shell?: string;
}

/** One app with the tokens of its sources. */
export interface App {
  readonly id: string;
  readonly name: string;
  /** Of the source `app`. */
  readonly token: string;
}

export interface Drain {
  readonly id: string;
  readonly token: string;
  readonly url: string;
  readonly delivery: {
    readonly state: string;
    readonly delivered: number;
    readonly lost: number;
    readonly withheld: number;
    readonly after: number;
    readonly lagLines: number;
    readonly lastError?: string;
  };
}

export class Server {
  readonly program: Program;
  readonly data: string;
  url = '';
  key = '';
  syslogPort = 0;
  /** Over TLS; 0 when there is no certificate. */
  tlsPort = 0;
  routerPort = 0;
  /** What its start took, ms: on a busy machine much more than the fraction of a second that it takes alone. */
  startTookMs = 0;

  constructor(program: Program, data: string) {
    this.program = program;
    this.data = data;
  }

  /** Environment with which the command line finds it. */
  get env(): Record<string, string> {
    return { TAILRACE_URL: this.url, TAILRACE_API_KEY: this.key };
  }

  /** Sends an API request; throws unless the status is 2xx. */
  async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' },
      body: body === undefined ? (method === 'GET' ? undefined : '{}') : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  async createApp(name = `app-${Math.random().toString(36).slice(2, 10)}`): Promise<App> {
    const { id } = await this.request<{ id: string }>('POST', '/apps', { name });
    return { id, name, token: await this.tokenOf(name, 'app') };
  }

  async tokenOf(app: string, source: string): Promise<string> {
    const tokens = await this.request<{ token: string; source: string }[]>('GET', `/apps/${app}/tokens`);
    return tokens.find((token) => token.source === source)!.token;
  }

  async addToken(app: App, source: string): Promise<string> {
    return (await this.request<{ token: string }>('POST', `/apps/${app.name}/tokens`, { source })).token;
  }

  createDrain(app: App, url: string): Promise<Drain> {
    return this.request<Drain>('POST', `/apps/${app.name}/log-drains`, { url });
  }

  listDrains(app: App): Promise<Drain[]> {
    return this.request<Drain[]>('GET', `/apps/${app.name}/log-drains`);
  }

  /** The stream's lines as they are displayed, oldest first. */
  async readLines(app: App, query = 'lines=100000'): Promise<string[]> {
    const response = await fetch(`${this.url}/apps/${app.name}/logs?${query}`, {
      headers: { authorization: `Bearer ${this.key}` },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return text.split('\n').slice(0, -1);
  }

  /** The same without time, source and dyno. */
  async readMessages(app: App, query?: string): Promise<string[]> {
    return (await this.readLines(app, query)).map((line) => line.slice(line.indexOf(']: ') + 3));
  }

  async sourceCounters(protocol: string): Promise<Record<string, number>> {
    const { sources } = await this.request<{ sources: ({ protocol: string } & Record<string, number>)[] }>(
      'GET',
      '/status',
    );
    return sources.find((source) => source.protocol === protocol)!;
  }

  /** What `GET /health` answers. */
  async health(): Promise<{ status: number; body: Record<string, string> }> {
    const response = await fetch(`${this.url}/health`);
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  }

  /** Kills the process with SIGKILL. */
  async kill(): Promise<void> {
    await this.program.stop('SIGKILL');
  }

  async close(): Promise<void> {
    await this.program.stop('SIGTERM');
  }
}

/** A new folder; the caller removes it. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'tailrace-test-'));
}

/** Starts `tailrace serve` without waiting: it may be meant to fail. */
export function spawnServer(data: string, options: ServeOptions = {}): Program {
  const env = {
    TAILRACE_DATA: data,
    TAILRACE_HTTP_PORT: '0',
    TAILRACE_SYSLOG_PORT: '0',
    TAILRACE_SYSLOG_TLS_PORT: '0',
    TAILRACE_HTTP_TLS_PORT: '0',
    TAILRACE_ROUTER_TLS_PORT: '0',
    TAILRACE_ROUTER_PORT: '0',
    TAILRACE_ALLOW_PRIVATE_DRAINS: 'yes',
    ...options.env,
  };
  if (!options.shell) return new Program(process.execPath, [TAILRACE, 'serve'], { env });
  const script = `${options.shell} && exec "$0" "$@"`;
  return new Program('bash', ['-c', script, process.execPath, TAILRACE, 'serve'], { env });
}

/** How long a start may take beside much else, within the time of a hook. */
const START_MS = 80_000;

/** Starts `tailrace serve` on free ports; resolves when it is ready. The caller closes it. */
export async function startServer(options: ServeOptions = {}): Promise<Server> {
  const data = options.data ?? temporaryFolder();
  const beganMs = performance.now();
  const program = spawnServer(data, options);
  const server = new Server(program, data);
  if (!options.data) void program.exited.then(() => rmSync(data, { recursive: true, force: true }));
  const ready =
    /serves on (\S+) \(.*syslog on \S+?:(\d+) \(TCP, UDP\)(?: and (\d+))?.*web dynos on port (\d+)/s;
  const [, url, port, tlsPort, routerPort] = await program
    .waitForOutput(ready, START_MS)
    .catch(async (error: unknown) => {
      await program.stop('SIGKILL');
      throw error;
    });
  server.startTookMs = performance.now() - beganMs;
  server.url = url;
  server.syslogPort = Number(port);
  server.tlsPort = Number(tlsPort ?? 0);
  server.routerPort = Number(routerPort);
  server.key = readFileSync(join(data, 'key'), 'utf8').trim();
  return server;
}

/** The same for one test: killed when that has finished. */
export async function startServerForTest(options: ServeOptions = {}): Promise<Server> {
  const server = await startServer(options);
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail')
      process.stderr.write(
        `${server.program.stderr}\nended: ${server.program.child.exitCode} ${server.program.child.signalCode}\n`,
      );
    const file = join(server.data, 'host', 'dynos.json');
    const noted = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
    await server.kill();
    if (noted !== undefined) endDynos(noted);
  });
  return server;
}

/** Ends the dynos that a killed server has left behind. */
function endDynos(noted: string): void {
  const { dynos } = JSON.parse(noted) as { dynos: { pid: number; id: string }[] };
  for (const { pid, id } of dynos)
    try {
      if (readFileSync(`/proc/${pid}/environ`, 'utf8').includes(id)) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
}

/** A data folder that outlives the servers of one test. */
export function dataFolderForTest(): string {
  const data = temporaryFolder();
  onTestFinished(() => rmSync(data, { recursive: true, force: true }));
  return data;
}
