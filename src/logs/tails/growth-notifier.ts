import { eventLoopTurns, type Turns } from '../../common/limits/turns.ts';
import type { StreamReader } from '../store/stream-reader.ts';

/**
 * A pause is so many times as long as the round before it. Of a server's processor a fifth is for notifying the tails of one loud stream then, however many
 * they are, and whether anybody reads them: that shows only when the system's buffers are full, after megabytes each.
 */
const PAUSE_ROUNDS = 4;
/** Pauses between rounds are no longer than this: a tail should feel live with a thousand others on the same stream. */
const PAUSE_MAX_MS = 100;
/** Shorter pauses are not worth a timer. */
const PAUSE_MIN_MS = 1;
/** A round with many tails goes on in the next turn of the event loop after so long: a line of somebody else takes several turns. */
const SLICE_MS = 0.25;

/**
 * Notifies all tails of a stream that it has grown: at once while that takes little time; with many tails on a busy stream, after a
 * pause some times as long as the last round took, and in slices. Lines accumulate meanwhile and are sent together, most of the CPU time is left for
 * ingress, and nobody else waits for a round.
 */
export class GrowthNotifier {
  private readonly reader: Pick<StreamReader, 'onAppend'>;
  private readonly listeners = new Set<() => void>();
  private unsubscribe: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly turns: Turns;
  private readonly now: () => number;
  /** Those of the round that aren't notified yet. */
  private round: Iterator<() => void> | undefined;
  private hasGrownInRound = false;
  private roundMs = 0;
  private lastRoundEndMs = 0;

  /** @param now milliseconds on a clock that never goes back */
  constructor(
    reader: Pick<StreamReader, 'onAppend'>,
    turns: Turns = eventLoopTurns,
    now: () => number = () => performance.now(),
  ) {
    this.reader = reader;
    this.turns = turns;
    this.now = now;
  }

  /** How many tails of the stream there are in this process. */
  get listenerCount(): number {
    return this.listeners.size;
  }

  /** Calls `listener` when there are new lines, until the returned function is called. */
  add(listener: () => void): () => void {
    this.listeners.add(listener);
    this.unsubscribe ??= this.reader.onAppend(() => this.onGrow());
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      clearTimeout(this.timer);
      this.timer = undefined;
      this.unsubscribe?.();
      this.unsubscribe = undefined;
    };
  }

  private onGrow(): void {
    if (this.round) this.hasGrownInRound = true;
    if (this.round || this.timer) return;
    const pauseMs = this.lastRoundEndMs + Math.min(PAUSE_ROUNDS * this.roundMs, PAUSE_MAX_MS) - this.now();
    if (pauseMs < PAUSE_MIN_MS) this.notifyAll();
    else this.timer = setTimeout(() => this.notifyAll(), pauseMs);
  }

  private notifyAll(): void {
    this.timer = undefined;
    this.round = this.listeners.values();
    this.roundMs = 0;
    this.notifySlice();
  }

  private readonly notifySlice = (): void => {
    const startedMs = this.now();
    let takenMs = 0;
    while (this.round && takenMs < SLICE_MS) {
      const next = this.round.next();
      if (next.done) this.round = undefined;
      else {
        next.value();
        takenMs = this.now() - startedMs;
      }
    }
    this.roundMs += takenMs;
    if (this.round) {
      void this.turns.next().then(this.notifySlice);
      return;
    }
    this.lastRoundEndMs = startedMs + takenMs;
    if (!this.hasGrownInRound) return;
    this.hasGrownInRound = false;
    this.onGrow();
  };
}

const notifiers = new WeakMap<StreamReader, GrowthNotifier>();

/** Calls `listener` when there is something new in a stream, until the returned function is called. */
export function onGrowth(reader: StreamReader, listener: () => void): () => void {
  let notifier = notifiers.get(reader);
  if (!notifier) {
    notifier = new GrowthNotifier(reader);
    notifiers.set(reader, notifier);
  }
  return notifier.add(listener);
}

/** Is there more than one tail of a stream? Then it is worthwhile to cache what was encoded for one of them. */
export function hasOtherTails(reader: StreamReader): boolean {
  return (notifiers.get(reader)?.listenerCount ?? 0) > 1;
}
