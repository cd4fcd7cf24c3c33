import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { readBootId } from '../../common/processes/boot-id.ts';
import { type ProgramCommand, type SandboxCommand, unsandboxed } from './bubblewrap.ts';
import type { Environment } from './config/dyno-env.ts';
import type { KeeperClient } from './keeper/keeper-client.ts';
import type { KeptProcess } from './keeper/messages.ts';
import { HeldBytesFile } from './output/held-bytes.ts';
import { type LineHandler, LineReader } from './output/line-reader.ts';
import { createNamedPipes, createPipes, heldFiles, openNamedPipes, type Pipes } from './output/pipes.ts';
import { signalGroup, signalLeader, waitForGroupExit } from './process-group.ts';
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
  /** Starts it, so that it may outlive this process; unset: it is a child of this process. */
  keeper?: KeeperClient;
  /** What the next server has to know of it. */
  note?: unknown;
  /** How its first process alone is asked to end when no server comes; unset: SIGTERM to all of them. */
  leaderStopSignal?: NodeJS.Signals;
  /** It runs already, or has ended meanwhile: the keeper has it since an earlier server. */
  adopted?: KeptProcess;
}

/** More than this waits for a terminal that doesn't take it: it misses the rest. */
const TAP_BYTES_MAX = 1_048_576;

/** A shell's exit status for a command it can't run. */
const STATUS_NOT_STARTED = 127;

/** The operating system's side of a dyno: a shell in a process group of its own, and what the group writes. */
export class DynoProcess {
  /** Resolves when it runs or couldn't be started. A child of this process does from the first moment on. */
  readonly started: Promise<void>;
  /** Resolves with the exit status of the group's first process: 0–255, 128 + n for signal n. Never rejects. */
  readonly status: Promise<number>;
  /** Why it couldn't be started. Known when `status` has resolved. */
  startError: Error | undefined;
  /** It was read by a server that was killed, and that didn't keep what it had read and not emitted. */
  mayHaveLostOutput = false;
  private readonly keeper: KeeperClient | undefined;
  /** Its name with the keeper. */
  private readonly key: string;
  private currentPid: number | undefined;
  private isStarting = false;
  /** Signals that came before it ran. */
  private pendingSignals: (() => void)[] = [];
  private readers: LineReader[] = [];
  private outputs: readonly Readable[] = [];
  private inputWriter: Writable | undefined;
  private groupExited = false;
  private leaderExited = false;
  private paused = false;
  /** Since the last check of `readToEnd()`. */
  private resumedRecently = false;

  constructor(options: DynoProcessOptions) {
    const { keeper, adopted } = options;
    this.keeper = keeper;
    this.key = adopted?.id ?? randomUUID();
    this.started = Promise.resolve();
    try {
      if (keeper && adopted) this.status = this.adopt(options, keeper, adopted);
      else if (keeper) {
        const pid = this.startKept(options, keeper);
        this.started = pid.then(
          () => {},
          () => {},
        );
        this.status = this.keptStatus(pid, keeper);
      } else this.status = this.startChild(options);
    } catch (error) {
      this.startError = error instanceof Error ? error : new Error(String(error));
      this.status = Promise.resolve(STATUS_NOT_STARTED);
      // Nobody could read what it writes.
      if (adopted) signalGroup(adopted.pid, 'SIGKILL');
    }
    if (this.currentPid === undefined && !this.isStarting) this.groupExited = true;
  }

  /** Also the id of the group. Undefined if it couldn't be started, or before `started`. */
  get pid(): number | undefined {
    return this.currentPid;
  }

  private startChild(options: DynoProcessOptions): Promise<number> {
    const { cwd, user, hasInput } = options;
    const pipes = createPipes(hasInput);
    try {
      this.usePipes(pipes, options);
      const { program, args, env } = programOf(options);
      const child = spawn(program, args, {
        cwd,
        env: { ...env },
        // The folder is entered before the user changes: it may be one that only this process can get to.
        ...user,
        // A session, and so a process group, of its own: signals reach all of the dyno, and a terminal's ^C none of it.
        detached: true,
        stdio: [pipes.input?.readFd ?? 'ignore', ...pipes.outputs.map((pipe) => pipe.writeFd)],
      });
      this.currentPid = child.pid;
      return this.exitStatusOf(child);
    } finally {
      closeChildEnds(pipes);
    }
  }

  /** Has the keeper start it; its pipes have names. */
  private async startKept(options: DynoProcessOptions, keeper: KeeperClient): Promise<number> {
    const { cwd, user, hasInput = false, leaderStopSignal, note } = options;
    let pipes: Pipes | undefined;
    this.isStarting = true;
    try {
      const folder = keeper.folderOf(this.key);
      mkdirSync(folder, { mode: 0o700 });
      pipes = createNamedPipes(folder, hasInput);
      this.usePipes(pipes, options, openHeldFiles(folder));
      const request = { ...programOf(options), cwd, ...user, hasInput, leaderStopSignal, note };
      this.currentPid = await keeper.startProcess({ id: this.key, ...request });
      return this.currentPid;
    } catch (error) {
      this.startError = error instanceof Error ? error : new Error(String(error));
      this.groupExited = true;
      throw error;
    } finally {
      this.isStarting = false;
      if (pipes) closeChildEnds(pipes);
      for (const send of this.pendingSignals.splice(0)) send();
    }
  }

  private async keptStatus(pid: Promise<number>, keeper: KeeperClient): Promise<number> {
    try {
      const status = await keeper.exitOf({ id: this.key, pid: await pid });
      this.leaderExited = true;
      return status;
    } catch (error) {
      this.startError ??= error instanceof Error ? error : new Error(String(error));
      return STATUS_NOT_STARTED;
    }
  }

