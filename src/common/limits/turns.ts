/**
 * Work that takes longer than others should wait is done in slices, one a turn of the event loop, whoever has how much of it: in
 * between everybody else's requests are answered.
 */

/** How long a slice may take, in milliseconds, unless it is said otherwise. */
const SLICE_MS = 1;

/** Calls back in the next turn, however often it is asked to until then. */
class NextTurn {
  private isScheduled = false;
  private readonly schedule: (callback: () => void) => void;
  private readonly callback: () => void;

  constructor(schedule: (callback: () => void) => void, callback: () => void) {
    this.schedule = schedule;
    this.callback = callback;
  }

  ask(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.schedule(this.onTurn);
  }

  private readonly onTurn = (): void => {
    this.isScheduled = false;
    this.callback();
  };
}

/** Gives out the turns of the event loop. */
export class Turns {
  private readonly waiting: (() => void)[] = [];
  private readonly nextTurn: NextTurn;

  /** @param schedule calls back in the next turn. */
  constructor(schedule: (callback: () => void) => void = setImmediate) {
    this.nextTurn = new NextTurn(schedule, () => this.onTurn());
  }

  /** Resolves in a later turn, in which nobody else who waits here goes on. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.nextTurn.ask();
    });
  }

  private onTurn(): void {
    this.waiting.shift()?.();
    if (this.waiting.length > 0) this.nextTurn.ask();
  }
}

/** The event loop's. */
export const eventLoopTurns = new Turns();

/** So many short works of a kind are done in a turn of the event loop; those that come behind them wait for later turns, in their order. */
export class TurnQuota {
  private readonly perTurn: number;
  private readonly waiting: (() => void)[] = [];
  private done = 0;
  private readonly nextTurn: NextTurn;

  /** @param schedule calls back in the next turn. */
  constructor(perTurn: number, schedule: (callback: () => void) => void = setImmediate) {
    this.perTurn = perTurn;
    this.nextTurn = new NextTurn(schedule, () => this.onTurn());
  }

  /** To be called before such a work: undefined when it may be done now, a promise when in a later turn. */
  take(): Promise<void> | undefined {
    this.nextTurn.ask();
    if (this.done < this.perTurn && this.waiting.length === 0) {
      this.done++;
      return undefined;
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private onTurn(): void {
    const next = this.waiting.splice(0, this.perTurn);
    this.done = next.length;
    for (const resolve of next) resolve();
    if (this.done > 0) this.nextTurn.ask();
  }
}

/** How much short works may take together in one turn, in milliseconds. */
const TURN_MS = 2;

/** Short works, of which many may come in one turn: when they have taken their time together, the others go on in the next one. */
export class TurnBudget {
  private readonly waiting: (() => void)[] = [];
  private readonly rests: (() => void)[] = [];
  private usedMs = 0;
  private readonly nextTurn: NextTurn;
  private readonly now: () => number;

  /**
   * @param schedule calls back in the next turn.
   * @param now milliseconds on a clock that never goes back.
   */
  constructor(
    schedule: (callback: () => void) => void = setImmediate,
    now: () => number = () => performance.now(),
  ) {
    this.nextTurn = new NextTurn(schedule, () => this.onTurn());
    this.now = now;
  }

  /** Does a work, which must not throw: now, or in a later turn. */
  run(work: () => void): void {
    if (this.usedMs < TURN_MS && this.waiting.length === 0) this.execute(work);
    else this.waiting.push(work);
    this.nextTurn.ask();
  }

  /** Does the rest of something long, which must not throw, in a later turn, behind all works that have come: one a turn at the least. */
  runRest(work: () => void): void {
    this.rests.push(work);
    this.nextTurn.ask();
  }

  /** Calls back when all works and rests that have come until now were done once: now, if there are none. */
  whenCaughtUp(callback: () => void): void {
    let left = 0;
    const onDone = (): void => {
      left--;
      if (left === 0) callback();
    };
    const hasRests = this.rests.length > 0;
    if (this.waiting.length > 0) {
      left++;
      this.run(onDone);
    }
    if (hasRests) {
      left++;
      this.runRest(onDone);
    }
    if (left === 0) callback();
  }

  private execute(work: () => void): void {
    const startMs = this.now();
    work();
    this.usedMs += this.now() - startMs;
  }

  private onTurn(): void {
    this.usedMs = 0;
    const { length } = this.rests;
    this.executeSome(this.waiting, 0, this.waiting.length);
    this.executeSome(this.rests, 1, length);
    if (this.usedMs > 0 || this.waiting.length > 0 || this.rests.length > 0) this.nextTurn.ask();
  }

  /** Those that have their time now, `least` whatever was used; those behind the first `most` have come meanwhile. */
  private executeSome(works: (() => void)[], least: number, most: number): void {
    let done = 0;
    while (done < most && (done < least || this.usedMs < TURN_MS)) this.execute(works[done++]);
    works.splice(0, done);
  }
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
