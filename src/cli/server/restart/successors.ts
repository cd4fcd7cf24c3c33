/**
 * Restarts a server within the process that its supervisor knows: the next server is started as a child of it, waits until it can serve, and
 * gets the sockets that this one listens on; then this one leaves, and goes on as the parent that passes on signals. So the number of the
 * process stays the same, and nobody is refused. A server after that is another child of the same process. When the next server can't serve,
 * the one before serves again.
 */
import { type ChildProcess, type SendHandle, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Log } from '../../../common/log.ts';
import { type SocketHandle, socketsToPass } from '../../../common/processes/passed-sockets.ts';
import { waitWithTimeout } from '../../../common/wait-with-timeout.ts';
import type { OwnServer } from './own-server.ts';
import {
  type HolderMessage,
  type SocketMessage,
  SUCCESSOR_VARIABLE,
  type SuccessorMessage,
} from './restart-messages.ts';

/** Until the next server is ready. */
const READY_TIMEOUT_MS = 60_000;
/** Until it serves, when the one before has left: it may have a large store to open. */
const SERVING_TIMEOUT_MS = 120_000;

/** A server that has left. */
interface Left {
  /** The next one serves: takes no more requests, and ends. */
  finish(): void;
  /** Serves again. Rejects when it can't. */
  comeBack(): Promise<void>;
}

export class Successors {
  private readonly log: Log;
  private readonly own: OwnServer;
  /** The server that serves; undefined: this process. */
  private current: ChildProcess | undefined;
  /** The next one, until the one before is asked to leave. */
  private starting: ChildProcess | undefined;
  private restarting: Promise<void> | undefined;
  private isClosed = false;
  /** Resolves with the exit status of a server that ended without another one. */
  readonly ended: Promise<number>;
  private onEnded: (status: number) => void = () => {};

  constructor(log: Log, own: OwnServer) {
    this.log = log;
    this.own = own;
    this.ended = new Promise((resolve) => {
      this.onEnded = resolve;
    });
  }

  /** Does another process serve? */
  get hasSuccessor(): boolean {
    return this.current !== undefined;
  }

  /** Starts the next server; this one goes on when that fails. One restart is made at a time. */
  restart(): void {
    if (this.restarting || this.isClosed) return;
    this.restarting = this.replace().finally(() => {
      this.restarting = undefined;
    });
  }

  /** Starts no server any more. Resolves when it is decided which one serves. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.starting?.kill('SIGKILL');
    await this.restarting;
  }

  /** Ends all servers at once, with their dynos. */
  async kill(): Promise<void> {
    this.isClosed = true;
    this.starting?.kill('SIGKILL');
    if (!this.restarting && this.current) return this.end('SIGQUIT');
    this.current?.kill('SIGKILL');
    await this.own.kill();
  }

  /** Passes on a signal, and resolves when the server has ended. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.current?.kill(signal);
    await this.ended;
  }

  /** Certificates are read anew, by whoever is the server now. */
  reload(): void {
    if (this.current) void send(this.current, { type: 'reload' });
    else this.own.reload();
  }

  /** A line of the HTTP router, stored by whoever is the server now. @param app its id */
  sendRouterLine(app: string, message: string): void {
    if (this.current) void send(this.current, { type: 'router-line', app, message });
    else this.own.writeRouterLine(app, message);
  }

  private async replace(): Promise<void> {
    const before = this.current;
    const next = this.spawn();
    this.starting = next;
    const exited = new Promise<void>((resolve) => {
      next.once('exit', () => resolve());
      next.once('error', () => resolve());
    });
    let left: Left | undefined;
    try {
      await waitFor(next, 'ready', READY_TIMEOUT_MS);
      this.starting = undefined;
      if (this.isClosed) throw new Error('this server was stopped meanwhile');
      left = before ? await this.moveFrom(before, next) : await this.moveTo(next);
      void send(next, { type: 'go' });
      await waitFor(next, 'serving', SERVING_TIMEOUT_MS);
      left.finish();
    } catch (error) {
      this.log.error({ err: error }, 'the server could not be restarted, and goes on');
      this.starting = undefined;
      next.kill('SIGKILL');
      await exited;
      await this.goOn(before, left);
    }
  }

  /** With the server before, since there is no next one. */
  private async goOn(before: ChildProcess | undefined, left: Left | undefined): Promise<void> {
    this.current = before;
    try {
      if (left) await left.comeBack();
      else if (before) void send(before, { type: 'restart-failed' });
      else this.own.noteFailedRestart();
    } catch (error) {
      this.log.error({ err: error }, 'the server could not serve again, and ends');
      before?.kill('SIGKILL');
      this.onEnded(1);
    }
    // It may have ended meanwhile, by itself.
    const status = before && statusOf(before);
    if (status !== undefined) this.onEnded(status);
  }

