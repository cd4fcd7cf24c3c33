import { randomUUID } from 'node:crypto';
import type { Writable } from 'node:stream';
import { platformErrorTitle } from '../../common/platform-errors.ts';
import { ticksSinceBoot } from '../../common/processes/process-identity.ts';
import { enterSandbox, type SandboxCommand } from './bubblewrap.ts';
import type { Environment } from './config/dyno-env.ts';
import { DynoProcess, type ProcessUser } from './dyno-process.ts';
import type { KeeperClient } from './keeper/keeper-client.ts';
import type { KeptProcess } from './keeper/messages.ts';
import { killDaemonized } from './kill-daemonized.ts';
import type { LineHandler } from './output/line-reader.ts';
import { APP_PRIORITY, isChunkSink, type LineSink, PLATFORM_PRIORITY } from './output/line-sink.ts';
import { waitForPort } from './ports.ts';
import { remainingGraceMs, STOP_GRACE_MS } from './process-group.ts';

export type DynoState = 'starting' | 'up' | 'crashed' | 'complete' | 'down';

export interface DynoInfo {
  /** A UUID, new for every process. */
  id: string;
  /** `web.1` */
  name: string;
  type: string;
  command: string;
  /** When it isn't the size of its type. */
  size?: string;
  state: DynoState;
  port?: number;
  /** The loopback address on which its port accepts connections. */
  host?: string;
  /** The first process and the process group. Undefined while none runs. */
  pid?: number;
  createdAt: Date;
  /** When the state last changed. */
  updatedAt: Date;
}

export interface DynoExit {
  /** 0–255; 128 + n for signal n; 127 if it couldn't be started. */
  status: number;
  /** `crashed` and `complete` when it exited by itself, `stopped` after `stop()` or `kill()`. */
  reason: 'crashed' | 'complete' | 'stopped';
}

export interface DynoOptions {
  name: string;
  type: string;
  command: string;
  cwd: string;
  /** All of the environment (see `dynoEnv`). */
  env: Environment;
  /** Sandboxes it. */
  sandboxCommand?: SandboxCommand;
  /** Who it is run as; unset: as this process. */
  user?: ProcessUser;
  /** How its first process alone is asked to end, which then ends the others. Unset: SIGTERM to all of them. */
  leaderStopSignal?: NodeJS.Signals;
  /** Kill also its daemons when it ends. Unset for dynos in a developer's own folder. */
  killDaemonized?: boolean;
  lines: LineSink;
  id?: string;
  size?: string;
  port?: number;
  bootTimeoutMs?: number;
  /** Shell commands before the command, which nobody needs to see: `.profile`, say. */
  profileScript?: string;
  /** Waits until nobody needs the port any more, before SIGTERM. Should resolve soon; never rejects. */
  drainConnections?: (port: number) => Promise<void>;
  /** One-off dynos are complete when they end, whatever their status; those of a formation have crashed. */
  oneOff?: boolean;
  onChange?: (info: DynoInfo) => void;
  /** Can a terminal be attached that it reads from? */
  hasInput?: boolean;
  onPartialLine?: PartialLineListener;
  /** Keeps it while the server is restarted; unset: it ends with this process. */
  keeper?: KeeperClient;
  /** Whose it is, for the next server. */
  owner?: unknown;
  /** It runs already, with all of its other options as they were. */
  adopted?: AdoptedDyno;
}

/** What the next server has to know of a dyno. */
export interface DynoNote {
  readonly owner: unknown;
  readonly info: Omit<DynoInfo, 'createdAt' | 'updatedAt'>;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly cwd: string;
  readonly env: Environment;
  readonly profileScript: string | undefined;
  /** It was asked to end, and is ended then: milliseconds since 1970. */
  readonly endsAt: number | undefined;
}

/** A dyno that an earlier server has started. */
export interface AdoptedDyno {
  readonly process: KeptProcess;
  readonly note: DynoNote;
}

