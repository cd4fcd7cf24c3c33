/** The server's side of the keeper, which is started with the first process, or is there since an earlier server. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Log } from '../../../common/log.ts';
import { PACKAGE_ROOT } from '../../../common/package-info.ts';
import { isProcessRunning } from '../../../common/processes/process-identity.ts';
import { closingDescriptors } from '../inherited-descriptors.ts';
import { killDaemonized } from '../kill-daemonized.ts';
import { signalGroup } from '../process-group.ts';
import { listenableSocket } from './long-socket-path.ts';
import {
  KEEPER_VERSION,
  type KeeperAnswer,
  type KeeperEvent,
  type KeeperRequest,
  type KeptProcess,
  keeperFolder,
  keeperIdentityFile,
  readMessages,
  type StartRequest,
  sendMessage,
} from './messages.ts';

const PROGRAM = join(PACKAGE_ROOT, 'dist', 'bundle', 'keeper.js');
/** It holds next to nothing: its memory is Node.js itself. */
const NODE_OPTIONS = ['--max-semi-space-size=1', '--max-old-space-size=64'];
const START_TIMEOUT_MS = 20_000;
/** How often it is looked whether it answers … */
const PATIENCE_MS = 10_000;
/** … and after so many times without an answer it is killed: after the first one it is woken, if somebody has stopped it. */
const STRIKES_MAX = 6;
/** What is said of a process whose keeper was killed: it is killed as well. */
const STATUS_KILLED = 137;

export interface KeeperClientOptions {
  /** Where the state of the server's dynos is. */
  readonly stateFolder: string;
  /** How long dynos go on without a server. */
  readonly waitMs: number;
  readonly log: Log;
  /** How long it may take to answer before something is done about it. */
  readonly patienceMs?: number;
}

export class KeeperClient {
  private readonly options: KeeperClientOptions;
  private readonly folder: string;
  private socket: Socket | undefined;
  private opening: Promise<boolean> | undefined;
  private nextNumber = 1;
  private readonly answers = new Map<number, (answer: KeeperAnswer) => void>();
  private readonly exits = new Map<string, { pid: number; exited: (status: number) => void }>();
  /** Statuses that nobody has asked for yet. */
  private readonly ended = new Map<string, number>();
  private isClosed = false;
  private watch: NodeJS.Timeout | undefined;
  /** How often it was asked since something came last. */
  private strikes = 0;

  constructor(options: KeeperClientOptions) {
    this.options = options;
    this.folder = keeperFolder(options.stateFolder);
  }

  /** Takes over what an earlier server's keeper has; nothing when there is none. */
  async takeOver(): Promise<readonly KeptProcess[]> {
    const socket = await this.connect();
    if (!socket) return [];
    const answer = await this.greet(socket);
    // It ended at that moment, or had to be killed: what it had is found by its numbers.
    if (answer.version === undefined) return [];
    const { version, processes = [] } = answer;
    if (version >= KEEPER_VERSION) return processes;
    this.options.log.warn(
      { version },
      'the dynos that were left running are ended: what keeps them is of an older version',
    );
    const ended = new Promise<void>((resolve) => {
      if (socket.closed) resolve();
      else socket.once('close', () => resolve());
    });
    this.disconnected();
    sendMessage(socket, { op: 'end' });
    socket.end();
    await ended;
    return [];
  }

  /** Starts it, if there is none. @returns false when that can't be done; dynos are children of this process then */
  ready(): Promise<boolean> {
    if (this.socket) return Promise.resolve(true);
    this.opening ??= this.start()
      .catch((error: unknown) => {
        this.options.log.warn(
          { err: error },
          'dynos will end with this server: their keeper could not be started',
        );
        return false;
      })
      .finally(() => {
        this.opening = undefined;
      });
    return this.opening;
  }

  /** Of the pipes of one process. */
  folderOf(id: string): string {
    return join(this.folder, id);
  }

  /** @returns its pid; rejects when it can't be started */
  async startProcess(request: StartRequest): Promise<number> {
    const { pid, error } = await this.ask((number) => ({ op: 'start', number, ...request }));
    if (pid !== undefined) return pid;
    // It may have been started before.
    if (error === undefined && request.env.HEROKU_DYNO_ID !== undefined)
      await killDaemonized(request.env.HEROKU_DYNO_ID);
    throw new Error(error ?? 'its keeper was killed');
  }

  /** Resolves with a process's exit status. */
  exitOf({
    id,
    pid,
    status = this.ended.get(id),
  }: Pick<KeptProcess, 'id' | 'pid' | 'status'>): Promise<number> {
    this.ended.delete(id);
    if (status !== undefined) return Promise.resolve(status);
    return new Promise((exited) => {
      if (this.socket) this.exits.set(id, { pid, exited });
      else {
        signalGroup(pid, 'SIGKILL');
        exited(STATUS_KILLED);
      }
    });
  }

  /** Keeps what the next server has to know of a process: plain JSON, in the place of what was noted before. */
  note(id: string, note: unknown): void {
    this.send({ op: 'note', id, note });
  }

  /** Leaves a process to the next server. @param leftover what was read of its outputs, and isn't a whole line */
  leave(id: string, note: unknown, leftover: readonly Buffer[]): void {
    this.exits.delete(id);
    this.send({ op: 'note', id, note });
    this.send({ op: 'leftover', id, leftover: leftover.map((bytes) => bytes.toString('base64')) });
  }

