import type { HeaderTemplate, LineBatch } from '../line-batch.ts';
import type { LineQueue } from '../line-queue.ts';
import { type BatchLimits, MemoryQueue } from '../memory-queue.ts';
import type { BatchJournal } from './batch-journal.ts';

/**
 * A queue in memory whose lines are in a journal as well. What a process that was killed has left goes first, under the
 * ids that it had: what had been stored isn't stored again.
 */
export class JournaledQueue implements LineQueue {
  readonly isPersistent = false;
  private readonly memory: MemoryQueue;
  private readonly journal: BatchJournal;
  private readonly leftover: LineBatch[];
  /** Leftover batches that are not removed yet. */
  private readonly restored: Set<LineBatch>;
  private restoredBytes: number;
  /** Batches with lines that aren't in the journal yet. */
  private readonly unwritten = new Set<LineBatch>();

  constructor(limits: BatchLimits, journal: BatchJournal) {
    this.memory = new MemoryQueue(limits);
    this.journal = journal;
    this.leftover = [...journal.leftover];
    this.restored = new Set(this.leftover);
    this.restoredBytes = this.leftover.reduce((sum, { byteCount }) => sum + byteCount, 0);
  }

  get byteCount(): number {
    return this.memory.byteCount + this.restoredBytes;
  }

  /** Leftover lines don't keep new ones out: they were let in before. */
  get fillRatio(): number {
    return this.memory.fillRatio;
  }

  get isEmpty(): boolean {
    return this.leftover.length === 0 && this.memory.isEmpty;
  }

  hasSpaceFor(frameBytes: number): boolean {
    return this.memory.hasSpaceFor(frameBytes);
  }

  add(header: HeaderTemplate, timestamp: string, message: Uint8Array): LineBatch {
    const batch = this.memory.add(header, timestamp, message);
    this.unwritten.add(batch);
    return batch;
  }

  addChunk(header: HeaderTemplate, timestamp: string, chunk: Uint8Array, start: number): number {
    const { openBatch } = this.memory;
    const end = this.memory.addChunk(header, timestamp, chunk, start);
    if (openBatch && end > start) this.unwritten.add(openBatch);
    return end;
  }

  persist(): void {
    for (const batch of this.unwritten) this.journal.write(batch);
    this.unwritten.clear();
  }

  readyInMs(lingerMs: number): number {
    return this.leftover.length > 0 ? 0 : this.memory.readyInMs(lingerMs);
  }

  take(): LineBatch | undefined {
    return this.leftover.shift() ?? this.memory.take();
  }

  remove(batch: LineBatch): void {
    this.unwritten.delete(batch);
    this.journal.release(batch);
    if (this.restored.delete(batch)) this.restoredBytes -= batch.byteCount;
    else this.memory.remove(batch);
  }

  /** What is left is lost: it was given up. */
  close(): void {
    this.journal.close();
  }
}
