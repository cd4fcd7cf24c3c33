/** Starts the archive as a user would, and talks to it over HTTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach } from 'vitest';

/** The built program. */
const MAIN = join(import.meta.dirname, '..', '..', 'dist', 'drains', 'archive', 'main.js');

export interface ArchiveResponse {
  status: number;
  body: string;
}

export class ArchiveProgram {
  readonly child: ChildProcess;
  /** Everything printed so far, stdout and stderr. */
  readonly printed: string[] = [];
  readonly exited: Promise<number | string>;
  url = '';
  private wakers: (() => void)[] = [];

  constructor(command: string, args: string[], env: Record<string, string>) {
    this.child = spawn(command, args, {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream! }).on('line', (line) => {
        this.printed.push(line);
        this.wake();
      });
    }
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      this.wake();
      return code ?? signal;
    });
  }

  /** The first printed line that contains `text`; an error when the program ends without it. */
  async waitForOutput(text: string): Promise<string> {
    for (;;) {
      const found = this.printed.find((line) => line.includes(text));
      if (found !== undefined) return found;
      const ended = await Promise.race([
        this.exited,
        new Promise<undefined>((resolve) => this.wakers.push(() => resolve(undefined))),
      ]);
      if (ended !== undefined)
        throw new Error(`ended with ${ended}, never printed "${text}": ${this.printed}`);
    }
  }

  async waitUntilListening(): Promise<this> {
    this.url = /https?:\/\/[^,]+/.exec(await this.waitForOutput('listening on '))![0];
    return this;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.exited;
  }

  /** Sends one request; `headers` may replace the usual ones. */
  async post(
    body: Buffer | string,
    headers: Record<string, string> = {},
    method = 'POST',
  ): Promise<ArchiveResponse> {
    const send = this.url.startsWith('https') ? httpsRequest : httpRequest;
    const request = send(`${this.url}/logs`, {
      method,
      headers: { 'content-type': 'application/logplex-1', ...headers },
      agent: false,
      rejectUnauthorized: false,
    });
    request.end(body);
    const [response] = await once(request, 'response');
    let text = '';
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode, body: text };
  }

  private wake(): void {
    for (const wake of this.wakers.splice(0)) wake();
  }
}

/** One frame with its length in bytes. */
export function logplexFrame(message: Buffer | string, source = 'app', dyno = 'web.1'): Buffer {
  const header = `<190>1 2012-12-10T03:00:48.123456+00:00 host ${source} ${dyno} - `;
  return octetCounted(Buffer.concat([Buffer.from(header), Buffer.from(message)]));
}

export function octetCounted(message: Buffer | string): Buffer {
  const bytes = Buffer.from(message);
  return Buffer.concat([Buffer.from(`${bytes.length} `), bytes]);
}

export function archivedLine(message: string): string {
  return `2012-12-10T03:00:48.123456+00:00 app[web.1]: ${message}\n`;
}

/** A folder for each test of a file, and the archives that write into it. */
export class ArchiveTestFolder {
  private running: ArchiveProgram[] = [];
  dir = '';

  constructor() {
    beforeEach(() => {
      this.dir = mkdtempSync(join(tmpdir(), 'archive-test-'));
    });
    afterEach(async () => {
      for (const program of this.running) await program.stop('SIGKILL');
      this.running = [];
      rmSync(this.dir, { recursive: true, force: true });
    });
  }

  /** The program with `--port 0 --dir <dir>` and whatever else, not awaited. */
  launch(flags: readonly string[] = [], env: Record<string, string> = {}): ArchiveProgram {
    return this.run(process.execPath, [MAIN, '--port', '0', '--dir', this.dir, ...flags], env);
  }

  /** The same in a shell that lets no file grow past `blocks` of 1024 bytes: what a full disk looks like. */
  launchOnSmallDisk(blocks: number): ArchiveProgram {
    const script = `ulimit -f ${blocks} && exec "$0" "$@"`;
    const args = ['-c', script, process.execPath, MAIN, '--port', '0', '--dir', this.dir];
    return this.run('bash', args, {});
  }

  start(flags: readonly string[] = [], env: Record<string, string> = {}): Promise<ArchiveProgram> {
    return this.launch(flags, env).waitUntilListening();
  }

  private run(command: string, args: string[], env: Record<string, string>): ArchiveProgram {
    const program = new ArchiveProgram(command, args, env);
    this.running.push(program);
    return program;
  }
}
