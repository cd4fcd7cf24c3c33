import { LineBatch, type LineHead } from './line-batch.ts';

export interface BatchLimits {
  /** Lines in one batch at most. */
  lineCountMax: number;
  /** Bytes of one batch at most. */
  byteCountMax: number;
}

/** A batch has to hold the longest line. */
const BATCH_BYTES_MIN = 16_384;
/** One that is sent and one that is filled: with few lines nothing is ever allocated. */
const SPARE_BUFFERS_MAX = 2;

/** Lines in batches, in order: the last batch is open for more, the first is the next to go. */
export class BatchQueue {
  /** Bytes in all batches that haven't been `done` yet. */
  byteCount = 0;
  readonly #limits: BatchLimits;
  #batches: LineBatch[] = [];
  #spare: Buffer[] = [];

  constructor({ lineCountMax, byteCountMax }: BatchLimits) {
    this.#limits = { lineCountMax, byteCountMax: Math.max(BATCH_BYTES_MIN, byteCountMax) };
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  /** @returns the batch the line is in now */
  add(head: LineHead, stamp: string, message: Uint8Array): LineBatch {
    let batch = this.#batches.at(-1);
    if (batch === undefined || !batch.hasRoomFor(LineBatch.frameBytes(head, message))) {
      const buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#limits.byteCountMax);
      batch = new LineBatch(buffer, this.#limits.lineCountMax);
      this.#batches.push(batch);
    }
    const before = batch.byteCount;
    batch.add(head, stamp, message);
    this.byteCount += batch.byteCount - before;
    return batch;
  }

  /** Takes the next batch, which is closed to further lines by that. Its bytes count until it is `done`. */
  take(): LineBatch | undefined {
    return this.#batches.shift();
  }

  /** The batch was delivered or given up: forgets it and uses its memory again. */
  done(batch: LineBatch): void {
    this.byteCount -= batch.byteCount;
    if (this.#spare.length < SPARE_BUFFERS_MAX) this.#spare.push(batch.release());
  }
}
