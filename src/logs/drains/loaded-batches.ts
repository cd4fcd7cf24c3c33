import type { Sequence, StoredBatch } from '../store/contract.ts';

/** The memory of the batches that a drain has loaded: released as soon as their lines were sent. */
export class LoadedBatches {
  private batches: readonly StoredBatch[] = [];
  /** Of the first that isn't released. */
  private next = 0;

  /** Others were loaded, whose memory is retained; those before aren't read any more. */
  replace(batches: readonly StoredBatch[]): void {
    this.releaseThrough(Number.POSITIVE_INFINITY);
    this.batches = batches;
    this.next = 0;
  }

  /** Everything up to this line was sent. */
  releaseThrough(sequence: Sequence): void {
    const { batches } = this;
    for (; this.next < batches.length; this.next++) {
      const { last, memory } = batches[this.next];
      if (last > sequence) return;
      memory?.release();
    }
  }
}
