/** At most `max` strings: the least recently used is evicted. */
export class LruSet {
  private readonly max: number;
  // A Set keeps the order of insertion: its first member is the oldest.
  private readonly members = new Set<string>();

  constructor(max: number) {
    this.max = max;
  }

  /** Is it in the set? If so, it counts as used now. */
  has(member: string): boolean {
    if (!this.members.delete(member)) return false;
    this.members.add(member);
    return true;
  }

  /** It is the one that was used last; the one that wasn't used for the longest time may go. */
  add(member: string): void {
    this.members.delete(member);
    this.members.add(member);
    if (this.members.size <= this.max) return;
    for (const oldest of this.members) {
      this.members.delete(oldest);
      return;
    }
  }

  *[Symbol.iterator](): Iterator<string> {
    yield* this.members;
  }
}