  /** It has ended, and nothing of it is needed any more. */
  forget(id: string): void {
    this.send({ op: 'forget', id });
  }

  /** From now on everything ends with this server, however it ends. */
  endWithServer(): void {
    this.send({ op: 'end' });
  }

  /** Ends what was left to a next server: none will come. */
  async endWhatIsLeft(): Promise<void> {
    const socket = await this.connect();
    if (!socket) return;
    socket.on('error', () => {});
    sendMessage(socket, { op: 'end' });
    await new Promise<void>((resolve) => socket.end(resolve));
  }

  /** Leaves what it has to the next server, or ends with this one. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.opening;
    const { socket } = this;
    this.disconnected();
    if (socket) await new Promise<void>((resolve) => socket.end(resolve));
    socket?.destroy();
  }

  private async start(): Promise<boolean> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    await this.spawnKeeper();
    const socket = await this.connect();
    if (!socket) throw new Error('it accepts no connection');
    const { version } = await this.greet(socket);
    if (version === undefined) throw new Error('it does not answer');
    return true;
  }

  private async spawnKeeper(): Promise<void> {
    // What it starts would have them as well, among them programs of another user (PostgreSQL).
    const { program, args } = closingDescriptors([process.execPath, ...NODE_OPTIONS, PROGRAM, this.folder], {
      isLenient: true,
    });
    const child = spawn(program, args, {
      // Its own session: a terminal's Ctrl-C is the server's.
      detached: true,
      cwd: '/',
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child.unref();
    const ready = new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('error', reject);
      child.once('exit', (code, signal) => reject(new Error(`it ended with ${code ?? signal}`)));
    });
    ready.catch(() => {});
    const timeout = new Promise<never>((_resolve, reject) => {
      setTimeout(() => reject(new Error('it did not start in time')), START_TIMEOUT_MS).unref();
    });
    await Promise.race([ready, timeout]);
    child.stdout.destroy();
  }

  private connect(): Promise<Socket | undefined> {
    let path: ReturnType<typeof listenableSocket>;
    try {
      path = listenableSocket(this.folder);
    } catch {
      return Promise.resolve(undefined); // there is no such folder
    }
    return new Promise<Socket | undefined>((resolve) => {
      const socket = connect(path.path);
      socket.once('error', () => resolve(undefined));
      socket.once('connect', () => resolve(socket));
    }).finally(path.close);
  }

  /** @returns without a version when it ended instead of an answer */
  private greet(socket: Socket): Promise<KeeperAnswer> {
    this.socket = socket;
    socket.on('error', () => {});
    socket.once('close', () => this.onClosed(socket));
    readMessages(socket, (message) => this.take(message as KeeperAnswer | KeeperEvent));
    const { waitMs, patienceMs = PATIENCE_MS } = this.options;
    this.strikes = 1;
    this.watch = setInterval(() => this.look(), patienceMs).unref();
    return this.ask((number) => ({ op: 'hello', number, version: KEEPER_VERSION, waitMs }));
  }

  /**
   * Without its keeper nobody knows which dynos have ended, and none can be started: one that was stopped is woken, one that hangs is killed.
   * It is counted how often it was looked, not for how long: the whole machine may have stood still.
   */
  private look(): void {
    this.strikes++;
    if (this.strikes > 1) {
      this.options.log.warn({ looks: this.strikes - 1 }, 'the keeper of the dynos does not answer');
      this.signal(this.strikes > STRIKES_MAX ? 'SIGKILL' : 'SIGCONT');
    }
    void this.ask((number) => ({ op: 'ping', number }));
  }

  private signal(signal: NodeJS.Signals): void {
    try {
      const { pid, startTicks } = JSON.parse(readFileSync(keeperIdentityFile(this.folder), 'utf8'));
      if (isProcessRunning(pid, startTicks)) process.kill(pid, signal);
    } catch (error) {
      this.options.log.warn({ err: error }, 'the keeper of the dynos can not be signaled');
    }
  }

  private take(message: KeeperAnswer | KeeperEvent): void {
    this.strikes = 0;
    if ('exited' in message) {
      const waiting = this.exits.get(message.exited);
      this.exits.delete(message.exited);
      if (waiting) waiting.exited(message.status);
      else this.ended.set(message.exited, message.status);
      return;
    }
    const answer = this.answers.get(message.number);
    this.answers.delete(message.number);
    answer?.(message);
  }

  private ask(requestOf: (number: number) => KeeperRequest): Promise<KeeperAnswer> {
    const number = this.nextNumber++;
    return new Promise((resolve) => {
      if (!this.socket) return resolve({ number });
      this.answers.set(number, resolve);
      this.send(requestOf(number));
    });
  }

  private send(request: KeeperRequest): void {
    if (this.socket) sendMessage(this.socket, request);
  }

  private disconnected(): void {
    this.socket = undefined;
    clearInterval(this.watch);
  }

  /** Somebody has killed the keeper: nobody knows any more how its processes end, so they are ended. */
  private onClosed(socket: Socket): void {
    if (this.socket !== socket) return;
    this.disconnected();
    if (!this.isClosed)
      this.options.log.error(
        { dynos: this.exits.size },
        'the keeper of the dynos was killed: they are started again',
      );
    for (const { pid, exited } of this.exits.values()) {
      signalGroup(pid, 'SIGKILL');
      exited(STATUS_KILLED);
    }
    this.exits.clear();
    for (const [number, answer] of this.answers) answer({ number });
    this.answers.clear();
  }
}
