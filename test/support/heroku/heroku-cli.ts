/** The official `heroku` command, as npm has it. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandSession } from '../cli/command-session.ts';
import { type ExitResult, Program } from '../program.ts';
import { Terminal } from './terminal.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const FOLDER = join(ROOT, 'node_modules', '.cache', 'heroku');
const COMMAND = join(FOLDER, 'node_modules', 'heroku', 'bin', 'run.js');

const SESSION = join(import.meta.dirname, 'heroku-session.mjs');
/** What they begin goes on when they have ended. */
const OWN_PROCESS = /^(local)\b/;

/** The command of a user of one server, with its own home folder. */
export class HerokuCli {
  readonly home = mkdtempSync(join(tmpdir(), 'tailrace-heroku-'));
  private readonly env: Record<string, string>;
  /**
   * All its commands, one after the other: the modules take a second and a half of processor time to load. Not for another user: some keep
   * what the first request was made with, its key among it.
   */
  private session: CommandSession | undefined;
  private lastRun: Promise<unknown> = Promise.resolve();

  constructor(server: { url: string; key: string }, env: Readonly<Record<string, string>> = {}) {
    // `npm test` has done it already; installing takes half a minute.
    if (!existsSync(COMMAND))
      execFileSync(process.execPath, [join(ROOT, 'scripts', 'heroku.mjs')], {
        stdio: ['ignore', 'ignore', 2],
      });
    this.env = {
      HOME: this.home,
      HEROKU_HOST: server.url.replace('127.0.0.1', 'localhost'),
      HEROKU_API_KEY: server.key,
      HEROKU_SKIP_NEW_VERSION_CHECK: '1',
      HEROKU_DISABLE_ANALYTICS: '1',
      DISABLE_TELEMETRY: 'true',
      // It requests the billing state from another server of Heroku's, with retries for seconds where there is no network.
      HEROKU_PARTICLEBOARD_URL: server.url,
      HEROKU_BUILDPACK_REGISTRY_URL: server.url,
      // It prints tables with React, whose development build is several times as large.
      NODE_ENV: 'production',
      ...env,
    };
  }

  /** Starts `heroku …`. */
  start(command: string | readonly string[], input?: string): Program {
    const args = typeof command === 'string' ? command.split(' ') : command;
    return new Program(process.execPath, [COMMAND, ...args], {
      env: this.env,
      cwd: this.home,
      input,
    });
  }

  /** Starts `heroku …` in a terminal. */
  startInTerminal(args: readonly string[]): Terminal {
    return new Terminal(process.execPath, [COMMAND, ...args], { env: this.env, cwd: this.home });
  }

  /** Runs `heroku …` to its end. */
  run(command: string | readonly string[], input = ''): Promise<ExitResult> {
    const args = typeof command === 'string' ? command.split(' ') : command;
    if (input !== '' || OWN_PROCESS.test(args[0])) return this.start(args, input).exited;
    const result = this.lastRun.then(() => this.runInSession(args));
    this.lastRun = result.catch(() => undefined);
    return result;
  }

  private runInSession(args: readonly string[]): Promise<ExitResult> {
    const { PATH } = process.env;
    this.session ??= new CommandSession(SESSION, [COMMAND], { env: { PATH, ...this.env }, cwd: this.home });
    return this.session.run(args);
  }

  /** Runs `heroku …`, which has to succeed; returns its output without warnings. */
  async runOk(command: string | readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(command);
    if (status !== 0) throw new Error(`heroku ${command}: ${status}\n${stdout}\n${stderr}`);
    return `${stderr}\n${stdout}`;
  }

  /** The next command begins with nothing that those before it knew: some keep an app's config vars, which a promotion changes. */
  forget(): void {
    this.session?.close();
    this.session = undefined;
  }

  close(): void {
    this.forget();
    rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
  }
}
