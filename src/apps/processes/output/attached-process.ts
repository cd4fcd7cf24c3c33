/** A process at the other end of somebody's terminal: with a pseudo-terminal of its own, or with plain pipes. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type * as NodePty from '@lydell/node-pty';
import { type ProgramCommand, type SandboxCommand, unsandboxed } from '../bubblewrap.ts';
import type { Environment } from '../config/dyno-env.ts';
import { signalGroup } from '../process-group.ts';
import { findShell } from '../shell.ts';

export interface AttachedProcessOptions {
  readonly command: string;
  readonly cwd: string;
  readonly env: Environment;
  /** Sandboxes it. */
  readonly sandboxCommand: SandboxCommand | undefined;
  /** Undefined: pipes, no terminal. */
  readonly terminalSize: { readonly columns: number; readonly rows: number } | undefined;
  readonly input: Readable;
  readonly output: Writable;
  /** The input's end is the byte 0x04, not its own. */
  readonly endsWithEot: boolean;
}

export interface AttachedProcess {
  readonly pid: number | undefined;
  /** 0–255, 128 + n for signal n, when everything it wrote has been forwarded. Never rejects. */
  readonly status: Promise<number>;
  resize(columns: number, rows: number): void;
}

const EOT = 4;

/** Starts it, and connects it with its client's input and output. */
export function spawnAttached(options: AttachedProcessOptions): AttachedProcess {
  return options.terminalSize ? spawnInTerminal(options, options.terminalSize) : spawnWithPipes(options);
}

function spawnInTerminal(
  options: AttachedProcessOptions,
  { columns, rows }: { columns: number; rows: number },
): AttachedProcess {
  const { cwd, input, output } = options;
  const { program, args, env } = programOf(options);
  // Loaded here: every start of the server would load a native library for it.
  const nodePty: typeof NodePty = createRequire(import.meta.url)('@lydell/node-pty');
  const pty = nodePty.spawn(program, [...args], {
    name: options.env.TERM || 'xterm',
    cols: columns,
    rows,
    cwd,
    env: { ...env },
    // Bytes, not text: what is cut in the middle of a character stays whole.
    encoding: null,
  });
  // node-pty's type is string; without an encoding it emits buffers.
  pty.onData((data: string | Buffer) => {
    if (!output.write(data)) pty.pause();
  });
  output.on('drain', () => pty.resume());
  const decoder = new StringDecoder('utf8');
  input.on('data', (data: Buffer) => pty.write(decoder.write(data)));
  input.resume();
  return {
    pid: pty.pid,
    status: new Promise((resolve) => {
      pty.onExit(({ exitCode, signal }) => resolve(signal ? 128 + signal : exitCode));
    }),
    resize: (newColumns, newRows) => pty.resize(newColumns, newRows),
  };
}

function programOf({ command, env, sandboxCommand = unsandboxed }: AttachedProcessOptions): ProgramCommand {
  return sandboxCommand({ program: findShell(env.PATH), args: ['-c', command], env });
}

function spawnWithPipes(options: AttachedProcessOptions): AttachedProcess {
  const { cwd, input, output, endsWithEot } = options;
  const { program, args, env } = programOf(options);
  const child = spawn(program, args, {
    cwd,
    env: { ...env },
    detached: true,
    stdio: 'pipe',
  });
  child.stdin.on('error', () => {}); // it need not read all of it
  for (const stream of [child.stdout, child.stderr]) stream.pipe(output, { end: false });
  input.on('data', (data: Buffer) => {
    const isEnd = endsWithEot && data[data.length - 1] === EOT;
    if (!child.stdin.write(isEnd ? data.subarray(0, -1) : data)) input.pause();
    if (isEnd) child.stdin.end();
  });
  child.stdin.on('drain', () => input.resume());
  input.on('end', () => child.stdin.end());
  input.resume();
  const { pid } = child;
  const status = new Promise<number>((resolve) => {
    child.on('error', () => resolve(127));
    // What it left in the background is killed, which closes the pipes.
    child.on('exit', () => pid !== undefined && signalGroup(pid, 'SIGKILL'));
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
  return { pid, status, resize: () => {} };
}
