/** The server that is watched: `tailrace serve` with an inspector, and requests to it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, TAILRACE } from '../support/program.ts';

const STOP_MS = 20_000;
const REQUEST_MS = 60_000;

export class SoakServer {
  readonly program: Program;
  readonly data: string;
  readonly url: string;
  readonly key: string;
  readonly syslogPort: number;
  readonly routerPort: number;

  private constructor(program: Program, data: string, [url, syslogPort, routerPort]: readonly string[]) {
    this.program = program;
    this.data = data;
    this.url = url;
    this.syslogPort = Number(syslogPort);
    this.routerPort = Number(routerPort);
    this.key = readFileSync(join(data, 'key'), 'utf8').trim();
  }

  static async start(env: Readonly<Record<string, string>>): Promise<SoakServer> {
    const data = mkdtempSync(join(tmpdir(), 'tailrace-soak-'));
    const program = new Program(process.execPath, ['--inspect=127.0.0.1:0', TAILRACE, 'serve'], {
      env: {
        TAILRACE_DATA: data,
        TAILRACE_HTTP_PORT: '0',
        TAILRACE_SYSLOG_PORT: '0',
        TAILRACE_ROUTER_PORT: '0',
        TAILRACE_ALLOW_PRIVATE_DRAINS: 'yes',
        ...env,
      },
    });
    try {
      const ready = /serves on (\S+) \(.*syslog on \S+?:(\d+) \(TCP, UDP\).*web dynos on port (\d+)/s;
      const [, ...found] = await program.waitForOutput(ready);
      return new SoakServer(program, data, found);
    } catch (error) {
      await program.stop('SIGKILL');
      throw error;
    }
  }

  /** @throws Error unless the status is 2xx */
  async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text) as T;
  }

  /** An app, and the token of its source `app`. */
  async createApp(name: string): Promise<string> {
    await this.request('POST', '/apps', { name });
    const tokens = await this.request<{ token: string; source: string }[]>('GET', `/apps/${name}/tokens`);
    return tokens.find(({ source }) => source === 'app')?.token ?? '';
  }

  async close(): Promise<void> {
    const timer = setTimeout(() => this.program.child.kill('SIGKILL'), STOP_MS);
    await this.program.stop('SIGTERM');
    clearTimeout(timer);
    rmSync(this.data, { recursive: true, force: true });
  }
}