  private spawn(): ChildProcess {
    const [program, ...args] = process.argv;
    const child = spawn(program, [...process.execArgv, ...args], {
      env: { ...process.env, [SUCCESSOR_VARIABLE]: '1' },
      // A session of its own: a terminal's signals come to this process, which passes them on once.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    // What can't be sent to it any more: it has ended, which is noticed.
    child.on('error', () => {});
    child.on('message', (message: SuccessorMessage) => {
      if (message.type === 'restart') this.restart();
      else if (message.type === 'router-line') this.sendRouterLine(message.app, message.message);
    });
    child.once('exit', () => {
      // During a restart it is the next server that counts, or whoever goes on instead.
      if (this.current === child && !this.restarting) this.onEnded(statusOf(child) ?? 1);
    });
    return child;
  }

  /** Passes on the sockets of a server. Resolves when it has left. */
  private async moveFrom(before: ChildProcess, next: ChildProcess): Promise<Left> {
    const sockets: (readonly [SocketMessage, SocketHandle])[] = [];
    const onSocket = (message: SuccessorMessage, passed: unknown): void => {
      if (message.type !== 'socket' || !passed) return;
      const handle = passed as SocketHandle;
      sockets.push([message, handle]);
      void send(next, message, handle);
    };
    before.on('message', onSocket);
    const closeSockets = (): void => {
      for (const [, handle] of sockets.splice(0)) handle.close();
    };
    this.current = next;
    void send(before, { type: 'leave' });
    // One that was killed has left, too.
    await waitFor(before, 'left').catch(() => {});
    before.off('message', onSocket);
    return {
      finish: () => {
        closeSockets();
        void send(before, { type: 'end' });
      },
      comeBack: async () => {
        await Promise.all(sockets.map(([message, handle]) => send(before, message, handle)));
        closeSockets();
        void send(before, { type: 'come-back' });
        await waitFor(before, 'serving', SERVING_TIMEOUT_MS);
      },
    };
  }

  /** The same from this process. */
  private async moveTo(next: ChildProcess): Promise<Left> {
    // Until a handle is on its way, its socket has to be open.
    await Promise.all(
      socketsToPass().map(({ handle, ...socket }) => send(next, { type: 'socket', ...socket }, handle)),
    );
    this.current = next;
    await this.own.leave((app, message) => this.sendRouterLine(app, message));
    return { finish: () => void this.own.close(), comeBack: () => this.own.comeBack() };
  }
}

/** Of a process that has ended: 0–255, 128 + n for signal n. */
function statusOf({ exitCode, signalCode }: ChildProcess): number | undefined {
  return exitCode ?? (signalCode === null ? undefined : 128 + constants.signals[signalCode]);
}

/** Resolves when it is sent, or nobody takes it any more. */
function send(child: ChildProcess, message: HolderMessage, handle?: SocketHandle): Promise<void> {
  return new Promise((resolve) => {
    if (child.connected) child.send(message, handle as SendHandle, {}, () => resolve());
    else resolve();
  });
}

/**
 * Resolves when a server has said that. Rejects when it has ended or couldn't be started, or doesn't say it in time.
 * @param timeoutMs default: as long as it takes
 */
async function waitFor(
  child: ChildProcess,
  type: SuccessorMessage['type'],
  timeoutMs = Number.POSITIVE_INFINITY,
): Promise<void> {
  let outcome = 'takes too long';
  let settle = (_what: string): void => {};
  const settled = new Promise<void>((resolve) => {
    settle = (what) => {
      outcome = what;
      resolve();
    };
  });
  const onError = (error: Error): void => settle(`could not be started: ${error.message}`);
  const onExit = (): void => settle('has ended, and says why above');
  const onMessage = (message: SuccessorMessage): void => {
    if (message.type === type) settle('');
  };
  child.on('error', onError).on('exit', onExit).on('message', onMessage);
  if (statusOf(child) !== undefined) onExit();
  if (timeoutMs === Number.POSITIVE_INFINITY) await settled;
  else await waitWithTimeout(timeoutMs, settled);
  child.off('error', onError).off('exit', onExit).off('message', onMessage);
  if (outcome !== '') throw new Error(`a server was to be "${type}", and ${outcome}`);
}
