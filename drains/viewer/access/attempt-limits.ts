/** Passwords and links that are guessed: only so many attempts from an address, and for an account. */
import { TailraceError } from '../../../src/common/errors.ts';
import { TokenBucket } from '../../../src/common/limits/token-bucket.ts';
import { LruCache } from '../../../src/common/lru-cache.ts';

const TRACKED_MAX = 20_000;
/** From one address: ten at once, then one every 30 seconds. For one account, from wherever: thirty, then one a minute. */
const PER_ADDRESS = { burst: 10, perSecond: 1 / 30 };
const PER_ACCOUNT = { burst: 30, perSecond: 1 / 60 };

export class AttemptLimits {
  private readonly buckets = new LruCache<string, TokenBucket>(TRACKED_MAX);
  private readonly now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /**
   * Counts an attempt; call the returned function when it was right.
   * @throws TailraceError `rate_limited`
   */
  begin(address: string, account: string | undefined): () => void {
    const buckets = [this.bucket(`address ${address}`, PER_ADDRESS)];
    if (account !== undefined) buckets.push(this.bucket(`account ${account.toLowerCase()}`, PER_ACCOUNT));
    const now = this.now();
    if (buckets.some((bucket) => bucket.available(now) < 1))
      throw new TailraceError('rate_limited', 'Too many attempts: wait a minute, then try again.');
    for (const bucket of buckets) bucket.take(1);
    return () => {
      for (const bucket of buckets) bucket.take(-1);
    };
  }

  private bucket(key: string, { burst, perSecond }: typeof PER_ADDRESS): TokenBucket {
    let bucket = this.buckets.get(key);
    if (!bucket) {
      bucket = new TokenBucket(perSecond, this.now(), burst);
      this.buckets.set(key, bucket);
    }
    return bucket;
  }
}
