import type { AppId } from '../contract.ts';

/** A stream that couldn't be reached for this long is unavailable: shorter interruptions are notified to nobody. */
export const OUTAGE_AFTER_MS = 1_000;

type OutageListener = (unavailable: boolean) => void;

/** Which streams can't be reached, and who is notified of that. */
export class OutageMonitor {
  private readonly listeners = new Map<AppId, Set<OutageListener>>();
  /** Since when; only of apps that have listeners. */
  private readonly unreachableSinceMs = new Map<AppId, number>();
  private readonly unavailable = new Set<AppId>();

  /** As {@link Store.watchOutage}. */
  watch(app: AppId, listener: OutageListener): () => void {
    let listeners = this.listeners.get(app);
    if (!listeners) {
      listeners = new Set();
      this.listeners.set(app, listeners);
    }
    const own = listeners;
    own.add(listener);
    if (this.unavailable.has(app)) queueMicrotask(() => own.has(listener) && listener(true));
    return () => {
      own.delete(listener);
      if (own.size > 0 || this.listeners.get(app) !== own) return;
      this.listeners.delete(app);
      this.unreachableSinceMs.delete(app);
      this.unavailable.delete(app);
    };
  }

  /** Nothing answers: as {@link unreachable} for each app that somebody watches. */
  allUnreachable(): void {
    for (const app of this.listeners.keys()) this.unreachable(app);
  }

  /** The stream wasn't there when it was looked for; when that goes on for {@link OUTAGE_AFTER_MS}, its listeners are told. */
  unreachable(app: AppId): void {
    if (!this.listeners.has(app) || this.unavailable.has(app)) return;
    const sinceMs = this.unreachableSinceMs.get(app);
    if (sinceMs === undefined) this.unreachableSinceMs.set(app, performance.now());
    else if (performance.now() - sinceMs >= OUTAGE_AFTER_MS) {
      this.unavailable.add(app);
      this.notify(app, true);
    }
  }

  /** The stream answers: those who were told of an outage are told that it is over. */
  reachable(app: AppId): void {
    if (!this.unreachableSinceMs.delete(app)) return;
    if (this.unavailable.delete(app)) this.notify(app, false);
  }

  private notify(app: AppId, unavailable: boolean): void {
    for (const listener of this.listeners.get(app) ?? []) listener(unavailable);
  }
}
