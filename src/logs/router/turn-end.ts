/**
 * What has to be done at the end of this turn of the event loop, all of it in one callback: what batchers append there reaches the
 * store together, and a thousand of them cost one timer.
 *
 * When many apps have lines in each turn, a line an app, those that nobody waits for gather for some milliseconds: a batch costs more
 * than many lines in it. While the event loop has no rest they gather for longer, by how long the last callbacks took: what has come waits in
 * the sockets anyway. Those of slow apps that nobody follows gather for half a second then: nobody sees it.
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

/** Lines that nobody reads gather for so long; those that came within a tick are called back together. */
const UNREAD_GATHER_MS = 500;
const UNREAD_TICK_MS = 10;

/** How long callbacks gather while the event loop is busy: so many times as long as the last ones took, up to a limit. */
interface BusyGathering {
  readonly times: number;
  readonly maxMs: number;
}

/** Callbacks of one kind, which are called together. */
class CallbackGroup {
  /** They gather while they are many. Undefined: never. */
  private readonly gathering: BusyGathering | undefined;
  private readonly onMany: ((nowMs: number) => void) | undefined;
  private waiting: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;
  private areMany = false;
  /** See {@link BUSY}. */
  private isBusy = false;
  /** How long the last callbacks took. */
  private lastMs = 0;
  private lastLoop: EventLoopUtilization | undefined;
  private gatheredBytes = 0;

  /** @param onMany is told when they were many */
  constructor(gathering?: BusyGathering, onMany?: (nowMs: number) => void) {
    this.gathering = gathering;
    this.onMany = onMany;
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
    const startMs = performance.now();
    if (this.areMany) {
      this.lookAtLoop();
      this.onMany?.(startMs);
    }
    try {
      callAll(callbacks, (callback) => this.add(callback));
    } finally {
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
 * - `unread`: half a second.
 */
export type TurnPatience = 'none' | 'brief' | 'long' | 'unread';

const groups: Readonly<Record<Exclude<TurnPatience, 'unread'>, CallbackGroup>> = {
  none: new CallbackGroup(),
  brief: new CallbackGroup({ times: 1, maxMs: 60 }),
  long: new CallbackGroup({ times: 4, maxMs: 200 }, (nowMs) => unread.open(nowMs)),
};

/** Callbacks that came within one tick. */
interface Tick {
  readonly dueMs: number;
  readonly callbacks: (() => void)[];
  bytes: number;
}

/** Callbacks that wait for half a second each: those of a tick are called together, so that no turn has all of them. */
class UnreadCallbacks {
  /** Oldest first. */
  private readonly ticks: Tick[] = [];
  private waiting = 0;
  private gatheredBytes = 0;
  /** Unless there are still many then. On the clock of `performance.now()`. */
  private openUntilMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;

  /** May more come? They are many. */
  isOpen(nowMs: number): boolean {
    return nowMs < this.openUntilMs;
  }

  /** There are many who may be called back, each half a second later. */
  open(nowMs: number): void {
    this.openUntilMs = nowMs + UNREAD_GATHER_MS;
  }

  add(callback: () => void, nowMs: number): void {
    const dueMs = nowMs + UNREAD_GATHER_MS;
    let newest = this.ticks.at(-1);
    if (!newest || newest.dueMs + UNREAD_TICK_MS <= dueMs) {
      newest = { dueMs, callbacks: [], bytes: 0 };
      this.ticks.push(newest);
    }
    newest.callbacks.push(callback);
    this.waiting++;
    this.timer ??= setTimeout(this.run, UNREAD_GATHER_MS);
  }

  addBytes(bytes: number): void {
    const newest = this.ticks.at(-1);
    if (!newest) return;
    newest.bytes += bytes;
    this.gatheredBytes += bytes;
    if (this.gatheredBytes < GATHERED_BYTES_MAX) return;
    this.gatheredBytes = 0;
    for (const { callbacks } of this.ticks.splice(0))
      for (const callback of callbacks) groups.none.add(callback);
    this.waiting = 0;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private readonly run = (): void => {
    this.timer = undefined;
    const nowMs = performance.now();
    const due: (() => void)[] = [];
    while (this.ticks.length > 0 && this.ticks[0].dueMs <= nowMs) {
      const { callbacks, bytes } = this.ticks.shift()!;
      this.waiting -= callbacks.length;
      this.gatheredBytes -= bytes;
      for (const callback of callbacks) due.push(callback);
    }
    if (this.waiting >= MANY) this.open(nowMs);
    const [next] = this.ticks;
    if (next) this.timer = setTimeout(this.run, Math.max(next.dueMs - nowMs, UNREAD_TICK_MS / 2));
    callAll(due, (callback) => groups.none.add(callback));
  };
}

const unread = new UnreadCallbacks();

/** Calls `callback` when this turn's events have been handled, or some milliseconds later, when many are as patient. */
export function atTurnEnd(callback: () => void, patience: TurnPatience): void {
  if (patience !== 'unread') {
    groups[patience].add(callback);
    return;
  }
  const nowMs = performance.now();
  if (unread.isOpen(nowMs)) unread.add(callback, nowMs);
  else groups.long.add(callback);
}

/** Open batches that leave when the store can send them. */
let waitingForStore = 0;

/** So many open batches more (or fewer) leave when the store can send them. */
export function addWaitingForStore(count: number): void {
  waitingForStore += count;
}

/** Are callbacks many whose patience is `long`, so that they gather now, or batches that wait for the store? */
export function areManyGathering(): boolean {
  return groups.long.isGathering || waitingForStore >= MANY;
}

/** So many bytes were gathered, for callbacks whose patience is `long` or more. */
export function addGatheredBytes(bytes: number): void {
  groups.long.addBytes(bytes);
  unread.addBytes(bytes);
}

/** Calls all of them; when one has failed, `callLater` gets those behind it. */
function callAll(callbacks: readonly (() => void)[], callLater: (callback: () => void) => void): void {
  let done = 0;
  try {
    while (done < callbacks.length) callbacks[done++]();
  } finally {
    for (; done < callbacks.length; done++) callLater(callbacks[done]);
  }
}
