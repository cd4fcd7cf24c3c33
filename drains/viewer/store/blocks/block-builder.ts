import type { Sequence } from '../../../../src/logs/store/contract.ts';
import { type BlockContent, encodeBlock, type ReceivedRun } from './block-format.ts';

/** A block is closed before its records grow beyond this, unless one alone does. */
export const BLOCK_TARGET_BYTES = 262_144;

/** Collects lines with sequences that follow each other into a block. Reused for block after block. */
export class BlockBuilder {
  private records = Buffer.allocUnsafe(BLOCK_TARGET_BYTES);
  private end = 0;
  private runs: { count: number; receivedAtMs: number }[] = [];
  private first: Sequence = 0;
  private minMs = 0;
  private maxMs = 0;
  count = 0;

  /** Does a record of so many bytes with this sequence belong into this block? */
  takes(bytes: number, sequence: Sequence): boolean {
    if (this.count === 0) return true;
    return this.end + bytes <= BLOCK_TARGET_BYTES && sequence === this.first + this.count;
  }

  /** Adds the record `from[start, end)`. */
  add(
    from: Uint8Array,
    start: number,
    end: number,
    sequence: Sequence,
    timeMs: number,
    receivedAtMs: number,
  ): void {
    const length = end - start;
    if (this.count === 0) {
      this.first = sequence;
      this.minMs = timeMs;
      this.maxMs = timeMs;
    } else if (timeMs < this.minMs) this.minMs = timeMs;
    else if (timeMs > this.maxMs) this.maxMs = timeMs;
    if (this.end + length > this.records.length) {
      const larger = Buffer.allocUnsafe(this.end + length);
      this.records.copy(larger, 0, 0, this.end);
      this.records = larger;
    }
    this.records.set(new Uint8Array(from.buffer, from.byteOffset + start, length), this.end);
    this.end += length;
    const run = this.runs[this.runs.length - 1];
    if (run?.receivedAtMs === receivedAtMs) run.count++;
    else this.runs.push({ count: 1, receivedAtMs });
    this.count++;
  }

  /** What was collected; valid until the next line is added. */
  get content(): BlockContent & { readonly runs: readonly ReceivedRun[] } {
    const { first, count, minMs, maxMs, runs } = this;
    return { first, count, minMs, maxMs, runs, records: this.records.subarray(0, this.end) };
  }

  /** The block as it stands in a file; the builder is empty then. */
  finish(): Buffer {
    const block = encodeBlock(this.content);
    this.end = 0;
    this.count = 0;
    this.runs = [];
    return block;
  }
}
