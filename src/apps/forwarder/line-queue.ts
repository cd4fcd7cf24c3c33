import type { HeaderTemplate, LineBatch } from './line-batch.ts';

/** Lines that wait to be sent, in batches, in order: in memory, or on disk. The shipper's. */
export interface LineQueue {
  /** Bytes of everything that isn't removed yet. */
  readonly byteCount: number;
  /** How full it is: 0 empty, 1 and above no more fits. */
  readonly fillRatio: number;
  /** Its lines outlive the process. */
  readonly isPersistent: boolean;
  /** Nothing is left to take. */
  readonly isEmpty: boolean;

  /** Does a line fit whose frame takes so many bytes? */
  hasSpaceFor(frameBytes: number): boolean;

  /** Adds a line, whether it fits or not. @returns the batch it is in now */
  add(header: HeaderTemplate, timestamp: string, message: Uint8Array): LineBatch;

  /**
   * Adds lines that each end with a newline, as many as fit into the batch that is open and need not be split.
   *
   * @returns where it stopped in the chunk
   */
  addChunk(header: HeaderTemplate, timestamp: string, chunk: Uint8Array, start: number): number;

  /** To be called when what was read together is added: it is kept for the process after this one, where that is what the queue is for. */
  persist(): void;

  /** How long until the next batch is due: it is full, or its first line is `lingerMs` old. */
  readyInMs(lingerMs: number): number;

  /** Takes the next batch, which is closed to further lines by that. Its bytes count until it is removed. */
  take(): LineBatch | undefined;

  /** Removes a batch that was taken, and delivered or given up. */
  remove(batch: LineBatch): void;

  /** Accepts no more; what is persisted stays so. */
  close(): void;
}
