/**
 * What has to be done at the end of this turn of the event loop, all of it in one callback: what batchers append there reaches the
 * store together, and a thousand of them cost one timer.
 *
 * When many apps have lines in each turn, a line an app, those that nobody waits for gather for some milliseconds: a batch costs more
 * than many lines in it.
 */

/** So many callbacks of one turn are many. */
const MANY = 100;
const GATHER_MS = 8;

/** Callbacks of one kind, which are called together. */
class CallbackGroup {
  private readonly gatherMs: number;
  private waiting: (() => void)[] = [];
  private areMany = false;

  /** @param gatherMs how long they may wait for others while they are many */
  constructor(gatherMs: number) {
    this.gatherMs = gatherMs;
  }

  add(callback: () => void): void {
    if (this.waiting.push(callback) > 1) return;
    if (this.areMany && this.gatherMs > 0) setTimeout(this.run, this.gatherMs);
    else setImmediate(this.run);
  }

  private readonly run = (): void => {
    const callbacks = this.waiting;
    this.waiting = [];
    this.areMany = callbacks.length >= MANY;
    let done = 0;
    try {
      while (done < callbacks.length) callbacks[done++]();
    } finally {
      // One has failed: the others are called nevertheless.
      for (; done < callbacks.length; done++) this.add(callbacks[done]);
    }
  };
}

const prompt = new CallbackGroup(0);
const patient = new CallbackGroup(GATHER_MS);

/** Calls `callback` when this turn's events have been handled. @param mayWait or some milliseconds later, when there are many */
export function atTurnEnd(callback: () => void, mayWait: boolean): void {
  (mayWait ? patient : prompt).add(callback);
}
