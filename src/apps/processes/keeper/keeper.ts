/**
 * The parent of a server's dynos, a process of its own: they go on while the server is restarted. It starts them, holds the ends of their
 * pipes that nobody reads, and knows how they ended; the server reads the pipes itself. What a dyno writes while there is no server waits in
 * its pipes, and then the dyno waits. When no server comes, or the last one has said so, it ends them all, and itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { constants as systemConstants } from 'node:os';
import { join } from 'node:path';
import { reasonOf } from '../../../common/errors.ts';
import { ownStartTicks } from '../../../common/processes/process-identity.ts';
import { killDaemonized } from '../kill-daemonized.ts';
import { pipeFiles } from '../output/pipes.ts';
import { STOP_GRACE_MS, signalGroup, signalLeader, waitForGroupExit } from '../process-group.ts';
import { listenableSocket } from './long-socket-path.ts';
import {
  KEEPER_VERSION,
  type KeeperRequest,
  type KeptProcess,
  keeperIdentityFile,
  readMessages,
  type StartRequest,
  sendMessage,
} from './messages.ts';

/** From SIGTERM to SIGKILL when a server was killed that somebody wanted to end. */
const AWAITED_GRACE_MS = 5_000;
const KILL_TIMEOUT_MS = 5_000;
/** A data folder that is removed has no server any more. */
const FOLDER_CHECK_MS = 1_000;
/** Until the first server says how long it may be away. */
const FIRST_WAIT_MS = 10_000;

interface Kept {
  readonly pid: number;
  /** Its daemons have it in their environment. */
  readonly dynoId: string | undefined;
  readonly leaderStopSignal: NodeJS.Signals | undefined;
  /** Keep its pipes open. */
  readonly outputFds: readonly number[];
  inputFd: number | undefined;
  note: unknown;
  leftover: readonly string[] | undefined;
  status: number | undefined;
}

export class Keeper {
  private readonly folder: string;
  private readonly server: Server;
  private readonly processes = new Map<string, Kept>();
  /** Of the server. */
  private connection: Socket | undefined;
  private waitMs = FIRST_WAIT_MS;
  private hadServer = false;
  private endsWithServer = false;
  private waitTimer: NodeJS.Timeout | undefined;
  private folderTimer: NodeJS.Timeout | undefined;
  private isEnding = false;
  private readonly onEnded: () => void;

  /** @param folder its own, which is there */
  constructor(folder: string, onEnded: () => void) {
    this.folder = folder;
    this.onEnded = onEnded;
    this.server = createServer((socket) => this.accept(socket));
  }

