/**
 * Restarts a server within the process that its supervisor knows: the next server is started as a child of it, waits until it can serve, and
 * gets the sockets that this one listens on; then this one leaves, and goes on as the parent that passes on signals. So the number of the
 * process stays the same, and nobody is refused. A server after that is another child of the same process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Log } from '../../../common/log.ts';
import { type SocketHandle, socketsToPass } from '../../../common/processes/passed-sockets.ts';
import { waitWithTimeout } from '../../../common/wait-with-timeout.ts';
import { type HolderMessage, SUCCESSOR_VARIABLE, type SuccessorMessage } from './restart-messages.ts';

/** Until the next server is ready. */
const READY_TIMEOUT_MS = 60_000;

/** Leaves the server that is part of this process. Resolves when the next one may start. */
type Leave = (
  routerLine: (app: string, message: string) => void,
) => Promise<{ finishRequests(): Promise<void> }>;

export class Successors {
  private readonly log: Log;
  private readonly leave: Leave;
  /** The server that serves; undefined: this process. */
  private current: ChildProcess | undefined;
  private isRestarting = false;
  private isClosed = false;
  /** Resolves with the exit status of a server that ended without another one. */
  readonly ended: Promise<number>;
  private onEnded: (status: number) => void = () => {};

  constructor(log: Log, leave: Leave) {
    this.log = log;
    this.leave = leave;
    this.ended = new Promise((resolve) => {
      this.onEnded = resolve;
    });
  }

  /** Does another process serve? */
  get hasSuccessor(): boolean {
    return this.current !== undefined;
  }

  /** Starts the next server; this one goes on when that fails. One restart is made at a time. */
  async restart(): Promise<void> {
    if (this.isRestarting || this.isClosed) return;
    this.isRestarting = true;
    const before = this.current;
    const next = this.spawn();
    try {
      await this.waitUntilReady(next);
      const finish = before ? await this.moveFrom(before, next) : await this.moveTo(next);
      send(next, { type: 'go' });
      await waitFor(next, 'serving');
      finish();
    } catch (error) {
      this.log.error({ err: error }, 'the server could not be restarted, and goes on');
      next.kill('SIGKILL');
    } finally {
      this.isRestarting = false;
    }
  }

  /** Starts no server any more. */
  close(): void {
    this.isClosed = true;
  }

  /** Passes on a signal, and resolves when the server has ended. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.current?.kill(signal);
    await this.ended;
  }

  reload(): void {
    if (this.current) send(this.current, { type: 'reload' });
  }

  sendRouterLine(app: string, message: string): void {
    if (this.current) send(this.current, { type: 'router-line', app, message });
  }

  private spawn(): ChildProcess {
    const [program, ...args] = process.argv;
    const child = spawn(program, [...process.execArgv, ...args], {
      env: { ...process.env, [SUCCESSOR_VARIABLE]: '1' },
      // A session of its own: a terminal's signals come to this process, which passes them on once.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child.on('message', (message: SuccessorMessage) => {
      if (message.type === 'restart') void this.restart();
      else if (message.type === 'router-line') this.sendRouterLine(message.app, message.message);
    });
    child.once('exit', (code, signal) => {
      if (this.current === child) this.onEnded(code ?? 128 + constants.signals[signal ?? 'SIGKILL']);
    });
    return child;
  }

  private async waitUntilReady(child: ChildProcess): Promise<void> {
    let outcome = 'does not start in time';
    await waitWithTimeout(
      READY_TIMEOUT_MS,
      new Promise<void>((resolve) => {
        const settle = (what: string): void => {
          outcome = what;
          resolve();
        };
        child.once('error', (error) => settle(`could not be started: ${error.message}`));
        child.once('exit', () => settle('has ended, and says why above'));
        child.on('message', (message: SuccessorMessage) => {
          if (message.type === 'ready') settle('ready');
        });
      }),
    );
    if (outcome !== 'ready') throw new Error(`the next server ${outcome}`);
    if (this.isClosed) throw new Error('this server was stopped meanwhile');
  }

  /** Passes on the sockets of a server. Resolves when it has left, with what ends it. */
  private async moveFrom(before: ChildProcess, next: ChildProcess): Promise<() => void> {
    before.on('message', (message: SuccessorMessage, handle) => {
      if (message.type === 'socket' && handle) send(next, message, handle as SocketHandle);
    });
    this.current = next;
    send(before, { type: 'leave' });
    await waitFor(before, 'left');
    return () => send(before, { type: 'end' });
  }

  /** The same from this process. */
  private async moveTo(next: ChildProcess): Promise<() => void> {
    for (const { name, port, handle } of socketsToPass()) send(next, { type: 'socket', name, port }, handle);
    this.current = next;
    const { finishRequests } = await this.leave((app, message) => this.sendRouterLine(app, message));
    return () => void finishRequests();
  }
}

function send(child: ChildProcess, message: HolderMessage, handle?: SocketHandle): void {
  if (child.connected) child.send(message, handle as Parameters<ChildProcess['send']>[1]);
}

/** Resolves when a server has said that, or has ended. */
function waitFor(child: ChildProcess, type: SuccessorMessage['type']): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.on('message', (message: SuccessorMessage) => {
      if (message.type === type) resolve();
    });
  });
}
