/** Runs real programs: the `tailrace` command, and those that are used with it. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runInSession } from './cli/tailrace-session.ts';
import { until } from './until.ts';

/** npm, and what is compiled into dist/, start in the project's folder. */
const ROOT = process.cwd();
const LIBRARIES = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu`);
/** The built command. */
export const TAILRACE = join(ROOT, 'dist', 'bundle', 'tailrace.js');

export interface ExitResult {
  /** Exit code, or the name of the signal. */
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Written to its standard input, which is then closed. */
  readonly input?: string | Buffer;
}

/** A running program, and all its output so far. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  stdout = '';
  stderr = '';
  readonly exited: Promise<ExitResult>;
  private status: number | string | undefined;

  constructor(command: string, args: readonly string[], options: ProgramOptions = {}) {
    this.child = spawn(command, args, {
      cwd: options.cwd,
      env: cleanEnvironment(options.env),
      stdio: 'pipe',
    });
    this.child.stdin.on('error', () => {}); // it may end before it has read everything
    if (options.input !== undefined) this.child.stdin.end(options.input);
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.exited = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => {
        this.status = code ?? signal ?? 'unknown';
        resolve({ status: this.status, stdout: this.stdout, stderr: this.stderr });
      });
    });
    this.exited.catch(() => {});
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get hasExited(): boolean {
    return this.status !== undefined;
  }

  /** Exit code, or the name of the signal; undefined while it runs. */
  get exitStatus(): number | string | undefined {
    return this.status;
  }

  /** Waits for a match in its stdout; throws when it ends without one. */
  async waitForOutput(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray> {
    const match = await until(
      `${pattern} from ${this.child.spawnargs.slice(1, 4).join(' ')}`,
      () => pattern.exec(this.stdout) ?? (this.hasExited ? 'over' : undefined),
      timeoutMs,
    ).catch((error: unknown) => {
      throw new Error(`${error}\nstdout: ${this.stdout.slice(-2_000)}\nstderr: ${this.stderr.slice(-2_000)}`);
    });
    if (match !== 'over') return match;
    throw new Error(`ended with ${this.status} without ${pattern}: ${this.stdout}${this.stderr}`);
  }

  /** Sends a signal, and resolves when the program has exited. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<ExitResult> {
    if (!this.hasExited) this.child.kill(signal);
    return this.exited;
  }
}

/** Runs a program to its end. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ExitResult> {
  return new Program(command, args, { input: '', ...options }).exited;
}

/** Runs `tailrace …` to its end: in a process that stays, where that is the same (`runTailraceAlone` has one of its own). */
export function runTailrace(args: readonly string[], options: ProgramOptions = {}): Promise<ExitResult> {
  const { env = {}, cwd = ROOT, input = '' } = options;
  const command = { args, env: cleanEnvironment(env), set: Object.keys(env), cwd };
  const result = input.length === 0 ? runInSession(TAILRACE, command) : undefined;
  return result ?? runTailraceAlone(args, options);
}

/** Runs `tailrace …` to its end, in a process of its own. */
export function runTailraceAlone(args: readonly string[], options: ProgramOptions = {}): Promise<ExitResult> {
  return runProgram(process.execPath, [TAILRACE, ...args], options);
}

/** Only what a program needs, so that the environment of whoever runs the tests doesn't matter. */
function cleanEnvironment(env: ProgramOptions['env'] = {}): NodeJS.ProcessEnv {
  const { PATH, HOME, LANG, TMPDIR } = process.env;
  return { PATH, HOME, LANG, TMPDIR, ...env };
}

/** Where a library is, for `LD_PRELOAD`. */
export function libraryPath(name: string): string {
  const folder = LIBRARIES.find((one) => existsSync(join(one, name)));
  if (!folder) throw new Error(`${name} isn't installed`);
  return join(folder, name);
}

/** Reports what isn't installed, for `it.skipIf(missing('curl'))`; throws with CI=true, where nothing may be missing. */
export function missing(...programs: string[]): boolean {
  const absent = programs.filter((program) => !isInstalled(program));
  if (absent.length === 0) return false;
  const sentence = `not installed, so its tests are skipped: ${absent.join(', ')}`;
  if (process.env.CI) throw new Error(sentence);
  process.stderr.write(`${sentence}\n`);
  return true;
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', ...LIBRARIES];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), program.endsWith('.so') ? constants.R_OK : constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