  /** Resolves when a server may connect. */
  async open(): Promise<void> {
    // Of a keeper that was killed.
    for (const name of readdirSync(this.folder))
      rmSync(join(this.folder, name), { recursive: true, force: true });
    const identity = { pid: process.pid, startTicks: ownStartTicks() };
    writeFileSync(keeperIdentityFile(this.folder), JSON.stringify(identity), { mode: 0o600 });
    const { path, close } = listenableSocket(this.folder);
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(path, resolve);
    }).finally(close);
    this.waitForServer();
  }

  private accept(socket: Socket): void {
    // It had been in the queue: what this one has is about to end.
    if (this.isEnding) return void socket.destroy();
    // There is one server at a time: the last one that came.
    this.connection?.destroy();
    this.connection = socket;
    clearTimeout(this.waitTimer);
    clearInterval(this.folderTimer);
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.connection !== socket) return;
      this.connection = undefined;
      this.waitForServer();
    });
    readMessages(socket, (message) => this.take(socket, message as KeeperRequest));
  }

  private waitForServer(): void {
    if (this.endsWithServer) return void this.end(AWAITED_GRACE_MS);
    if (this.hadServer && this.processes.size === 0) return void this.end(0);
    this.waitTimer = setTimeout(() => void this.end(STOP_GRACE_MS), this.waitMs);
    this.folderTimer = setInterval(() => {
      if (!existsSync(this.folder)) void this.end(0);
    }, FOLDER_CHECK_MS);
  }

  private take(socket: Socket, request: KeeperRequest): void {
    if (request.op === 'hello') {
      this.waitMs = request.waitMs;
      this.hadServer = true;
      this.endsWithServer = false;
      const processes = [...this.processes].map(([id, kept]) => describe(id, kept));
      // It goes on with that itself.
      for (const kept of this.processes.values()) kept.leftover = undefined;
      sendMessage(socket, { number: request.number, version: KEEPER_VERSION, processes });
    } else if (request.op === 'ping') sendMessage(socket, { number: request.number });
    else if (request.op === 'start') void this.start(socket, request.number, request);
    else if (request.op === 'end') this.endsWithServer = true;
    else this.update(request);
  }

  private update(request: Extract<KeeperRequest, { op: 'note' | 'leftover' | 'forget' }>): void {
    const kept = this.processes.get(request.id);
    if (!kept) return;
    if (request.op === 'note') kept.note = request.note;
    else if (request.op === 'leftover') kept.leftover = request.leftover;
    else if (request.op === 'forget') this.forget(request.id, kept);
  }

  private async start(socket: Socket, number: number, request: StartRequest): Promise<void> {
    try {
      sendMessage(socket, { number, pid: await this.spawn(request) });
    } catch (error) {
      this.removeFolder(request.id);
      sendMessage(socket, { number, error: reasonOf(error) });
    }
  }

  private async spawn(request: StartRequest): Promise<number> {
    const { id, program, args, cwd, env, uid, gid, hasInput, leaderStopSignal, note } = request;
    const { outputs, input } = pipeFiles(join(this.folder, id));
    const opened: number[] = [];
    const open = (file: string, flags: number): number => {
      const fd = openSync(file, flags);
      opened.push(fd);
      return fd;
    };
    const close = (fds: readonly number[]): void => {
      for (const fd of fds) closeSync(fd);
    };
    let child: ChildProcess;
    let outputFds: readonly number[];
    let inputFd: number | undefined;
    try {
      // None of these waits for the other end: the server that has made the pipes may be gone by now.
      outputFds = outputs.map((file) => open(file, constants.O_RDONLY | constants.O_NONBLOCK));
      inputFd = hasInput ? openWithoutReader(input) : undefined;
      if (inputFd !== undefined) opened.push(inputFd);
      const childFds = [
        hasInput ? open(input, constants.O_RDONLY) : undefined,
        ...outputs.map((file) => open(file, constants.O_WRONLY)),
      ];
      child = spawn(program, args, {
        cwd,
        env: { ...env },
        uid,
        gid,
        detached: true,
        stdio: childFds.map((fd) => fd ?? 'ignore'),
      });
      close(childFds.filter((fd) => fd !== undefined));
    } catch (error) {
      close(opened);
      throw error;
    }
    const held = [...outputFds, ...(inputFd === undefined ? [] : [inputFd])];
    return new Promise((resolve, reject) => {
      child.once('error', (error) => {
        if (child.pid !== undefined) return;
        close(held);
        reject(error);
      });
      if (child.pid === undefined) return;
      const { pid } = child;
      const kept: Kept = {
        pid,
        dynoId: env.HEROKU_DYNO_ID,
        leaderStopSignal,
        outputFds,
        inputFd,
        note,
        leftover: undefined,
        status: undefined,
      };
      this.processes.set(id, kept);
      child.once('exit', (code, signal) => this.noteExit(id, kept, code, signal));
      resolve(pid);
    });
  }

  private noteExit(id: string, kept: Kept, code: number | null, signal: NodeJS.Signals | null): void {
    kept.status = code ?? 128 + (signal === null ? 0 : systemConstants.signals[signal]);
    if (kept.inputFd !== undefined) closeSync(kept.inputFd);
    kept.inputFd = undefined;
    if (this.connection) sendMessage(this.connection, { exited: id, status: kept.status });
  }

  private forget(id: string, kept: Kept): void {
    this.processes.delete(id);
    for (const fd of kept.outputFds) closeSync(fd);
    if (kept.inputFd !== undefined) closeSync(kept.inputFd);
    this.removeFolder(id);
  }

  private removeFolder(id: string): void {
    rmSync(join(this.folder, id), { recursive: true, force: true });
  }

  /** Ends all processes, and then itself. */
  private async end(graceMs: number): Promise<void> {
    if (this.isEnding) return;
    this.isEnding = true;
    clearTimeout(this.waitTimer);
    clearInterval(this.folderTimer);
    // A server that starts now finds no keeper.
    this.server.close();
    await Promise.all([...this.processes].map(([id, kept]) => this.endOne(id, kept, graceMs)));
    this.onEnded();
  }

  private async endOne(id: string, kept: Kept, graceMs: number): Promise<void> {
    const { pid, leaderStopSignal } = kept;
    // The group lives on without its leader, whose number nobody else gets meanwhile.
    if (graceMs > 0) {
      if (leaderStopSignal === undefined) signalGroup(pid, 'SIGTERM');
      else if (kept.status === undefined) signalLeader(pid, leaderStopSignal);
      await waitForGroupExit(pid, graceMs);
    }
    signalGroup(pid, 'SIGKILL');
    await waitForGroupExit(pid, KILL_TIMEOUT_MS);
    if (kept.dynoId !== undefined) await killDaemonized(kept.dynoId);
    this.forget(id, kept);
  }
}

/** Opens the writer's end of a FIFO that nobody reads yet. */
function openWithoutReader(file: string): number {
  const both = openSync(file, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    return openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
  } finally {
    closeSync(both);
  }
}

function describe(id: string, { pid, status, note, leftover }: Kept): KeptProcess {
  return { id, pid, status, note, leftover };
}
