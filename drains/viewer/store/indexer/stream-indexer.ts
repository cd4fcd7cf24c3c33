import type { AppId, Sequence, Store, StoredBatch } from '../../../../src/logs/store/contract.ts';
import { BLOCK_TARGET_BYTES } from '../blocks/block-builder.ts';
import type { BlockEntry } from '../blocks/block-format.ts';
import type { JobRunner } from '../jobs/job.ts';
import { READ_BYTES, SharedReads } from '../jobs/shared-reads.ts';
import type { StreamParts } from '../parts/stream-parts.ts';

/** Bytes of one stream until it is another one's turn. */
const TURN_BYTES = 8 * 1_048_576;
/** A part is closed when it has so many blocks. */
export const PART_BLOCKS = 128;

/** Blocks of the part that is being written. */
export interface OpenPart {
  readonly path: string;
  readonly blocks: readonly BlockEntry[];
}

/** Packs one stream: reads what is new in it, and has it written into parts. */
export class StreamIndexer {
  readonly parts: StreamParts;
  private readonly stream: AppId;
  private readonly store: Store;
  private readonly runner: JobRunner;
  private path: string | undefined;
  private blocks: BlockEntry[] = [];
  /** Up to here lines were given to the part that is being written. */
  private sentThrough: Sequence;
  private sealing: Promise<void> = Promise.resolve();
  /** When the oldest line that is in no part was seen here. */
  private waitingSinceMs: number | undefined;

  constructor(parts: StreamParts, store: Store, runner: JobRunner) {
    this.parts = parts;
    this.stream = parts.stream;
    this.store = store;
    this.runner = runner;
    this.sentThrough = parts.packedThrough;
  }

  /** The part that is being written, as far as it can be read. */
  get open(): OpenPart | undefined {
    return this.path !== undefined && this.blocks.length > 0
      ? { path: this.path, blocks: this.blocks }
      : undefined;
  }

  /** Is a part being written? */
  get isWriting(): boolean {
    return this.path !== undefined;
  }

  /** Lines behind this sequence have to be read from the stream. */
  get searchableThrough(): Sequence {
    const last = this.blocks.at(-1);
    return last ? last.first + last.count - 1 : this.parts.packedThrough;
  }

  /** When the oldest line that is in no part was seen, milliseconds of `performance.now()`; undefined when there is none. */
  get waitingSince(): number | undefined {
    return this.waitingSinceMs;
  }

  /** There are lines that are in no part: see {@link waitingSince}. @param nowMs milliseconds of `performance.now()` */
  noteLines(nowMs: number): void {
    this.waitingSinceMs ??= nowMs;
  }

  /**
   * Packs what the stream has at this moment, up to {@link TURN_BYTES}.
   * @param all also what doesn't fill a block; then the part is closed
   * @returns is there more?
   */
  async pack(all: boolean): Promise<boolean> {
    const { last } = await this.store.bounds(this.stream);
    for (let packed = 0; this.sentThrough < last; ) {
      if (packed >= TURN_BYTES) return true;
      const reads = new SharedReads();
      try {
        const batches = await this.store.read(this.stream, this.sentThrough, READ_BYTES, reads);
        const bytes = batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
        if (batches.length === 0 || (!all && bytes < BLOCK_TARGET_BYTES)) break;
        await this.send(batches);
        packed += bytes;
      } finally {
        reads.release();
      }
      if (this.blocks.length >= PART_BLOCKS) await this.seal();
    }
    if (all) await this.seal();
    return false;
  }

  private async send(batches: readonly StoredBatch[]): Promise<void> {
    this.path ??= this.parts.unfinishedPath();
    const lines = batches.map(({ first, storedAtMs, bytes }) => ({ first, receivedAtMs: storedAtMs, bytes }));
    try {
      const { path, sentThrough: after } = this;
      const { blocks } = await this.runner.run({ kind: 'pack', path, lines, after });
      this.blocks.push(...blocks);
    } catch (error) {
      this.reset();
      throw error;
    }
    this.sentThrough = batches[batches.length - 1].last;
  }

  /** Gives up the part that is being written: its lines are packed again. */
  async abandon(): Promise<void> {
    const { path } = this;
    this.reset();
    if (path !== undefined) await this.runner.run({ kind: 'abandon', path });
  }

  /** Resolves when no part is being given its name: a file has it before the part is among {@link parts}. */
  get sealed(): Promise<void> {
    return this.sealing.catch(() => {});
  }

  private async seal(): Promise<void> {
    const { path } = this;
    if (path === undefined) {
      this.waitingSinceMs = undefined;
      return;
    }
    this.sealing = this.sealPart(path);
    await this.sealing;
  }

  private async sealPart(path: string): Promise<void> {
    try {
      const { part } = await this.runner.run({ kind: 'seal', path });
      if (part) this.parts.add(part);
    } finally {
      this.reset();
    }
  }

  private reset(): void {
    this.path = undefined;
    this.blocks = [];
    this.sentThrough = this.parts.packedThrough;
    this.waitingSinceMs = undefined;
  }
}
