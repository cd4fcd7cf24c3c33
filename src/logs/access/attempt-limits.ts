/** Passwords and links that are guessed: only so many attempts from an address, and for an account. */
import { TailraceError } from '../../common/errors.ts';
import { networkOf } from '../../common/limits/network-address.ts';
import { TokenBucket } from '../../common/limits/token-bucket.ts';
import { LruCache } from '../../common/lru-cache.ts';
import { hashOfSecret } from './secrets.ts';

const TRACKED_MAX = 20_000;
/** From one address: ten at once, then one every 30 seconds. For one account, from wherever: thirty, then one a minute. */
const PER_ADDRESS = { burst: 10, perSecond: 1 / 30 };
const PER_ACCOUNT = { burst: 30, perSecond: 1 / 60 };

export class AttemptLimits {
  private readonly addresses = new LruCache<string, TokenBucket>(TRACKED_MAX);
  private readonly accounts = new LruCache<string, TokenBucket>(TRACKED_MAX);
  private readonly now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /**
   * Counts an attempt; call the returned function when it was right.
   * @param account of any length: whoever names it isn't known yet
   * @throws TailraceError `rate_limited`
   */
  begin(address: string, account: string | undefined): () => void {
    const buckets = [this.available(this.addresses, networkOf(address), PER_ADDRESS)];
    // Nothing is kept of accounts that are named in vain: there is no end to them.
    if (account !== undefined)
      buckets.push(this.available(this.accounts, hashOfSecret(account.trim().toLowerCase()), PER_ACCOUNT));
    for (const bucket of buckets) bucket.take(1);
    return () => {
      for (const bucket of buckets) bucket.take(-1);
    };
  }

  private available(
    among: LruCache<string, TokenBucket>,
    key: string,
    { burst, perSecond }: typeof PER_ADDRESS,
  ): TokenBucket {
    const now = this.now();
    let bucket = among.get(key);
    if (!bucket) {
      bucket = new TokenBucket(perSecond, now, burst);
      among.set(key, bucket);
    }
    if (bucket.available(now) < 1)
      throw new TailraceError('rate_limited', 'Too many attempts: wait a minute, then try again.');
    return bucket;
  }
}
