/**
 * What has to be done at the end of this turn of the event loop, all of it in one callback: what batchers append there reaches the
 * store together, and a thousand of them cost one timer.
 *
 * When many apps have lines in each turn, a line an app, those that nobody waits for gather for some milliseconds: a batch costs more
 * than many lines in it. While the event loop has no rest they gather for longer, by how long the last callbacks took: what has come waits in
 * the sockets anyway.
 */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';

/** So many callbacks of one turn are many. */
const MANY = 100;
const GATHER_MS = 8;
/** While the event loop is busy for so large a part of the time. */
const BUSY_GATHER_MS = 15;
const BUSY = 0.95;
/** When so many bytes were gathered, it is over: they are in memory, and nothing holds their senders up. */
const GATHERED_BYTES_MAX = 33_554_432;

/** How long callbacks gather while the event loop is busy: so many times as long as the last ones took, up to a limit. */
interface BusyGathering {
  readonly times: number;
  readonly maxMs: number;
}

/** Callbacks of one kind, which are called together. */
class CallbackGroup {
  /** They gather while they are many. Undefined: never. */
  private readonly gathering: BusyGathering | undefined;
  private waiting: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;
  private areMany = false;
  /** See {@link BUSY}. */
  private isBusy = false;
  /** How long the last callbacks took. */
  private lastMs = 0;
  private lastLoop: EventLoopUtilization | undefined;
  private gatheredBytes = 0;

  constructor(gathering?: BusyGathering) {
    this.gathering = gathering;
  }

  get isGathering(): boolean {
    return this.areMany;
  }

  add(callback: () => void): void {
    if (this.waiting.push(callback) > 1) return;
    if (this.areMany) this.timer = setTimeout(this.run, this.gatherMs);
    else setImmediate(this.run);
  }

  addBytes(bytes: number): void {
    this.gatheredBytes += bytes;
    if (this.gatheredBytes < GATHERED_BYTES_MAX || !this.timer) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    setImmediate(this.run);
  }

  private get gatherMs(): number {
    if (!this.isBusy || !this.gathering) return GATHER_MS;
    const { times, maxMs } = this.gathering;
    return Math.min(Math.max(times * this.lastMs, BUSY_GATHER_MS), maxMs);
  }

  private readonly run = (): void => {
    const callbacks = this.waiting;
    this.waiting = [];
    this.timer = undefined;
    this.gatheredBytes = 0;
    this.areMany = this.gathering !== undefined && callbacks.length >= MANY;
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

/**
 * How long callbacks may gather, when they are many.
 * - `none`: somebody waits.
 * - `brief`: as long as the last ones took.
 * - `long`: four times as long, so that they take a fifth of the time, however many they are.
 */
export type TurnPatience = 'none' | 'brief' | 'long';

const groups: Readonly<Record<TurnPatience, CallbackGroup>> = {
  none: new CallbackGroup(),
  brief: new CallbackGroup({ times: 1, maxMs: 60 }),
  long: new CallbackGroup({ times: 4, maxMs: 200 }),
};

/** Calls `callback` when this turn's events have been handled, or some milliseconds later, when many are as patient. */
export function atTurnEnd(callback: () => void, patience: TurnPatience): void {
  groups[patience].add(callback);
}

/** Are callbacks many whose patience is `long`, so that they gather now? */
export function areManyGathering(): boolean {
  return groups.long.isGathering;
}

/** So many bytes were gathered, for callbacks whose patience is `long`. */
export function addGatheredBytes(bytes: number): void {
  groups.long.addBytes(bytes);
}