/** What it was when its server left it. */
export function adoptedInfo({ process, note }: AdoptedDyno): DynoInfo {
  const { info, createdAt, updatedAt } = note;
  return { ...info, pid: process.pid, createdAt: new Date(createdAt), updatedAt: new Date(updatedAt) };
}

/** Sees lines that a dyno has begun, for somebody who watches; undefined: the line has ended. */
export type PartialLineListener = (dyno: string, line: Buffer | undefined) => void;

/** Where a command has to run to be in a dyno that runs. */
export interface DynoPlace {
  readonly cwd: string;
  readonly env: Environment;
  /** Undefined: it isn't sandboxed. */
  readonly sandboxCommand: SandboxCommand | undefined;
  /** What its shells begin with. */
  readonly profileScript: string | undefined;
}

export const BOOT_TIMEOUT_MS = 60_000;
/** A process killed with SIGKILL is gone at once, unless it hangs in the kernel. */
const KILL_TIMEOUT_MS = 5_000;
/** What a dead process left in its pipe is read in microseconds; this is for pipes that don't end. */
const READ_TO_END_MS = 1_000;

/** One process of an app, from its start to its end, and the lines Heroku's dyno manager would write about it. */
export class Dyno {
  /** Resolves when every process of the dyno is gone and its last line was emitted. Never rejects. */
  readonly exited: Promise<DynoExit>;
  private readonly options: DynoOptions;
  private readonly currentInfo: DynoInfo;
  private readonly portWait = new AbortController();
  private process: DynoProcess | undefined;
  private stopping = false;
  private ended = false;
  /** Its processes are gone; what they have written may still be read. */
  private hasExited = false;
  private killed = false;
  /** It belongs to the next server. */
  private isLeft = false;
  private graceUntil = 0;
  /** When it was started; 0 when another server did it. */
  private sinceTicks = 0;
  private resolveExited: (exit: DynoExit) => void = () => {};
  private timer: NodeJS.Timeout | undefined;

  constructor(options: DynoOptions) {
    const { id = randomUUID(), name, type, command, size, port } = options;
    const now = new Date();
    this.options = options;
    this.currentInfo = {
      id,
      name,
      type,
      command,
      size,
      state: 'starting',
      port,
      createdAt: now,
      updatedAt: now,
    };
    if (options.adopted) Object.assign(this.currentInfo, adoptedInfo(options.adopted));
    this.exited = new Promise((resolve) => {
      this.resolveExited = resolve;
    });
  }

  /** A copy: it doesn't change with the dyno. */
  info(): DynoInfo {
    return { ...this.currentInfo };
  }

  /**
   * Starts the process, or goes on with one that runs. To be called once. A command that can't be started crashes with status 127.
   * @returns a promise that resolves when it runs; with a process that isn't kept it does when this returns
   */
  async start(): Promise<void> {
    const { name, command, profileScript, lines, adopted, keeper } = this.options;
    if (!adopted) {
      this.sinceTicks = ticksSinceBoot();
      this.log(`Starting process with command \`${command}\``);
    }
    const lineHandler: LineHandler = {
      onLine: (line) => lines.writeLine('app', name, APP_PRIORITY, line),
      onChunk: isChunkSink(lines)
        ? (chunk, onWritable) => lines.writeChunk('app', name, APP_PRIORITY, chunk, onWritable)
        : undefined,
    };
    const { onPartialLine } = this.options;
    if (onPartialLine) lineHandler.onPartial = (line) => onPartialLine(name, line);
    const script = profileScript === undefined ? command : `${profileScript}\n${command}`;
    const { cwd, env, sandboxCommand, user, hasInput, leaderStopSignal } = this.options;
    this.process = new DynoProcess({
      command: script,
      cwd,
      env,
      sandboxCommand,
      user,
      lineHandler,
      hasInput,
      keeper,
      leaderStopSignal,
      note: this.note(),
      adopted: adopted?.process,
    });
    void this.waitForExit(this.process);
    if (keeper) await this.process.started;
    this.currentInfo.pid = this.ended ? undefined : this.process.pid;
    if (this.currentInfo.pid === undefined || this.stopping || this.isLeft) return;
    if (adopted) this.goOn(adopted.note);
    else this.begin();
  }

