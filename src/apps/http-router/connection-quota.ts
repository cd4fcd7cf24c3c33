/** So many connections, and of one peer no more than its share, so that one sender can't keep all others out. */
export interface ConnectionLimits {
  /** Open connections in all. */
  readonly max: number;
  /** Of one peer; undefined: half of all. */
  readonly maxPerPeer: number | undefined;
}

const GROUPS = 8;
/** Of the eight groups of an IPv6 address those that name a network: whoever has one has all the addresses in it. */
const NETWORK_GROUPS = 4;

/** Counts open connections. */
export class ConnectionQuota {
  readonly max: number;
  readonly maxPerPeer: number;
  private readonly counts = new Map<string, number>();
  private total = 0;

  constructor({ max, maxPerPeer }: ConnectionLimits) {
    this.max = max;
    this.maxPerPeer = maxPerPeer ?? Math.max(1, Math.ceil(max / 2));
  }

  /**
   * Takes a connection into the count, until `release` with the same address; or tells what there are too many of.
   * @param address without the prefix of an IPv4 address in IPv6
   */
  admit(address: string): 'all' | 'peer' | undefined {
    const peer = peerOf(address);
    const count = this.counts.get(peer) ?? 0;
    if (this.total >= this.max) return 'all';
    if (count >= this.maxPerPeer) return 'peer';
    this.counts.set(peer, count + 1);
    this.total++;
    return undefined;
  }

  /** Once for each connection that {@link admit} took. */
  release(address: string): void {
    const peer = peerOf(address);
    const count = this.counts.get(peer) ?? 0;
    if (count <= 1) this.counts.delete(peer);
    else this.counts.set(peer, count - 1);
    this.total--;
  }
}

/** An IPv4 address, or the /64 network of an IPv6 address. */
function peerOf(address: string): string {
  if (!address.includes(':')) return address;
  const [before, after] = address.split('%', 1)[0].split('::', 2);
  const groups = before === '' ? [] : before.split(':');
  if (after !== undefined) {
    const rest = after === '' ? [] : after.split(':');
    while (groups.length < GROUPS - rest.length) groups.push('0');
    groups.push(...rest);
  }
  return groups.slice(0, NETWORK_GROUPS).join(':');
}
