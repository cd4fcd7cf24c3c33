import { type HeaderTemplate, LineBatch } from '../line-batch.ts';
import type { LineQueue } from '../line-queue.ts';
import type { Spool, SpooledBatch } from './spool.ts';

export interface DiskQueueOptions {
  /** Lines in one batch at most. */
  lineCountMax: number;
  /** Bytes of one batch at most. */
  byteCountMax: number;
  /** Bytes on the disk at most. */
  diskBytesMax: number;
  /** How far the source was read for the lines that were added so far; saved with each batch. */
  checkpoint?: () => unknown;
  /** One sentence for people: the disk is full, a batch can't be read any more. */
  onWarning?: (message: string) => void;
}

/** Lines are persisted when they are so old at the latest, also while nothing can be sent. */
const FLUSH_INTERVAL_MS = 1_000;
/** Bytes in memory at most while the disk can't be written. */
const MEMORY_BYTES_MAX = 8 * 1024 * 1024;

/** A closed batch: on the disk, in memory, or both. */
interface QueuedBatch {
  readonly spooled: SpooledBatch | undefined;
  readonly inMemory: { readonly batch: LineBatch; readonly checkpoint: unknown } | undefined;
}

/**
 * A queue on disk. Every batch is persisted before it is sent, with its frame id: after a restart it is sent again as it
 * was, and the router recognizes a duplicate. In memory are only the batch that is filled and the one in flight.
 */
export class DiskQueue implements LineQueue {
  readonly isPersistent = true;
  private readonly spool: Spool;
  private readonly options: DiskQueueOptions;
  private readonly entries: QueuedBatch[] = [];
  /** Taken, not removed. */
  private inFlight: { spooled: SpooledBatch | undefined; batch: LineBatch; checkpoint: unknown } | undefined;
  private openBatch: LineBatch | undefined;
  private diskBytes = 0;
  /** In batches that could not be written. */
  private memoryBytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private isDiskFailing = false;

  constructor(spool: Spool, options: DiskQueueOptions) {
    this.spool = spool;
    this.options = options;
    for (const spooled of spool.leftover) {
      this.entries.push({ spooled, inMemory: undefined });
      this.diskBytes += spooled.byteCount;
    }
  }

  get byteCount(): number {
    return this.diskBytes + this.memoryBytes + (this.openBatch?.byteCount ?? 0);
  }

  get fillRatio(): number {
    const open = this.openBatch?.byteCount ?? 0;
    return Math.max((this.diskBytes + open) / this.options.diskBytesMax, this.memoryBytes / MEMORY_BYTES_MAX);
  }

  get isEmpty(): boolean {
    return this.entries.length === 0 && this.openBatch === undefined;
  }

  /** Batches in the queue, with the one in flight. */
  get batchCount(): number {
    return this.entries.length + (this.inFlight ? 1 : 0) + (this.openBatch ? 1 : 0);
  }

  hasSpaceFor(frameBytes: number): boolean {
    const open = this.openBatch?.byteCount ?? 0;
    return (
      this.diskBytes + open + frameBytes <= this.options.diskBytesMax &&
      this.memoryBytes + open + frameBytes <= MEMORY_BYTES_MAX
    );
  }

  add(header: HeaderTemplate, timestamp: string, message: Uint8Array): LineBatch {
    if (this.openBatch && !this.openBatch.hasSpaceFor(LineBatch.frameBytesMax(header, message)))
      this.flushToDisk();
    if (!this.openBatch) {
      const { byteCountMax, lineCountMax } = this.options;
      this.openBatch = new LineBatch(Buffer.allocUnsafeSlow(byteCountMax), lineCountMax);
      this.timer ??= setTimeout(() => this.flushToDisk(), FLUSH_INTERVAL_MS).unref();
    }
    this.openBatch.add(header, timestamp, message);
    return this.openBatch;
  }

  addChunk(header: HeaderTemplate, timestamp: string, chunk: Uint8Array, start: number): number {
    return this.openBatch ? this.openBatch.addChunk(header, timestamp, chunk, start) : start;
  }

  /** It writes whole batches, by itself: what was read of a file can be read again. */
  persist(): void {}

  readyInMs(lingerMs: number): number {
    return this.entries.length > 0 ? 0 : (this.openBatch?.readyInMs(lingerMs) ?? 0);
  }

  take(): LineBatch | undefined {
    for (;;) {
      if (this.entries.length === 0) this.flushToDisk();
      const entry = this.entries.shift();
      if (!entry) return undefined;
      const { spooled } = entry;
      const found = entry.inMemory ?? (spooled && this.spool.read(spooled));
      if (found) {
        this.inFlight = { spooled, ...found };
        return found.batch;
      }
      if (!spooled) continue;
      this.options.onWarning?.(`${spooled.lineCount} lines that waited on disk can't be read any more.`);
      this.removeFromDisk(spooled);
    }
  }

  remove(batch: LineBatch): void {
    if (this.inFlight?.batch !== batch) return;
    const { spooled, checkpoint } = this.inFlight;
    this.inFlight = undefined;
    // First the checkpoint, then the batch itself: after a crash in between it is sent once more, as a duplicate.
    if (checkpoint !== undefined) this.tryDisk(() => this.spool.saveCheckpoint(checkpoint));
    if (spooled) this.removeFromDisk(spooled);
    else this.memoryBytes -= batch.byteCount;
  }

  /** Saves the checkpoint also when there were no lines yet. */
  saveCheckpoint(): void {
    if (this.options.checkpoint) this.tryDisk(() => this.spool.saveCheckpoint(this.options.checkpoint?.()));
  }

  close(): void {
    this.flushToDisk();
    this.spool.close();
  }

  /** Closes the open batch. */
  private flushToDisk(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const batch = this.openBatch;
    if (!batch) return;
    this.openBatch = undefined;
    const checkpoint = this.options.checkpoint?.();
    const spooled = this.tryDisk(() => this.spool.write(batch, checkpoint));
    if (spooled) this.diskBytes += spooled.byteCount;
    else this.memoryBytes += batch.byteCount;
    // The next batch needn't be read again.
    const isNext = this.entries.length === 0;
    this.entries.push({ spooled, inMemory: isNext || !spooled ? { batch, checkpoint } : undefined });
  }

  private removeFromDisk(spooled: SpooledBatch): void {
    this.diskBytes -= spooled.byteCount;
    this.tryDisk(() => this.spool.remove(spooled));
  }

  /** The disk may be full, or gone: one warning, until it works again. */
  private tryDisk<T>(write: () => T): T | undefined {
    try {
      const result = write();
      this.isDiskFailing = false;
      return result;
    } catch (error) {
      if (!this.isDiskFailing)
        this.options.onWarning?.(
          `Lines can't be kept on disk (${error instanceof Error ? error.message : error}): they wait in memory.`,
        );
      this.isDiskFailing = true;
      return undefined;
    }
  }
}
