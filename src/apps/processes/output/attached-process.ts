/** A process at the other end of somebody's terminal: with a pseudo-terminal of its own, or with plain pipes. */
import { spawn } from 'node:child_process';
import { readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { type Readable, Writable } from 'node:stream';
import type * as NodePty from '@lydell/node-pty';
import { systemCode } from '../../../common/errors.ts';
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
/** What a process may have been sent and not read yet: more waits at its client. */
const UNREAD_BYTES_MAX = 1_048_576;
/** When a terminal takes nothing more it is tried again after so long: there is no other way to know. */
const TERMINAL_RETRY_MS = 20;
/** More than pipes and terminals hold: what comes behind that was written by others that a dead process has left. */
const LEFT_BYTES_MAX = 262_144;
const READ_BYTES = 16_384;
/** Time in which what is left is read by all means. */
const READ_TO_END_MS = 200;

/**
 * Starts it, and connects it with its client's input and output.
 * @throws Error when the system can't start another process, or not this one
 */
export function spawnAttached(options: AttachedProcessOptions): AttachedProcess {
  return options.terminalSize ? spawnInTerminal(options, options.terminalSize) : spawnWithPipes(options);
}

/** Of node-pty 1.1, which has no other way to its side of a terminal: the descriptor doesn't block. */
interface PtyInternals {
  readonly fd: number;
  readonly _socket: Socket;
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
  const { fd, _socket: terminal } = pty as unknown as PtyInternals;
  // node-pty's type is string; without an encoding it emits buffers.
  const pass = (data: string | Buffer): void => {
    if (!output.destroyed && !output.write(data)) pty.pause();
  };
  pty.onData(pass);
  // What a client that has gone doesn't read is read for it: its process ends only then.
  output.on('drain', () => pty.resume()).on('close', () => pty.resume());
  const destroy = terminal.destroy.bind(terminal);
  terminal.destroy = (error) => {
    if (!terminal.destroyed) {
      terminal.read();
      for (const left of readLeft(fd)) pass(left);
    }
    return destroy(error);
  };
  passOn(input, new TerminalInput(fd, terminal));
  return {
    pid: pty.pid,
    status: new Promise((resolve) => {
      pty.onExit(({ exitCode, signal }) => resolve(signal ? 128 + signal : exitCode));
    }),
    resize: (newColumns, newRows) => {
      if (!terminal.destroyed) pty.resize(newColumns, newRows);
    },
  };
}

/**
 * What an ended process has left in its terminal. Node.js takes a terminal for read when it has read some of it, and node-pty closes it a moment later
 * anyway.
 */
function* readLeft(fd: number): Generator<Buffer, void, void> {
  for (let byteCount = 0; byteCount < LEFT_BYTES_MAX; ) {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    try {
      const count = readSync(fd, buffer);
      if (count === 0) return;
      byteCount += count;
      yield buffer.subarray(0, count);
    } catch {
      return; // there is nothing more
    }
  }
}

/** What is typed into a terminal. Its own stream would wait for a process that doesn't read, and this whole process with it (libuv, of the controlling side). */
class TerminalInput extends Writable {
  private readonly fd: number;
  private readonly stream: Socket;

  constructor(fd: number, stream: Socket) {
    super();
    this.fd = fd;
    this.stream = stream.once('close', () => this.destroy());
  }

  override _write(data: Buffer, _encoding: BufferEncoding, done: () => void): void {
    let left = data;
    try {
      // It never waits: some kilobytes are taken, or nothing. The descriptor of one that is closed may be another file's by now.
      while (left.length > 0 && !this.stream.destroyed) left = left.subarray(writeSync(this.fd, left));
    } catch (error) {
      // Everything else is said by the terminal itself.
      if (systemCode(error) === 'EAGAIN') {
        setTimeout(() => this._write(left, _encoding, done), TERMINAL_RETRY_MS);
        return;
      }
    }
    done();
  }
}

/**
 * Waits until what a dead process has left is read, however slow its client is; others may hold the pipe or the terminal open, and go on writing.
 * @param byteCount how many bytes were read so far
 */
function whenRead(output: Writable, byteCount: () => number, close: () => void): void {
  const end = byteCount() + LEFT_BYTES_MAX;
  const look = (before: number): void => {
    // On a busy machine what is there already may not have been read: it is before this.
    setImmediate(() => {
      const now = byteCount();
      const isWaiting = !output.destroyed && output.writableNeedDrain;
      if (now < end && (isWaiting || now > before)) setTimeout(look, READ_TO_END_MS, now);
      else close();
    });
  };
  look(byteCount());
}

/** Writes what comes to a process, which need not read it. @param endsWithEot does the byte 0x04 end it? */
function passOn(input: Readable, process: Writable, endsWithEot = false): void {
  input.on('data', (data: Buffer) => {
    const isEnd = endsWithEot && data[data.length - 1] === EOT;
    process.write(isEnd ? data.subarray(0, -1) : data);
    if (isEnd) process.end();
    if (!process.destroyed && process.writableLength > UNREAD_BYTES_MAX) input.pause();
  });
  process.on('drain', () => input.resume()).on('close', () => input.resume());
  input.resume();
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
  let byteCount = 0;
  const streams = [child.stdout, child.stderr];
  for (const stream of streams) {
    stream.on('data', (data: Buffer) => {
      byteCount += data.length;
    });
    stream.pipe(output, { end: false });
    // What a client that has gone doesn't read is read for it: its process ends only then.
    output.on('close', () => stream.resume());
  }
  passOn(input, child.stdin, endsWithEot);
  input.on('end', () => child.stdin.end());
  const { pid } = child;
  const status = new Promise<number>((resolve) => {
    child.on('error', () => resolve(127));
    child.on('exit', () => {
      // What it left in the background is killed, which closes the pipes; what has left its group may hold them open.
      if (pid !== undefined) signalGroup(pid, 'SIGKILL');
      setTimeout(() => {
        whenRead(
          output,
          () => byteCount,
          () => {
            for (const stream of streams) stream.destroy();
          },
        );
      }, READ_TO_END_MS);
    });
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
  return { pid, status, resize: () => {} };
}
