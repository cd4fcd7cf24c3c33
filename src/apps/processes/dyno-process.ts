import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Environment } from './config/dyno-env.ts';
import { plain, type Wrap } from './isolation.ts';
import { Output, type OutputTaker } from './output/output.ts';
import { makePipes, type Pipe } from './output/pipes.ts';
import { groupGone, signalGroup } from './process-group.ts';
import { findShell } from './shell.ts';

export interface DynoProcessOptions {
  command: string;
  cwd: string;
  env: Environment;
  /** Isolates it. */
  wrap?: Wrap;
  /** Takes what it writes. */
  taker: OutputTaker;
}

/** What a shell answers for a command it can't run. */
const NOT_STARTED = 127;

/** The operating system's side of a dyno: a shell in a process group of its own, and what the group writes. */
export class DynoProcess {
  /** Also the id of the group. Undefined if it couldn't be started. */
  readonly pid: number | undefined;
  /** Resolves with the exit status of the group's first process: 0–255, 128 + n for signal n. Never rejects. */
  readonly status: Promise<number>;
  /** Why it couldn't be started. Known when `status` has resolved. */
  failure: Error | undefined;
  #outputs: Output[] = [];
  #gone = false;
  #paused = false;
  /** Since the last look of `readToEnd()`. */
  #resumedLately = false;

  constructor({ command, cwd, env, wrap = plain, taker }: DynoProcessOptions) {
    let pipes: Pipe[] = [];
    try {
      pipes = makePipes(2);
      this.#outputs = pipes.map((pipe) => new Output(pipe.reader, taker));
      const { program, args } = wrap(findShell(env.PATH), ['-c', command]);
      const child = spawn(program, args, {
        cwd,
        env: { ...env },
        // A session, and so a process group, of its own: signals reach all of the dyno, and a terminal's ^C none of it.
        detached: true,
        stdio: ['ignore', ...pipes.map((pipe) => pipe.writeFd)],
      });
      this.pid = child.pid;
      this.status = this.#statusOf(child);
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
      this.status = Promise.resolve(NOT_STARTED);
    } finally {
      for (const pipe of pipes) closeSync(pipe.writeFd);
    }
    if (this.pid === undefined) this.#gone = true;
  }

  /** Signals all of the group. Does nothing once it is gone: its number may belong to others by then. */
  signal(signal: NodeJS.Signals): void {
    if (this.pid !== undefined && !this.#gone) signalGroup(this.pid, signal);
  }

  /** Waits, at most that long, until all of the group has ended. To be called after `status` has resolved. */
  async groupEnded(limitMs: number): Promise<boolean> {
    if (this.pid === undefined || this.#gone) return true;
    this.#gone = await groupGone(this.pid, limitMs);
    return this.#gone;
  }

  /**
   * Reads what the dead process left in its pipes, as fast as a pause allows.
   *
   * @param limitMs after that the pipes are closed (a daemon that left the group may hold them open for ever), but not
   * while they are paused or wait for room, unless nobody is patient any more
   * @param isPatient false: go on in spite of a pause, after `limitMs`; it is 64 KiB a pipe at most
   */
  async readToEnd(limitMs: number, isPatient: () => boolean): Promise<void> {
    this.#resumedLately = true;
    const timer = setInterval(() => {
      const waits = this.#paused || this.#outputs.some((output) => output.waits);
      if (waits && isPatient()) return;
      if (waits) this.#hurry();
      else if (this.#resumedLately) this.#resumedLately = false;
      else for (const output of this.#outputs) output.close();
    }, limitMs / 2);
    await Promise.all(this.#outputs.map((output) => output.ended));
    clearInterval(timer);
  }

  /** Stops reading, so that the process has to wait when it writes. */
  pause(): void {
    this.#paused = true;
    for (const output of this.#outputs) output.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#resumedLately = true;
    for (const output of this.#outputs) {
      // What the first hands on may bring the next pause.
      if (!this.#paused) output.resume();
    }
  }

  #hurry(): void {
    this.resume();
    for (const output of this.#outputs) if (output.waits) output.hurry();
  }

  #statusOf(child: ChildProcess): Promise<number> {
    return new Promise((resolve) => {
      child.once('error', (error) => {
        if (child.pid !== undefined) return; // a failed kill, say: the process itself goes on
        this.failure = error;
        resolve(NOT_STARTED);
      });
      child.once('exit', (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  }
}
