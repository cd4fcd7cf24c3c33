/** Which lines readers still lack, while they go on reading: each delivery is looked at once, however often somebody asks. */
import { type MissingLine, missingOf, type ReaderRecord, type SenderRecord } from './check.ts';

type Reader = Pick<ReaderRecord, 'deliveries' | 'silences'>;

/** What doesn't come any more is found out so much later, ms. */
const LOOK_AGAIN_MS = 5_000;

export class Arrivals {
  private readonly reader: Reader;
  private readonly senders: readonly SenderRecord[];
  private readonly isOwed: (line: MissingLine) => boolean;
  /** Lines that have to come yet, by sender. */
  private open = new Map<string, Set<number>>();
  private readUpTo = 0;
  private lookedMs = 0;

  /**
   * @param senders what they have acknowledged is waited for
   * @param isOwed of a line that is missing: does it have to come? Asked again now and then, as what comes behind a line may explain its loss.
   */
  constructor(reader: Reader, senders: readonly SenderRecord[], isOwed: (line: MissingLine) => boolean) {
    this.reader = reader;
    this.senders = senders;
    this.isOwed = isOwed;
    this.lookAgain();
  }

  /** How many lines have to come yet. */
  owed(): number {
    const { deliveries } = this.reader;
    for (; this.readUpTo < deliveries.length; this.readUpTo++) {
      const { sender, number } = deliveries[this.readUpTo];
      this.open.get(sender)?.delete(number);
    }
    if (this.count > 0 && performance.now() - this.lookedMs > LOOK_AGAIN_MS) this.lookAgain();
    return this.count;
  }

  private get count(): number {
    let count = 0;
    for (const { size } of this.open.values()) count += size;
    return count;
  }

  private lookAgain(): void {
    this.readUpTo = this.reader.deliveries.length;
    this.open = new Map();
    for (const line of missingOf(this.reader, this.senders)) {
      if (!this.isOwed(line)) continue;
      const own = this.open.get(line.sender) ?? new Set();
      this.open.set(line.sender, own.add(line.number));
    }
    this.lookedMs = performance.now();
  }
}