  private begin(): void {
    const { port, type } = this.options;
    if (port !== undefined && type === 'web') void this.waitForPort(port);
    else this.setState('up');
  }

  /** With what the server before had begun. */
  private goOn({ endsAt }: DynoNote): void {
    if (endsAt !== undefined) {
      this.stopping = true;
      this.awaitEnd(remainingGraceMs(endsAt, Date.now()), STOP_GRACE_MS);
    } else if (this.currentInfo.state === 'starting') this.begin();
    if (this.process?.mayHaveLostOutput)
      this.log('The server was killed: what this dyno wrote just before may be missing here');
  }

  /** Leaves it to the next server, running. */
  leave(): void {
    if (this.ended || this.isLeft) return;
    this.isLeft = true;
    this.portWait.abort();
    clearTimeout(this.timer);
    this.process?.leave(this.note());
  }

  private note(): DynoNote {
    const { owner, cwd, env, profileScript } = this.options;
    const { createdAt, updatedAt, ...info } = this.currentInfo;
    const graceMs = this.graceUntil - performance.now();
    return {
      owner,
      info,
      createdAt: createdAt.getTime(),
      updatedAt: updatedAt.getTime(),
      cwd,
      env,
      profileScript,
      endsAt: this.stopping ? Date.now() + Math.max(0, graceMs) : undefined,
    };
  }

  /**
   * Asks every process of the dyno to end (SIGTERM, unless `leaderStopSignal` says otherwise), and ends them (SIGKILL) when the time is over.
   *
   * @param nextState `starting` if another will take its place at once: Heroku's word for a restart
   * @returns how it ended, when it has
   */
  stop(graceMs = STOP_GRACE_MS, nextState: 'down' | 'starting' = 'down'): Promise<DynoExit> {
    if (this.ended) return this.exited;
    this.setState(nextState);
    if (this.stopping) return this.exited;
    this.stopping = true;
    this.portWait.abort();
    const { drainConnections } = this.options;
    const { host, port } = this.currentInfo;
    // Only a dyno that was up has requests.
    if (drainConnections === undefined || port === undefined || host === undefined) this.terminate(graceMs);
    else void drainConnections(port).then(() => this.terminate(graceMs));
    return this.exited;
  }

  private terminate(graceMs: number): void {
    if (this.hasExited || this.killed || this.isLeft) return;
    const { leaderStopSignal } = this.options;
    this.log(`Stopping all processes with ${leaderStopSignal ?? 'SIGTERM'}`);
    if (leaderStopSignal) this.process?.signalLeader(leaderStopSignal);
    else this.process?.signal('SIGTERM');
    this.awaitEnd(graceMs, graceMs);
    this.process?.note(this.note());
  }

  /** @param leftMs until it is ended, of `graceMs` that it had */
  private awaitEnd(leftMs: number, graceMs: number): void {
    this.graceUntil = performance.now() + leftMs;
    this.setTimer(leftMs, () => {
      const text = `Process failed to exit within ${graceMs / 1000} seconds of SIGTERM`;
      this.log(`${platformErrorTitle('R12')} -> ${text}`);
      this.sigkill();
    });
  }

  /** Kills every process of the dyno at once. Also during `stop()`. */
  kill(): Promise<DynoExit> {
    if (this.ended) return this.exited;
    this.stopping = true;
    this.killed = true;
    this.graceUntil = 0;
    this.portWait.abort();
    this.setState('down');
    clearTimeout(this.timer);
    this.sigkill();
    return this.exited;
  }

  /**
   * Attaches a terminal, one of several perhaps, which gets what the process writes; it ends with the dyno.
   * @returns where what is typed goes (undefined: the process reads nothing), and how to detach; undefined when nothing runs
   */
  attach(terminal: Writable): { readonly input: Writable | undefined; detach(): void } | undefined {
    if (this.ended || !this.process) return undefined;
    const detach = this.process.tap(terminal);
    void this.exited.then(() => terminal.end());
    return { input: this.process.input, detach };
  }

