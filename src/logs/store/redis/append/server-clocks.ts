/** A clock was learnt this long ago at the most, ms: the two drift apart, and clocks are set. */
const KNOWN_FOR_MS = 10 * 60_000;

interface KnownClock {
  /** What it shows, less what this process' monotonic clock does: never more than it truly is. */
  readonly aheadMs: number;
  readonly learntMs: number;
}

/** The clocks of the servers, as far as their answers tell. A server in a Cluster has a name; alone, it is ''. */
export class ServerClocks {
  private readonly known = new Map<string, KnownClock>();
  private readonly now: () => number;

  /** @param now milliseconds on a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** A server has said just now what its clock shows, milliseconds since 1970. */
  learn(server: string, shownMs: number): void {
    const learntMs = this.now();
    this.known.set(server, { aheadMs: shownMs - learntMs, learntMs });
  }

  /** What a server's clock will show in `ms`, or a little less; undefined when that isn't known. */
  in(ms: number, server: string): number | undefined {
    const clock = this.known.get(server);
    const now = this.now();
    if (!clock || now - clock.learntMs > KNOWN_FOR_MS) return undefined;
    return Math.floor(clock.aheadMs + now + ms);
  }

  /** Other servers may answer from now on. */
  forget(): void {
    this.known.clear();
  }
}
