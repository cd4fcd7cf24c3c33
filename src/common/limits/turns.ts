/**
 * Work that takes longer than others should wait is done in slices, one a turn of the event loop, whoever has how much of it: in
 * between everybody else's requests are answered.
 */

/** How long a slice may take, in milliseconds, unless it is said otherwise. */
const SLICE_MS = 1;

/** Gives out the turns of the event loop. */
export class Turns {
  private readonly waiting: (() => void)[] = [];
  private isScheduled = false;
  private readonly schedule: (callback: () => void) => void;

  /** @param schedule calls back in the next turn. */
  constructor(schedule: (callback: () => void) => void = setImmediate) {
    this.schedule = schedule;
  }

  /** Resolves in a later turn, in which nobody else who waits here goes on. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.scheduleNext();
    });
  }

  private scheduleNext(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.schedule(this.onTurn);
  }

  private readonly onTurn = (): void => {
    this.isScheduled = false;
    this.waiting.shift()?.();
    if (this.waiting.length > 0) this.scheduleNext();
  };
}

/** The event loop's. */
export const eventLoopTurns = new Turns();

/** So many short works of a kind are done in a turn of the event loop; those that come behind them wait for later turns, in their order. */
export class TurnQuota {
  private readonly perTurn: number;
  private readonly schedule: (callback: () => void) => void;
  private readonly waiting: (() => void)[] = [];
  private done = 0;
  private isScheduled = false;

  /** @param schedule calls back in the next turn. */
  constructor(perTurn: number, schedule: (callback: () => void) => void = setImmediate) {
    this.perTurn = perTurn;
    this.schedule = schedule;
  }

  /** To be called before such a work: undefined when it may be done now, a promise when in a later turn. */
  take(): Promise<void> | undefined {
    this.scheduleNext();
    if (this.done < this.perTurn && this.waiting.length === 0) {
      this.done++;
      return undefined;
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private scheduleNext(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.schedule(this.onTurn);
  }

  private readonly onTurn = (): void => {
    this.isScheduled = false;
    const next = this.waiting.splice(0, this.perTurn);
    this.done = next.length;
    for (const resolve of next) resolve();
    if (this.done > 0) this.scheduleNext();
  };
}

/** How much short works may take together in one turn, in milliseconds. */
const TURN_MS = 2;

/** Short works, of which many may come in one turn: when they have taken their time together, the others go on in the next one. */
export class TurnBudget {
  private readonly waiting: (() => void)[] = [];
  private usedMs = 0;
  private isScheduled = false;
  private readonly schedule: (callback: () => void) => void;
  private readonly now: () => number;

  /**
   * @param schedule calls back in the next turn.
   * @param now milliseconds on a clock that never goes back.
   */
  constructor(
    schedule: (callback: () => void) => void = setImmediate,
    now: () => number = () => performance.now(),
  ) {
    this.schedule = schedule;
    this.now = now;
  }

  /** Does a work, which must not throw: now, or in a later turn. */
  run(work: () => void): void {
    if (this.usedMs < TURN_MS && this.waiting.length === 0) this.execute(work);
    else this.waiting.push(work);
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.schedule(this.onTurn);
  }

  private execute(work: () => void): void {
    const startMs = this.now();
    work();
    this.usedMs += this.now() - startMs;
  }

  private readonly onTurn = (): void => {
    this.isScheduled = false;
    this.usedMs = 0;
    let done = 0;
    while (done < this.waiting.length && this.usedMs < TURN_MS) this.execute(this.waiting[done++]);
    this.waiting.splice(0, done);
    if (this.usedMs === 0 || this.isScheduled) return;
    this.isScheduled = true;
    this.schedule(this.onTurn);
  };
}

/** The event loop's. */
export const eventLoopBudget = new TurnBudget();

/** The slices of one work: ask {@link isOver} often, and {@link next} when it is. */
export class TimeSlices {
  private readonly turns: Turns;
  private readonly now: () => number;
  private readonly sliceMs: number;
  private endMs: number;

  /** @param now milliseconds on a clock that never goes back. */
  constructor(
    sliceMs: number = SLICE_MS,
    turns: Turns = eventLoopTurns,
    now: () => number = () => performance.now(),
  ) {
    this.sliceMs = sliceMs;
    this.turns = turns;
    this.now = now;
    this.endMs = now() + sliceMs;
  }

  /** The slice has taken its time. */
  get isOver(): boolean {
    return this.now() >= this.endMs;
  }

  /** Waits for the turn of the next slice. */
  async next(): Promise<void> {
    await this.turns.next();
    this.endMs = this.now() + this.sliceMs;
  }
}
