/** Bounds how many series a metric has by app or drain: ten thousand of them would make /metrics slow, and fill Prometheus. */

/** Label of all that has no series of its own. No app is called so. */
export const OTHERS = '_other';

/** Decides what has series of its own. Who has them keeps them, or counters would fall. */
export class SeriesBudget {
  private readonly max: number;
  private readonly own = new Set<string>();

  /** @param max so many at the most */
  constructor(max: number) {
    this.max = max;
  }

  /** Those of these that have series of their own, now that there are these: the largest of new ones take what is left. */
  admit(sizes: ReadonlyMap<string, number>): ReadonlySet<string> {
    for (const key of this.own) if (!sizes.has(key)) this.own.delete(key);
    let left = this.max - this.own.size;
    if (left <= 0 || this.own.size === sizes.size) return this.own;
    const others = [...sizes].filter(([key]) => !this.own.has(key));
    if (others.length > left) others.sort(([, a], [, b]) => b - a);
    for (const [key] of others) {
      if (left-- <= 0) break;
      this.own.add(key);
    }
    return this.own;
  }
}

/** The sum of counters that have no series of their own. It never falls, also when some of them are gone. */
export class OthersTotal {
  private seen = new Map<string, number>();
  private total = 0;

  /** Adds what has come since the last time. @param counts of all that are there now */
  update(counts: ReadonlyMap<string, number>): number {
    for (const [key, count] of counts) {
      const before = this.seen.get(key) ?? 0;
      this.total += count >= before ? count - before : count;
    }
    this.seen = new Map(counts);
    return this.total;
  }
}
