import { BufferPool } from '../../common/buffers/buffer-pool.ts';
import { type HeaderTemplate, LineBatch } from './line-batch.ts';
import type { LineQueue } from './line-queue.ts';

export interface BatchLimits {
  /** Lines in one batch at most. */
  lineCountMax: number;
  /** Bytes of one batch at most. */
  byteCountMax: number;
  /** Bytes of all batches at most. */
  bufferBytesMax: number;
}

/** A batch has to hold the longest line. */
const BATCH_BYTES_MIN = 16_384;
/** One that is sent and one that is filled: with few lines nothing is ever allocated. */
const POOLED_BUFFERS_MAX = 2;

/** Lines in memory: the last batch is open for more, the first is the next to go. */
export class MemoryQueue implements LineQueue {
  readonly isPersistent = false;
  byteCount = 0;
  private readonly limits: BatchLimits;
  private batches: LineBatch[] = [];
  private readonly buffers = new BufferPool({ buffersMax: POOLED_BUFFERS_MAX });

  constructor(limits: BatchLimits) {
    this.limits = { ...limits, byteCountMax: Math.max(BATCH_BYTES_MIN, limits.byteCountMax) };
  }

  get fillRatio(): number {
    return this.byteCount / this.limits.bufferBytesMax;
  }

  get isEmpty(): boolean {
    return this.batches.length === 0;
  }

  /** The one that the next line goes into, if it fits. */
  get openBatch(): LineBatch | undefined {
    return this.batches.at(-1);
  }

  hasSpaceFor(frameBytes: number): boolean {
    return this.byteCount + frameBytes <= this.limits.bufferBytesMax;
  }

  add(header: HeaderTemplate, timestamp: string, message: Uint8Array): LineBatch {
    let batch = this.batches.at(-1);
    if (batch === undefined || !batch.hasSpaceFor(LineBatch.frameBytesMax(header, message))) {
      const { byteCountMax, lineCountMax } = this.limits;
      batch = new LineBatch(this.buffers.acquire(byteCountMax), lineCountMax);
      this.batches.push(batch);
    }
    const before = batch.byteCount;
    batch.add(header, timestamp, message);
    this.byteCount += batch.byteCount - before;
    return batch;
  }

  addChunk(header: HeaderTemplate, timestamp: string, chunk: Uint8Array, start: number): number {
    const batch = this.batches.at(-1);
    if (batch === undefined) return start;
    const before = batch.byteCount;
    const end = batch.addChunk(header, timestamp, chunk, start);
    this.byteCount += batch.byteCount - before;
    return end;
  }

  /** What is in memory is lost with the process. */
  persist(): void {}

  readyInMs(lingerMs: number): number {
    return lingerMs === 0 || this.batches.length > 1 ? 0 : (this.batches[0]?.readyInMs(lingerMs) ?? 0);
  }

  take(): LineBatch | undefined {
    return this.batches.shift();
  }

  /** Its buffer is reused. */
  remove(batch: LineBatch): void {
    this.byteCount -= batch.byteCount;
    this.buffers.release(batch.takeBuffer());
  }

  /** What is in memory is lost. */
  close(): void {}
}
