/**
 * What has to be done at the end of this turn of the event loop, all of it in one callback: what batchers append there reaches the
 * store together, and a thousand of them cost one timer.
 *
 * When many apps have lines in each turn, a line an app, those that nobody waits for gather for some milliseconds: a batch costs more
 * than many lines in it. While the event loop has no rest they gather for longer, as long as the last callbacks took: what has come waits in
 * the sockets anyway.
 */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';

/** So many callbacks of one turn are many. */
const MANY = 100;
const GATHER_MS = 8;
/** While the event loop is busy for so large a part of the time. */
const BUSY_GATHER_MS = 15;
const BUSY_GATHER_MAX_MS = 60;
const BUSY = 0.95;

/** Callbacks of one kind, which are called together. */
class CallbackGroup {
  /** Gather while they are many. */
  private readonly mayGather: boolean;
  private waiting: (() => void)[] = [];
  private areMany = false;
  /** See {@link BUSY}. */
  private isBusy = false;
  /** How long the last callbacks took. */
  private lastMs = 0;
  private lastLoop: EventLoopUtilization | undefined;

  constructor(mayGather: boolean) {
    this.mayGather = mayGather;
  }

  add(callback: () => void): void {
    if (this.waiting.push(callback) > 1) return;
    if (this.areMany) setTimeout(this.run, this.gatherMs);
    else setImmediate(this.run);
  }

  private get gatherMs(): number {
    return this.isBusy ? Math.min(Math.max(this.lastMs, BUSY_GATHER_MS), BUSY_GATHER_MAX_MS) : GATHER_MS;
  }

  private readonly run = (): void => {
    const callbacks = this.waiting;
    this.waiting = [];
    this.areMany = this.mayGather && callbacks.length >= MANY;
    if (this.areMany) this.lookAtLoop();
    const startMs = performance.now();
    let done = 0;
    try {
      while (done < callbacks.length) callbacks[done++]();
    } finally {
      // One has failed: the others are called nevertheless.
      for (; done < callbacks.length; done++) this.add(callbacks[done]);
      this.lastMs = performance.now() - startMs;
    }
  };

  /** How busy was it since the last look? */
  private lookAtLoop(): void {
    const now = performance.eventLoopUtilization();
    const { lastLoop } = this;
    this.isBusy =
      lastLoop !== undefined && performance.eventLoopUtilization(now, lastLoop).utilization >= BUSY;
    this.lastLoop = now;
  }
}

const prompt = new CallbackGroup(false);
const patient = new CallbackGroup(true);

/** Calls `callback` when this turn's events have been handled. @param mayWait or some milliseconds later, when there are many */
export function atTurnEnd(callback: () => void, mayWait: boolean): void {
  (mayWait ? patient : prompt).add(callback);
}
