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