  private adopt(options: DynoProcessOptions, keeper: KeeperClient, adopted: KeptProcess): Promise<number> {
    const folder = keeper.folderOf(this.key);
    const { readers, writer } = openNamedPipes(folder);
    const held = heldFiles(folder).map((file) => HeldBytesFile.read(file));
    this.mayHaveLostOutput = adopted.leftover === undefined && held.includes(undefined);
    const leftover = adopted.leftover?.map((text) => Buffer.from(text, 'base64')) ?? held;
    const files = openHeldFiles(folder);
    this.outputs = readers;
    this.inputWriter = writer;
    this.currentPid = adopted.pid;
    this.readers = readers.map(
      (reader, i) => new LineReader(reader, options.lineHandler, leftover[i], files?.[i]),
    );
    return keeper.exitOf(adopted).then((status) => {
      this.leaderExited = true;
      return status;
    });
  }

  private usePipes(
    { outputs, input }: Pipes,
    { lineHandler }: DynoProcessOptions,
    held?: readonly HeldBytesFile[],
  ): void {
    this.outputs = outputs.map(({ reader }) => reader);
    this.inputWriter = input?.writer;
    this.readers = this.outputs.map((reader, i) => new LineReader(reader, lineHandler, undefined, held?.[i]));
  }

  /** Signals all of the group. Does nothing once it is gone: its number may belong to others by then. */
  signal(signal: NodeJS.Signals): void {
    if (this.isStarting) this.pendingSignals.push(() => this.signal(signal));
    else if (this.pid !== undefined && !this.groupExited) signalGroup(this.pid, signal);
  }

  /** Signals its first process alone. */
  signalLeader(signal: NodeJS.Signals): void {
    if (this.isStarting) this.pendingSignals.push(() => this.signalLeader(signal));
    if (this.pid !== undefined && !this.leaderExited) signalLeader(this.pid, signal);
  }

  /** Waits, at most that long, until all of the group has ended. To be called after `status` has resolved. */
  async waitForGroupExit(limitMs: number): Promise<boolean> {
    if (this.pid === undefined || this.groupExited) return true;
    this.groupExited = await waitForGroupExit(this.pid, limitMs);
    return this.groupExited;
  }

  /**
   * Reads what the dead process left in its pipes, as fast as a pause allows.
   *
   * @param limitMs after that the pipes are closed (a daemon that left the group may hold them open forever), but not
   * while they are paused or wait until they are writable, unless `mayWait` is false
   * @param mayWait false: go on in spite of a pause, after `limitMs`; it is 64 KiB a pipe at most
   */
  async readToEnd(limitMs: number, mayWait: () => boolean): Promise<void> {
    this.resumedRecently = true;
    const timer = setInterval(() => {
      const isWaiting = this.paused || this.readers.some((reader) => reader.isWaiting);
      if (isWaiting && mayWait()) return;
      if (isWaiting) this.stopWaiting();
      else if (this.resumedRecently) this.resumedRecently = false;
      else for (const reader of this.readers) reader.close();
    }, limitMs / 2);
    this.inputWriter?.destroy();
    await Promise.all(this.readers.map((reader) => reader.ended));
    clearInterval(timer);
    this.keeper?.forget(this.key);
  }

  /** Tells the next server what it has to know of it. */
  note(note: unknown): void {
    this.keeper?.note(this.key, note);
  }

  /** Leaves it to the next server: from now on nothing of it is read, and `status` never resolves. */
  leave(note: unknown): void {
    const leftover = this.readers.map((reader) => reader.detach());
    this.inputWriter?.destroy();
    this.keeper?.leave(this.key, note, leftover);
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
    for (const reader of this.readers) write(reader.partialLine);
    for (const reader of this.outputs) reader.on('data', write);
    return () => {
      for (const reader of this.outputs) reader.off('data', write);
    };
  }

  /** Where it reads from; undefined: from nowhere. */
  get input(): Writable | undefined {
    return this.inputWriter;
  }

  /** Stops reading, so that the process has to wait when it writes. */
  pause(): void {
    this.paused = true;
    for (const reader of this.readers) reader.pause();
  }

  /** Reads again, and so lets the process write. */
  resume(): void {
    this.paused = false;
    this.resumedRecently = true;
    for (const reader of this.readers) {
      // The first one's lines may cause the next pause.
      if (!this.paused) reader.resume();
    }
  }

  private stopWaiting(): void {
    this.resume();
    for (const reader of this.readers) if (reader.isWaiting) reader.stopWaiting();
  }

  private exitStatusOf(child: ChildProcess): Promise<number> {
    return new Promise((resolve) => {
      child.once('error', (error) => {
        if (child.pid !== undefined) return; // a failed kill, say: the process itself goes on
        this.startError = error;
        resolve(STATUS_NOT_STARTED);
      });
      child.once('exit', (code, signal) => {
        this.leaderExited = true;
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  }
}

/** Undefined: they can't be made, and what is read of a line is lost when this process is killed. */
function openHeldFiles(folder: string): HeldBytesFile[] | undefined {
  // Nor are lines kept then.
  if (readBootId() === '') return undefined;
  try {
    return heldFiles(folder).map((file) => new HeldBytesFile(file));
  } catch {
    return undefined;
  }
}

function programOf({ command, env, sandboxCommand = unsandboxed }: DynoProcessOptions): ProgramCommand {
  return sandboxCommand({ program: findShell(env.PATH), args: ['-c', command], env });
}

/** The process has its ends by now: ours would keep the pipes open. */
function closeChildEnds({ outputs, input }: Pipes): void {
  for (const pipe of outputs) closeSync(pipe.writeFd);
  if (input) closeSync(input.readFd);
}
