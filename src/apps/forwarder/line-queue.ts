import type { HeaderTemplate, LineBatch } from './line-batch.ts';

/** Lines that wait to be sent, in batches, in order: in memory, or on disk. The shipper's. */
export interface LineQueue {
  /** Bytes of everything that isn't `done` yet. */
  readonly byteCount: number;
  /** How much of what may wait does: 0 nothing, 1 and above no more fits. */
  readonly fillRatio: number;
  /** What waits outlives the process. */
  readonly isPersistent: boolean;
  /** Nothing is left to take. */
  readonly isEmpty: boolean;

  /** Is there room for a line whose frame takes so many bytes? */
  hasRoomFor(frameBytes: number): boolean;

  /** Adds a line, whether there is room or not. @returns the batch it is in now */
  add(header: HeaderTemplate, timestamp: string, message: Uint8Array): LineBatch;

  /**
   * Adds lines that each end with a newline, as many as fit into the batch that is open and need not be split.
   *
   * @returns where it stopped in the run
   */
  addChunk(header: HeaderTemplate, timestamp: string, chunk: Uint8Array, start: number): number;

  /** How long until the next batch should go: it is full, or its first line is `gatherMs` old. */
  readyInMs(lingerMs: number): number;

  /** Takes the next batch, which is closed to further lines by that. Its bytes count until it is `done`. */
  take(): LineBatch | undefined;

  /** The batch was delivered or given up: forgets it. */
  remove(batch: LineBatch): void;

  /** Takes no more; what is kept is kept. */
  close(): void;
}
