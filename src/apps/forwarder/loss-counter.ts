/** Counts messages that are gone, until somebody was told about them. */
export class LossCounter {
  count = 0;
  /** When the first of them went, as a timestamp in microseconds. */
  since = '';

  add(count: number, stamp: string): void {
    if (count === 0) return;
    if (this.count === 0) this.since = stamp;
    this.count += count;
  }

  /** `12 messages dropped since 2013-11-04T21:31:32.125756+00:00.` */
  message(kind: 'dropped' | 'lost'): string {
    return `${this.count} messages ${kind} since ${this.since}.`;
  }

  reset(): void {
    this.count = 0;
    this.since = '';
  }
}
