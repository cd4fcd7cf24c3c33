import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Environment } from '../../processes/config/dyno-env.ts';
import { signalGroup } from '../../processes/process-group.ts';

export interface BuildStep {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Environment;
  /** A line of stdout or stderr. */
  readonly onLine: (line: string) => void;
  /** Only stderr's lines go to `onLine`; stdout is the result. */
  readonly capturesStdout?: boolean;
  readonly signal: AbortSignal;
}

/** The result of one program of a build. */
export interface StepResult {
  /** 127 if it couldn't be started. */
  readonly status: number;
  /** Its stdout, when it was asked for. */
  readonly stdout: string;
}

const STDOUT_MAX = 1_048_576;

/** Runs one program of a build, in a process group of its own, which ends with it. Never rejects. */
export async function runStep(step: BuildStep): Promise<StepResult> {
  const { program, args, cwd, env, onLine, capturesStdout = false, signal } = step;
  if (signal.aborted) return { status: 137, stdout: '' };
  let child: ChildProcess;
  try {
    child = spawn(program, args, { cwd, env: { ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    onLine(String(error));
    return { status: 127, stdout: '' };
  }
  const { pid } = child;
  const killGroup = (): void => {
    if (pid !== undefined) signalGroup(pid, 'SIGKILL');
  };
  signal.addEventListener('abort', killGroup);
  let stdout = '';
  if (capturesStdout)
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(0, STDOUT_MAX);
    });
  else if (child.stdout) createInterface({ input: child.stdout }).on('line', onLine);
  if (child.stderr) createInterface({ input: child.stderr }).on('line', onLine);
  const status = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      onLine(error.message);
      resolve(127);
    });
    // What it left in the background is killed, which closes the pipes.
    child.once('exit', killGroup);
    child.once('close', (code) => resolve(code ?? 137));
  });
  signal.removeEventListener('abort', killGroup);
  return { status, stdout };
}
