import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { type SandboxCommand, unsandboxed } from './bubblewrap.ts';
import type { Environment } from './config/dyno-env.ts';
import { type LineHandler, LineReader } from './output/line-reader.ts';
import { createPipes, type InputPipe, type Pipe } from './output/pipes.ts';
import { signalGroup, waitForGroupExit } from './process-group.ts';
import { findShell } from './shell.ts';

/** A user of the system, by numbers. */
export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
}

export interface DynoProcessOptions {
  command: string;
  cwd: string;
  env: Environment;
  /** Sandboxes it. */
  sandboxCommand?: SandboxCommand;
  /** Who it is run as, without further groups; unset: as this process. Only root may set another one. */
  user?: ProcessUser;
  /** Takes what it writes. */
  lineHandler: LineHandler;
  /** Can somebody write to it? Otherwise its input is at its end from the start. */
  hasInput?: boolean;
}

/** More than this waits for a terminal that doesn't take it: it misses the rest. */
const TAP_BYTES_MAX = 1_048_576;

/** A shell's exit status for a command it can't run. */
const STATUS_NOT_STARTED = 127;

/** The operating system's side of a dyno: a shell in a process group of its own, and what the group writes. */
export class DynoProcess {
  /** Also the id of the group. Undefined if it couldn't be started. */
  readonly pid: number | undefined;
  /** Resolves with the exit status of the group's first process: 0–255, 128 + n for signal n. Never rejects. */
  readonly status: Promise<number>;
  /** Why it couldn't be started. Known when `status` has resolved. */
  startError: Error | undefined;
  #readers: LineReader[] = [];
  #outputs: readonly Pipe[] = [];
  #input: InputPipe | undefined;
  #groupExited = false;
  #leaderExited = false;
  #paused = false;
  /** Since the last check of `readToEnd()`. */
  #resumedRecently = false;

  constructor(options: DynoProcessOptions) {
    const { command, cwd, env, sandboxCommand = unsandboxed, user, lineHandler, hasInput } = options;
    try {
      const { outputs, input } = createPipes(2, hasInput);
      this.#outputs = outputs;
      this.#input = input;
      this.#readers = outputs.map((pipe) => new LineReader(pipe.reader, lineHandler));
      const { program, args } = sandboxCommand(findShell(env.PATH), ['-c', command]);
      const child = spawn(program, args, {
        cwd,
        env: { ...env },
        // The folder is entered before the user changes: it may be one that only this process can get to.
        ...user,
        // A session, and so a process group, of its own: signals reach all of the dyno, and a terminal's ^C none of it.
        detached: true,
        stdio: [input?.readFd ?? 'ignore', ...outputs.map((pipe) => pipe.writeFd)],
      });
      this.pid = child.pid;
      this.status = this.#exitStatusOf(child);
    } catch (error) {
      this.startError = error instanceof Error ? error : new Error(String(error));
      this.status = Promise.resolve(STATUS_NOT_STARTED);
    } finally {
      for (const pipe of this.#outputs) closeSync(pipe.writeFd);
      if (this.#input) closeSync(this.#input.readFd);
    }
    if (this.pid === undefined) this.#groupExited = true;
  }

  /** Signals all of the group. Does nothing once it is gone: its number may belong to others by then. */
  signal(signal: NodeJS.Signals): void {
    if (this.pid !== undefined && !this.#groupExited) signalGroup(this.pid, signal);
  }

  /** Signals its first process alone. */
  signalLeader(signal: NodeJS.Signals): void {
    if (this.pid === undefined || this.#leaderExited) return;
    try {
      process.kill(this.pid, signal);
    } catch {
      // It has just ended.
    }
  }

  /** Waits, at most that long, until all of the group has ended. To be called after `status` has resolved. */
  async waitForGroupExit(limitMs: number): Promise<boolean> {
    if (this.pid === undefined || this.#groupExited) return true;
    this.#groupExited = await waitForGroupExit(this.pid, limitMs);
    return this.#groupExited;
  }

  /**
   * Reads what the dead process left in its pipes, as fast as a pause allows.
   *
   * @param limitMs after that the pipes are closed (a daemon that left the group may hold them open for ever), but not
   * while they are paused or wait until they are writable, unless `mayWait` is false
   * @param mayWait false: go on in spite of a pause, after `limitMs`; it is 64 KiB a pipe at most
   */
  async readToEnd(limitMs: number, mayWait: () => boolean): Promise<void> {
    this.#resumedRecently = true;
    const timer = setInterval(() => {
      const isWaiting = this.#paused || this.#readers.some((reader) => reader.isWaiting);
      if (isWaiting && mayWait()) return;
      if (isWaiting) this.#stopWaiting();
      else if (this.#resumedRecently) this.#resumedRecently = false;
      else for (const reader of this.#readers) reader.close();
    }, limitMs / 2);
    this.#input?.writer.destroy();
    await Promise.all(this.#readers.map((reader) => reader.ended));
    clearInterval(timer);
  }

  /**
   * Passes on what it writes from now on, beginning with the line that it has begun, besides to the line handler. A terminal that is
   * too slow misses some of it: the process doesn't wait for it.
   * @returns how to stop that
   */
  tap(terminal: Writable): () => void {
    const write = (chunk: Buffer): void => {
      // The chunk's buffer is used again.
      if (terminal.writableLength < TAP_BYTES_MAX) terminal.write(Buffer.from(chunk));
    };
    for (const reader of this.#readers) write(reader.partialLine);
    for (const { reader } of this.#outputs) reader.on('data', write);
    return () => {
      for (const { reader } of this.#outputs) reader.off('data', write);
    };
  }

  /** Where it reads from; undefined: from nowhere. */
  get input(): Writable | undefined {
    return this.#input?.writer;
  }

  /** Stops reading, so that the process has to wait when it writes. */
  pause(): void {
    this.#paused = true;
    for (const reader of this.#readers) reader.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#resumedRecently = true;
    for (const reader of this.#readers) {
      // The first one's lines may cause the next pause.
      if (!this.#paused) reader.resume();
    }
  }

  #stopWaiting(): void {
    this.resume();
    for (const reader of this.#readers) if (reader.isWaiting) reader.stopWaiting();
  }

  #exitStatusOf(child: ChildProcess): Promise<number> {
    return new Promise((resolve) => {
      child.once('error', (error) => {
        if (child.pid !== undefined) return; // a failed kill, say: the process itself goes on
        this.startError = error;
        resolve(STATUS_NOT_STARTED);
      });
      child.once('exit', (code, signal) => {
        this.#leaderExited = true;
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  }
}
