import type { Sequence, StoredBatch } from './contract.ts';

/** Bytes that one stream's batches may have, and those of all streams of a process together. */
const STREAM_BYTES_MAX = 8 * 1_048_576;
const TOTAL_BYTES_MAX = 64 * 1_048_576;
/** What a batch takes besides its bytes: its object, and its buffer's. */
const BATCH_OVERHEAD_BYTES = 256;
/**
 * Batches stay for this long at the least, and for twice as long at the most while others come: who keeps up has read them, and what a
 * thousand streams of some lines a second have had before is memory that nobody reads. Of many drains each begins a request every two
 * seconds.
 */
const GENERATION_MS = 3_000;

/**
 * The newest batches of a stream, without a gap, as long as their readers are likely to want them. Their memory is retained here; whoever
 * takes one retains it as well.
 */
export class RecentBatches {
  private readonly budget: { bytes: number };
  private readonly now: () => number;
  /** Oldest first. */
  private batches: StoredBatch[] = [];
  private bytes = 0;
  /** So many are of the generation before, which leaves when this one is over. */
  private oldCount = 0;
  private generationEndMs = Number.NEGATIVE_INFINITY;

  /**
   * @param budget of all streams of a process
   * @param now milliseconds on a clock that never goes back
   */
  constructor(budget: { bytes: number }, now: () => number = () => performance.now()) {
    this.budget = budget;
    this.now = now;
  }

  /** Keeps a batch that comes behind the others, and lets go of those that are too old or too much. */
  push(batch: StoredBatch): void {
    batch.memory?.retain();
    this.batches.push(batch);
    const bytes = sizeOf(batch);
    this.bytes += bytes;
    this.budget.bytes += bytes;
    const surplus = Math.max(this.surplus(), this.takeOldGeneration());
    if (surplus > 0) this.evict(surplus);
  }

  /** Those with lines after a sequence, oldest first; undefined when some of them aren't here. */
  after(sequence: Sequence): readonly StoredBatch[] | undefined {
    const { batches } = this;
    if (batches.length === 0 || batches[0].first > sequence + 1) return undefined;
    let low = 0;
    let high = batches.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (batches[middle].last > sequence) high = middle;
      else low = middle + 1;
    }
    return batches.slice(low);
  }

  /** Lets go of the oldest ones, as long as `isTooOld` says so of when they were stored, milliseconds since 1970. */
  evictWhile(isTooOld: (storedAtMs: number) => boolean): void {
    const { batches } = this;
    if (batches.length === 0 || !isTooOld(batches[0].storedAtMs)) return;
    const kept = batches.findIndex(({ storedAtMs }) => !isTooOld(storedAtMs));
    this.evict(kept === -1 ? batches.length : kept);
  }

  /** Lets go of all of them. */
  clear(): void {
    this.evict(this.batches.length);
  }

  /** How many of the oldest ones are too much. The newest one stays. */
  private surplus(): number {
    const keep = this.budget.bytes > TOTAL_BYTES_MAX ? 0 : STREAM_BYTES_MAX;
    let count = 0;
    for (let { bytes } = this; count < this.batches.length - 1 && bytes > keep; count++)
      bytes -= sizeOf(this.batches[count]);
    return count;
  }

  /** How many of the oldest ones are to leave since a generation is over: those of the one before. */
  private takeOldGeneration(): number {
    const nowMs = this.now();
    if (nowMs < this.generationEndMs) return 0;
    const count = this.oldCount;
    this.oldCount = this.batches.length - 1;
    this.generationEndMs = nowMs + GENERATION_MS;
    return count;
  }

  private evict(count: number): void {
    for (const batch of this.batches.splice(0, count)) {
      const bytes = sizeOf(batch);
      this.bytes -= bytes;
      this.budget.bytes -= bytes;
      batch.memory?.release();
    }
    this.oldCount = Math.max(0, this.oldCount - count);
  }
}

function sizeOf({ bytes }: StoredBatch): number {
  return bytes.length + BATCH_OVERHEAD_BYTES;
}
