import type { AppId } from '../contract.ts';

/** A stream that couldn't be reached for this long is away: less is a hiccup that nobody has to hear of. */
export const AWAY_MS = 1_000;

type Told = (away: boolean) => void;

/** Whose streams can't be reached, and who wants to know that. */
export class Absences {
  private readonly watchers = new Map<AppId, Set<Told>>();
  /** Since when; only of apps that somebody watches. */
  private readonly missedSinceMs = new Map<AppId, number>();
  private readonly away = new Set<AppId>();

  watch(app: AppId, told: Told): () => void {
    let watchers = this.watchers.get(app);
    if (!watchers) {
      watchers = new Set();
      this.watchers.set(app, watchers);
    }
    const own = watchers;
    own.add(told);
    if (this.away.has(app)) queueMicrotask(() => own.has(told) && told(true));
    return () => {
      own.delete(told);
      if (own.size > 0 || this.watchers.get(app) !== own) return;
      this.watchers.delete(app);
      this.missedSinceMs.delete(app);
      this.away.delete(app);
    };
  }

  missedAll(): void {
    for (const app of this.watchers.keys()) this.missed(app);
  }

  missed(app: AppId): void {
    if (!this.watchers.has(app) || this.away.has(app)) return;
    const sinceMs = this.missedSinceMs.get(app);
    if (sinceMs === undefined) this.missedSinceMs.set(app, performance.now());
    else if (performance.now() - sinceMs >= AWAY_MS) {
      this.away.add(app);
      this.tell(app, true);
    }
  }

  reached(app: AppId): void {
    if (!this.missedSinceMs.delete(app)) return;
    if (this.away.delete(app)) this.tell(app, false);
  }

  private tell(app: AppId, away: boolean): void {
    for (const told of this.watchers.get(app) ?? []) told(away);
  }
}
