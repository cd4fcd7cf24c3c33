/** Folders and processes of a measurement: none of them outlives it. */
import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone's top folder, seen from dist/bench/rig. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
/** The program under test. */
export const TAILRACE = join(ROOT, 'bin', 'tailrace');
/** What it runs, for options of Node.js. */
export const TAILRACE_BUNDLE = join(ROOT, 'dist', 'bundle', 'tailrace.js');
/** A child that doesn't stop at SIGTERM is killed after this long. */
const STOP_MS = 10_000;

const running = new Set<ChildProcess>();
const folders = new Set<string>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

/** Makes a folder, on the disk that the clone is on: in memory a store would be too fast. */
export function makeFolder(name: string): string {
  const parent = join(ROOT, 'bench', '.tmp');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, `${name}-`));
  folders.add(folder);
  return folder;
}

/** Removes a folder. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** Starts a program. */
export function start(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return killOnExit(spawn(program, args, options));
}

/** Starts one of the programs in `bench/programs/`, with a channel for messages. */
export function startBenchProgram(name: string, args: readonly string[] = []): ChildProcess {
  return killOnExit(fork(join(ROOT, 'dist', 'bench', 'programs', `${name}.js`), args, { stdio: 'inherit' }));
}

/** Stops a child and waits for its end. */
export async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  child.kill(signal);
  await ended;
  clearTimeout(timer);
}

/**
 * Waits for a message of a bench program for which `pick` returns something.
 * @throws Error when the program ends before, or sends no such message for `timeoutMs`.
 */
export function waitForMessage<T>(
  child: ChildProcess,
  select: (message: unknown) => T | undefined,
  timeoutMs: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
    };
    const fail = (message: string): void => {
      done();
      reject(new Error(message));
    };
    const onMessage = (message: unknown): void => {
      const picked = select(message);
      if (picked === undefined) return;
      done();
      resolve(picked);
    };
    const onExit = (): void => fail(`a helper process ended early (exit code ${child.exitCode})`);
    const timer = setTimeout(() => fail(`a helper said nothing for ${timeoutMs / 1_000} s`), timeoutMs);
    child.on('message', onMessage);
    child.on('exit', onExit);
  });
}

/** Starts the program that sends lines and takes what a syslog drain sends. @param args key and certificate for a drain over TLS */
export async function startSyslogLoad(
  args: readonly string[] = [],
): Promise<{ readonly load: ChildProcess; readonly sinkPort: number }> {
  const load = startBenchProgram('syslog-load', args);
  const sinkPort = await waitForMessage(
    load,
    (message) => (message as { sinkPort?: number }).sinkPort,
    10_000,
  );
  return { load, sinkPort };
}

/**
 * Sends a job to a bench program and waits for its result.
 * @throws Error when the program reports a failure.
 */
export async function runJob<T>(child: ChildProcess, job: object, timeoutMs: number): Promise<T> {
  interface JobReply {
    readonly result?: T;
    readonly failure?: string;
  }
  const pick = (message: unknown): JobReply | undefined => {
    const answer = message as JobReply;
    return answer.result !== undefined || answer.failure !== undefined ? answer : undefined;
  };
  const answered = waitForMessage(child, pick, timeoutMs);
  child.send(job);
  const { result, failure } = await answered;
  if (result === undefined) throw new Error(failure);
  return result;
}

function killOnExit(child: ChildProcess): ChildProcess {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}
