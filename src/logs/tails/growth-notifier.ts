import type { StreamReader } from '../store/stream-reader.ts';

/** Pauses between rounds are no longer than this: a tail should feel live with a thousand others on the same stream. */
const PAUSE_MAX_MS = 50;
/** Shorter pauses are not worth a timer. */
const PAUSE_MIN_MS = 1;

/**
 * Notifies all tails of a stream that it has grown: at once while that takes little time; with many tails on a busy stream, after a
 * pause as long as the last round took. Lines accumulate meanwhile and are sent together, and half of the CPU time is left for
 * ingress.
 */
class GrowthNotifier {
  private readonly reader: StreamReader;
  private readonly listeners = new Set<() => void>();
  private unsubscribe: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private lastRoundEndMs = 0;
  private lastRoundMs = 0;

  constructor(reader: StreamReader) {
    this.reader = reader;
  }

  get listenerCount(): number {
    return this.listeners.size;
  }

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
    if (this.timer) return;
    const pauseMs = this.lastRoundEndMs + Math.min(this.lastRoundMs, PAUSE_MAX_MS) - performance.now();
    if (pauseMs < PAUSE_MIN_MS) this.notifyAll();
    else this.timer = setTimeout(() => this.notifyAll(), pauseMs);
  }

  private notifyAll(): void {
    this.timer = undefined;
    const startedMs = performance.now();
    for (const listener of this.listeners) listener();
    this.lastRoundEndMs = performance.now();
    this.lastRoundMs = this.lastRoundEndMs - startedMs;
  }
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
