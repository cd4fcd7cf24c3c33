/** Keys and tokens that are guessed: whoever guesses many waits for each answer. */
import { setTimeout as pause } from 'node:timers/promises';
import { LruCache } from '../lru-cache.ts';
import { networkOf } from './network-address.ts';
import { TokenBucket } from './token-bucket.ts';
import { TurnQuota } from './turns.ts';

const TRACKED_MAX = 20_000;
/** Of one address: so many refusals are answered at once, then so many a second. */
const BURST = 100;
const PER_SECOND = 10;
/** The others wait so long, unless it is said otherwise. A connection's requests are answered one after the other. */
const PAUSE_MS = 1_000;
/** Of those so many are answered in a turn of the event loop: a thousand connections guess at the same time, and wait equally long. */
const PACED_A_TURN = 4;
const pacedTurns = new TurnQuota(PACED_A_TURN);

/**
 * Paces refusals alone. Right credentials never wait: behind one address (a proxy, a company) others send with them, beside somebody whose
 * token was revoked.
 */
export class AuthFailureThrottle {
  private readonly addresses = new LruCache<string, TokenBucket>(TRACKED_MAX);
  private readonly now: () => number;
  private readonly waitMs: number;

  constructor(now: () => number = () => performance.now(), waitMs = PAUSE_MS) {
    this.now = now;
    this.waitMs = waitMs;
  }

  /** Counts a refusal, and says how long its answer waits, in milliseconds. */
  pauseMs(address: string): number {
    const network = networkOf(address);
    const now = this.now();
    let bucket = this.addresses.get(network);
    if (!bucket) {
      bucket = new TokenBucket(PER_SECOND, now, BURST);
      this.addresses.set(network, bucket);
    }
    if (bucket.available(now) < 1) return this.waitMs;
    bucket.take(1);
    return 0;
  }

  /** Counts a refusal, and resolves when it may be answered. */
  async pace(address: string): Promise<void> {
    const ms = this.pauseMs(address);
    if (ms === 0) return;
    await pause(ms, undefined, { ref: false });
    await pacedTurns.take();
  }
}
