/** The official `heroku` command, unmodified, from npm. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ended, Program } from './program.ts';

/** The version that the tests know. */
export const HEROKU_VERSION = '11.10.0';
const FOLDER = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'heroku');
const COMMAND = join('node_modules', 'heroku', 'bin', 'run.js');

/** Installs it once, in a folder of its own; gives the command's file. Takes a minute or two. */
export function installHeroku(): string {
  const installed = join(FOLDER, 'node_modules', 'heroku', 'package.json');
  if (existsSync(installed) && JSON.parse(readFileSync(installed, 'utf8')).version === HEROKU_VERSION)
    return join(FOLDER, COMMAND);
  rmSync(FOLDER, { recursive: true, force: true });
  // Whole or not at all: another test may be waiting for it.
  const unfinished = `${FOLDER}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  const args = [
    'install',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--loglevel=error',
    '--prefix',
    '.',
  ];
  execFileSync('npm', [...args, `heroku@${HEROKU_VERSION}`], {
    cwd: unfinished,
    stdio: ['ignore', 'ignore', 2],
  });
  renameSync(unfinished, FOLDER);
  return join(FOLDER, COMMAND);
}

/** The command as a user of one server has it, with a home folder of its own. */
export class Heroku {
  private readonly file = installHeroku();
  readonly home = mkdtempSync(join(tmpdir(), 'tailrace-heroku-'));
  private readonly env: Record<string, string>;

  constructor(server: { url: string; key: string }, env: Record<string, string> = {}) {
    this.env = {
      HOME: this.home,
      HEROKU_HOST: server.url.replace('127.0.0.1', 'localhost'),
      HEROKU_API_KEY: server.key,
      HEROKU_SKIP_NEW_VERSION_CHECK: '1',
      HEROKU_DISABLE_ANALYTICS: '1',
      DISABLE_TELEMETRY: 'true',
      ...env,
    };
  }

  /** Starts `heroku …`. */
  start(command: string | readonly string[], input?: string): Program {
    const args = typeof command === 'string' ? command.split(' ') : command;
    return new Program(process.execPath, [this.file, ...args], { env: this.env, cwd: this.home, input });
  }

  /** Runs `heroku …` to its end. */
  run(command: string | readonly string[], input = ''): Promise<Ended> {
    return this.start(command, input).ended;
  }

  /** The same, for commands that have to work: what it printed, warnings left out. */
  async prints(command: string | readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(command);
    if (status !== 0) throw new Error(`heroku ${command}: ${status}\n${stdout}\n${stderr}`);
    return `${stderr}\n${stdout}`;
  }

  close(): void {
    rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
  }
}
