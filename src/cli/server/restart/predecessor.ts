/** A server's side of the process that has started it, when it follows another server. */
import type { SendHandle } from 'node:child_process';
import { inheritSocket, type SocketHandle, socketsToPass } from '../../../common/processes/passed-sockets.ts';
import { type HolderMessage, SUCCESSOR_VARIABLE, type SuccessorMessage } from './restart-messages.ts';

interface PredecessorListener {
  /** Another server follows. Resolves when that may start. */
  leave(): Promise<void>;
  /** It can't: serves again. Rejects when this one can't either. */
  comeBack(): Promise<void>;
  /** Another server was to follow, and couldn't be started. */
  noteFailedRestart(): void;
  /** It serves, or nobody is there any more who could start one. */
  end(): void;
  reload(): void;
  /** A request that the server before had begun has ended. */
  routerLine(app: string, message: string): void;
}

export class Predecessor {
  private listener: PredecessorListener | undefined;
  private readonly waiting: ((listener: PredecessorListener) => void)[] = [];
  private readonly mayServe: Promise<void>;

  /** @returns undefined when this is the first server of its process */
  static find(): Predecessor | undefined {
    const isSuccessor = process.env[SUCCESSOR_VARIABLE] !== undefined && process.send !== undefined;
    delete process.env[SUCCESSOR_VARIABLE];
    return isSuccessor ? new Predecessor() : undefined;
  }

  private constructor() {
    this.mayServe = new Promise((resolve, reject) => {
      process.on('message', (message: HolderMessage, handle) => {
        if (message.type === 'socket' && handle)
          inheritSocket({ ...message, handle: handle as SocketHandle });
        else if (message.type === 'go') resolve();
        else if (message.type === 'reload') this.tell((listener) => listener.reload());
        else if (message.type === 'leave') this.tell((listener) => void this.leave(listener));
        else if (message.type === 'come-back') this.tell((listener) => void this.comeBack(listener));
        else if (message.type === 'restart-failed') this.tell((listener) => listener.noteFailedRestart());
        else if (message.type === 'end') this.tell((listener) => listener.end());
        else if (message.type === 'router-line')
          this.tell((listener) => listener.routerLine(message.app, message.message));
      });
      process.once('disconnect', () => {
        reject(new Error('the server before has ended'));
        this.tell((listener) => void listener.leave().then(() => listener.end()));
      });
    });
    this.mayServe.catch(() => {});
  }

  /** Waits until the server before has left. */
  async waitForTurn(): Promise<void> {
    void send({ type: 'ready' });
    await this.mayServe;
  }

  /** This server serves: takes what comes from now on, and what has come. */
  listen(listener: PredecessorListener): void {
    void send({ type: 'serving' });
    this.listener = listener;
    for (const call of this.waiting.splice(0)) call(listener);
  }

  /** Asks for the restart of this server. */
  requestRestart(): void {
    void send({ type: 'restart' });
  }

  /** A line of this process's HTTP router, which the next server has to store. @param app its id */
  sendRouterLine(app: string, message: string): void {
    void send({ type: 'router-line', app, message });
  }

  /** Lets the process end. */
  close(): void {
    process.removeAllListeners('disconnect');
    if (process.connected) process.disconnect();
  }

  private async leave(listener: PredecessorListener): Promise<void> {
    // Until a handle is on its way, its socket has to be open.
    await Promise.all(
      socketsToPass().map(({ handle, ...socket }) => send({ type: 'socket', ...socket }, handle)),
    );
    await listener.leave();
    void send({ type: 'left' });
  }

  private async comeBack(listener: PredecessorListener): Promise<void> {
    // It ends with the error otherwise.
    await listener.comeBack().then(
      () => void send({ type: 'serving' }),
      () => {},
    );
  }

  private tell(call: (listener: PredecessorListener) => void): void {
    if (this.listener) call(this.listener);
    else this.waiting.push(call);
  }
}

/** Resolves when it is sent, or nobody takes it any more. */
function send(message: SuccessorMessage, handle?: SocketHandle): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, handle as SendHandle, {}, () => resolve());
    else resolve();
  });
}
