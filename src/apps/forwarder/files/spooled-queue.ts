import { LineBatch, type LineHead } from '../line-batch.ts';
import type { LineQueue } from '../line-queue.ts';
import type { Spool, SpooledBatch } from './spool.ts';

export interface SpooledQueueOptions {
  /** Lines in one batch at most. */
  lineCountMax: number;
  /** Bytes of one batch at most. */
  byteCountMax: number;
  /** Bytes on the disk at most. */
  diskBytesMax: number;
  /** How far the lines go that were added so far; kept with each batch. */
  note?: () => unknown;
  /** One sentence for people: the disk is full, a batch can't be read any more. */
  onTrouble?: (message: string) => void;
}

/** Lines are written down when they are so old at the latest, also while nothing can be sent. */
const WRITE_DOWN_MS = 1_000;
/** Bytes that may wait in memory while the disk takes none. */
const MEMORY_BYTES_MAX = 8 * 1024 * 1024;

/** A closed batch: on the disk, in memory, or both. */
interface Entry {
  readonly spooled: SpooledBatch | undefined;
  readonly inMemory: { readonly batch: LineBatch; readonly note: unknown } | undefined;
}

/**
 * Lines that wait on disk. Every batch is written down before it is sent, with the name that it is sent under: after a
 * restart it is sent again as it was, and the router can tell whether it has it. In memory are only the batch that is
 * filled and the one that is sent.
 */
export class SpooledQueue implements LineQueue {
  readonly isKept = true;
  readonly #spool: Spool;
  readonly #options: SpooledQueueOptions;
  readonly #entries: Entry[] = [];
  /** Taken, not done. */
  #leaving: { spooled: SpooledBatch | undefined; batch: LineBatch; note: unknown } | undefined;
  #open: LineBatch | undefined;
  #diskBytes = 0;
  /** In batches that could not be written. */
  #memoryBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #failing = false;

  constructor(spool: Spool, options: SpooledQueueOptions) {
    this.#spool = spool;
    this.#options = options;
    for (const spooled of spool.left) {
      this.#entries.push({ spooled, inMemory: undefined });
      this.#diskBytes += spooled.byteCount;
    }
  }

  get byteCount(): number {
    return this.#diskBytes + this.#memoryBytes + (this.#open?.byteCount ?? 0);
  }

  get fill(): number {
    const open = this.#open?.byteCount ?? 0;
    return Math.max(
      (this.#diskBytes + open) / this.#options.diskBytesMax,
      this.#memoryBytes / MEMORY_BYTES_MAX,
    );
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0 && this.#open === undefined;
  }

  /** Batches that wait, with the one that is on its way. */
  get batchCount(): number {
    return this.#entries.length + (this.#leaving ? 1 : 0) + (this.#open ? 1 : 0);
  }

  hasRoomFor(frameBytes: number): boolean {
    const open = this.#open?.byteCount ?? 0;
    return (
      this.#diskBytes + open + frameBytes <= this.#options.diskBytesMax &&
      this.#memoryBytes + open + frameBytes <= MEMORY_BYTES_MAX
    );
  }

  add(head: LineHead, stamp: string, message: Uint8Array): LineBatch {
    if (this.#open && !this.#open.hasRoomFor(LineBatch.frameBytes(head, message))) this.#writeDown();
    if (!this.#open) {
      const { byteCountMax, lineCountMax } = this.#options;
      this.#open = new LineBatch(Buffer.allocUnsafeSlow(byteCountMax), lineCountMax);
      this.#timer ??= setTimeout(() => this.#writeDown(), WRITE_DOWN_MS).unref();
    }
    this.#open.add(head, stamp, message);
    return this.#open;
  }

  addRun(head: LineHead, stamp: string, run: Uint8Array, start: number): number {
    return this.#open ? this.#open.addRun(head, stamp, run, start) : start;
  }

  ripeInMs(gatherMs: number): number {
    return this.#entries.length > 0 ? 0 : (this.#open?.ripeInMs(gatherMs) ?? 0);
  }

  take(): LineBatch | undefined {
    for (;;) {
      if (this.#entries.length === 0) this.#writeDown();
      const entry = this.#entries.shift();
      if (!entry) return undefined;
      const { spooled } = entry;
      const found = entry.inMemory ?? (spooled && this.#spool.read(spooled));
      if (found) {
        this.#leaving = { spooled, ...found };
        return found.batch;
      }
      if (!spooled) continue;
      this.#options.onTrouble?.(`${spooled.lineCount} lines that waited on disk can't be read any more.`);
      this.#removed(spooled);
    }
  }

  done(batch: LineBatch): void {
    if (this.#leaving?.batch !== batch) return;
    const { spooled, note } = this.#leaving;
    this.#leaving = undefined;
    // First how far it went, then the batch itself: killed in between, the router is sent it once more, and knows it.
    if (note !== undefined) this.#attempt(() => this.#spool.remember(note));
    if (spooled) this.#removed(spooled);
    else this.#memoryBytes -= batch.byteCount;
  }

  /** Keeps the note also when there were no lines yet. */
  remember(): void {
    if (this.#options.note) this.#attempt(() => this.#spool.remember(this.#options.note?.()));
  }

  close(): void {
    this.#writeDown();
    this.#spool.close();
  }

  /** Closes the open batch. */
  #writeDown(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#open;
    if (!batch) return;
    this.#open = undefined;
    const note = this.#options.note?.();
    const spooled = this.#attempt(() => this.#spool.write(batch, note));
    if (spooled) this.#diskBytes += spooled.byteCount;
    else this.#memoryBytes += batch.byteCount;
    // The next one to go needn't be read again.
    const isNext = this.#entries.length === 0;
    this.#entries.push({ spooled, inMemory: isNext || !spooled ? { batch, note } : undefined });
  }

  #removed(spooled: SpooledBatch): void {
    this.#diskBytes -= spooled.byteCount;
    this.#attempt(() => this.#spool.remove(spooled));
  }

  /** The disk may be full, or gone: told once, until it works again. */
  #attempt<T>(write: () => T): T | undefined {
    try {
      const result = write();
      this.#failing = false;
      return result;
    } catch (error) {
      if (!this.#failing)
        this.#options.onTrouble?.(
          `Lines can't be kept on disk (${error instanceof Error ? error.message : error}): they wait in memory.`,
        );
      this.#failing = true;
      return undefined;
    }
  }
}
