/**
 * Timers by which a peer is judged. A process that stood still (SIGSTOP, a paused container, a disk that hung) runs timers before it reads
 * what came meanwhile: they would end connections, and repeat requests, whose bytes wait in the system. These ones call back behind that, and
 * behind what of it waits for its turn.
 */
import type { Socket } from 'node:net';
import { eventLoopBudget } from './turns.ts';

/** Calls back once when what had come until now was read, and had its turn, unless it is told not to. */
class BehindReads {
  private isCancelled = false;

  constructor(callback: () => void) {
    setImmediate(() =>
      eventLoopBudget.whenCaughtUp(() => {
        if (!this.isCancelled) callback();
      }),
    );
  }

  cancel(): void {
    this.isCancelled = true;
  }
}

/** Calls back once, when a time has passed and what had come until then was read, unless it is cleared. */
export class Deadline {
  private readonly timer: NodeJS.Timeout;
  private behindReads: BehindReads | undefined;

  /** @param ms from now on */
  constructor(ms: number, onOver: () => void) {
    this.timer = setTimeout(() => {
      this.behindReads = new BehindReads(onOver);
    }, ms);
  }

  /** It doesn't keep the process from ending. */
  unref(): this {
    this.timer.unref();
    return this;
  }

  clear(): void {
    clearTimeout(this.timer);
    this.behindReads?.cancel();
  }
}

/** Checks again and again, each time when what had come was read; it doesn't keep the process from ending. */
export class PeriodicCheck {
  private readonly timer: NodeJS.Timeout;
  private behindReads: BehindReads | undefined;

  constructor(intervalMs: number, check: () => void) {
    this.timer = setInterval(() => {
      this.behindReads = new BehindReads(check);
    }, intervalMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.behindReads?.cancel();
  }
}

/** For `timeout` of a socket (`socket.setTimeout`): calls back unless something has come after all, with which that began anew. */
export function unlessSomethingCame(socket: Socket, callback: () => void): void {
  const { bytesRead } = socket;
  setImmediate(() => {
    if (socket.bytesRead === bytesRead) callback();
  });
}
