import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Environment } from '../../processes/config/dyno-env.ts';
import { closingDescriptorsOf } from '../../processes/inherited-descriptors.ts';
import { LineReader } from '../../processes/output/line-reader.ts';
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
/** What a dead program left in its pipes is read in microseconds; this is for daemons, which hold them open. */
const READ_TO_END_MS = 1_000;

/**
 * Runs one program of a build, in a process group of its own, which ends with it. What has left the group goes on, and isn't
 * waited for. Never rejects.
 */
export async function runStep(step: BuildStep): Promise<StepResult> {
  const { program, args, cwd, env, onLine, capturesStdout = false, signal } = step;
  if (signal.aborted) return { status: 137, stdout: '' };
  let child: ChildProcess;
  try {
    const closing = closingDescriptorsOf(program, args);
    child = spawn(closing.program, closing.args, {
      cwd,
      env: { ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
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
  else if (child.stdout) readLines(child.stdout, onLine);
  if (child.stderr) readLines(child.stderr, onLine);
  let timer: NodeJS.Timeout | undefined;
  const status = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      onLine(error.message);
      resolve(127);
    });
    child.once('exit', () => {
      // What it left in the background is killed, which closes the pipes.
      killGroup();
      timer = setTimeout(() => {
        for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      }, READ_TO_END_MS);
    });
    child.once('close', (code) => resolve(code ?? 137));
  });
  clearTimeout(timer);
  signal.removeEventListener('abort', killGroup);
  return { status, stdout };
}

/** In pieces, when a line has no end. What comes between carriage returns are lines, too: progress bars. */
function readLines(stream: Readable, onLine: (line: string) => void): void {
  new LineReader(stream, {
    onLine: (bytes) => {
      const line = bytes.toString('utf8');
      if (!line.includes('\r')) return onLine(line);
      for (const part of line.split('\r')) if (part !== '') onLine(part);
    },
  });
}
