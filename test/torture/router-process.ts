import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from '../support/program.ts';

/** npm starts both the tests and the program in the project's folder; this file may have been compiled into dist/. */
const TAILRACE = join(process.cwd(), 'dist', 'bundle', 'tailrace.js');

/** A `tailrace serve` that is killed and started again. */
export class RouterProcess {
  url = '';
  key = '';
  private readonly data = mkdtempSync(join(tmpdir(), 'tailrace-torture-'));
  private readonly env: Readonly<Record<string, string>>;
  private program: Program | undefined;

  constructor(env: Readonly<Record<string, string>>) {
    this.env = env;
  }

  get isRunning(): boolean {
    return this.program !== undefined && !this.program.hasExited;
  }

  /** The end of its stderr. */
  get log(): string {
    return this.program?.stderr.slice(-2_000) ?? '';
  }

  /** Starts it; tries again while the store is unavailable, as a process supervisor does. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const env = {
        TAILRACE_DATA: this.data,
        TAILRACE_HTTP_PORT: '0',
        TAILRACE_SYSLOG_PORT: '0',
        TAILRACE_ROUTER_PORT: '0',
        TAILRACE_ALLOW_PRIVATE_DRAINS: 'yes',
        ...this.env,
      };
      this.program = new Program(process.execPath, [TAILRACE, 'serve'], { env });
      try {
        [, this.url] = await this.program.waitForOutput(/serves on (\S+)/, 30_000);
        this.key = readFileSync(join(this.data, 'key'), 'utf8').trim();
        return;
      } catch (error) {
        await this.program.stop('SIGKILL');
        if (attempt === 10) throw error;
      }
    }
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    await this.program?.stop(signal);
  }

  /** Stops or continues it, without ending it. */
  pause(paused: boolean): void {
    this.program?.child.kill(paused ? 'SIGSTOP' : 'SIGCONT');
  }

  async request<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** The messages of an app's stream, all of them. */
  async messages(app: string): Promise<string[]> {
    const answer = await fetch(`${this.url}/apps/${app}/logs?lines=100000`, {
      headers: { authorization: `Bearer ${this.key}` },
    });
    const text = await answer.text();
    return text.split('\n').map((line) => line.slice(line.indexOf(']: ') + 3));
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.data, { recursive: true, force: true });
  }
}
