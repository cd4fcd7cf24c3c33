/** Width of a bucket: quantiles are at most 2 % off. */
const GROWTH = 1.04;
const LOG_GROWTH = Math.log(GROWTH);
/** Bucket of everything that isn't over 0. */
const ZERO = 'z';

/** How it is stored: counts by bucket. */
export type StoredHistogram = Readonly<Record<string, number>>;

/** A distribution of values, as counts in buckets that grow by a factor: of any two, the sum is the distribution of both. */
export class ValueHistogram {
  private readonly counts = new Map<string, number>();

  constructor(stored: StoredHistogram = {}) {
    this.merge(stored);
  }

  /** In whatever unit its values have. What isn't over 0 has a bucket of its own. */
  record(value: number): void {
    this.add(value > 0 ? String(Math.ceil(Math.log(value) / LOG_GROWTH)) : ZERO, 1);
  }

  /** Adds the values of another one. */
  merge(stored: StoredHistogram): void {
    for (const [bucket, count] of Object.entries(stored)) this.add(bucket, count);
  }

  /** How many values there are. */
  get count(): number {
    let sum = 0;
    for (const count of this.counts.values()) sum += count;
    return sum;
  }

  /** The sum of all values, as exactly as the buckets are. */
  get total(): number {
    let sum = 0;
    for (const [bucket, count] of this.counts) sum += bucket === ZERO ? 0 : middleOf(Number(bucket)) * count;
    return sum;
  }

  /** @returns in the order of `quantiles` (0.5 is the median), which rise; null for each when there is no value */
  quantiles(quantiles: readonly number[]): (number | null)[] {
    const buckets = [...this.counts]
      .map(([bucket, count]) => ({ exponent: bucket === ZERO ? -Infinity : Number(bucket), count }))
      .sort((a, b) => a.exponent - b.exponent);
    const total = this.count;
    let at = 0;
    let seen = buckets[0]?.count ?? 0;
    return quantiles.map((quantile) => {
      if (total === 0) return null;
      const rank = Math.max(1, Math.ceil(quantile * total));
      while (seen < rank) seen += buckets[++at].count;
      return middleOf(buckets[at].exponent);
    });
  }

  /** For the constructor, or {@link merge}. */
  toStored(): StoredHistogram {
    return Object.fromEntries(this.counts);
  }

  private add(bucket: string, count: number): void {
    this.counts.set(bucket, (this.counts.get(bucket) ?? 0) + count);
  }
}

/** The middle of a bucket. */
function middleOf(exponent: number): number {
  return exponent === -Infinity ? 0 : (GROWTH ** exponent + GROWTH ** (exponent - 1)) / 2;
}