  /** Where others would run that are to be in it; undefined when nothing runs. */
  async place(): Promise<DynoPlace | undefined> {
    const { cwd, env, sandboxCommand: own, profileScript } = this.options;
    const { pid } = this.currentInfo;
    if (pid === undefined || this.ended) return undefined;
    // Where it can't be entered, another sandbox around the same files has to do.
    const sandboxCommand = own && ((await enterSandbox(pid, cwd)) ?? own);
    return { cwd, env, sandboxCommand, profileScript };
  }

  /**
   * Back-pressure: the process has to wait when it writes. If it ends meanwhile, it has `exited` only when the last of
   * its lines could be read; a stop waits for that no longer than a second.
   */
  pause(): void {
    if (!this.ended) this.process?.pause();
  }

  /** Its output is read again. */
  resume(): void {
    this.process?.resume();
  }

  private async waitForPort(port: number): Promise<void> {
    const { bootTimeoutMs = BOOT_TIMEOUT_MS } = this.options;
    this.setTimer(bootTimeoutMs, () => {
      this.portWait.abort();
      const text = `Web process failed to bind to $PORT within ${bootTimeoutMs / 1000} seconds of launch`;
      this.log(`${platformErrorTitle('R10')} -> ${text}`);
      this.sigkill();
    });
    const host = await waitForPort(port, this.portWait.signal);
    if (host === undefined || this.stopping || this.ended) return;
    clearTimeout(this.timer);
    this.currentInfo.host = host;
    this.setState('up');
  }

  private async waitForExit(process: DynoProcess): Promise<void> {
    const status = await process.status;
    this.portWait.abort();
    if (!this.stopping) {
      // The first process is the dyno: what it leaves behind is killed.
      clearTimeout(this.timer);
      process.signal('SIGKILL');
    }
    // While stopping, the others may still shut down gracefully: `sh -c` dies of SIGTERM before its children do.
    const graceLeftMs = this.stopping ? Math.max(0, this.graceUntil - performance.now()) : 0;
    await process.waitForGroupExit(graceLeftMs + KILL_TIMEOUT_MS);
    this.hasExited = true;
    clearTimeout(this.timer);
    if (this.options.killDaemonized && (await killDaemonized(this.currentInfo.id, this.sinceTicks)) > 0)
      this.log('Stopping remaining processes with SIGKILL');
    await process.readToEnd(READ_TO_END_MS, () => !this.stopping);
    this.ended = true;
    this.currentInfo.pid = undefined;
    if (process.startError !== undefined) this.log(`Process failed to start: ${process.startError.message}`);
    this.log(`Process exited with status ${status}`);
    if (this.stopping) return this.resolveExited({ status, reason: 'stopped' });
    const reason = this.options.oneOff ? 'complete' : 'crashed';
    this.setState(reason);
    this.resolveExited({ status, reason });
  }

  private sigkill(): void {
    if (this.hasExited) return;
    this.log('Stopping process with SIGKILL');
    this.process?.signal('SIGKILL');
  }

  /** There is one deadline at a time: of the boot, then of the end. */
  private setTimer(ms: number, onTime: () => void): void {
    clearTimeout(this.timer);
    if (!this.hasExited) this.timer = setTimeout(onTime, ms);
  }

  private setState(state: DynoState): void {
    if (this.currentInfo.state === state) return;
    this.log(`State changed from ${this.currentInfo.state} to ${state}`);
    this.currentInfo.state = state;
    this.currentInfo.updatedAt = new Date();
    if (!this.ended) this.process?.note(this.note());
    this.options.onChange?.(this.info());
  }

  private log(text: string): void {
    this.options.lines.writeLine('heroku', this.options.name, PLATFORM_PRIORITY, text);
  }
}
