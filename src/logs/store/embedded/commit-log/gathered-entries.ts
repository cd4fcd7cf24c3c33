/** Lines of many apps that came together, as entries of the commit log, one behind the other. */
import { HEADROOM } from '../../../syslog/batch.ts';
import type { AppId, GatheredBatch, GatheredLines, Sequence } from '../../contract.ts';
import { writeEntryHeader } from '../segments/entry-format.ts';
import { COMMIT_HEADER, writeCommitHeader } from './commit-entry.ts';

/** A stream that gets some of them. */
export interface GatheringStream {
  /** Of its checksums. */
  readonly seed: number;
  /** Allocates the next sequences. @returns the first of them */
  allocateGathered(count: number, bytes: number): Sequence;
  /** Bytes of the stream, with all that is allocated. */
  readonly allocatedBytes: number;
}

/** Of a batch: its lines are `first` and so on, and its bytes, with the headroom, begin at `start` of the memory. */
type Visit<T> = (
  target: T,
  first: Sequence,
  batch: GatheredBatch,
  memory: Buffer,
  start: number,
  bytes: number,
  bytesSoFar: number,
) => void;

/** @typeParam T whose stream a batch is for */
export class GatheredEntries<T extends { readonly idBytes: Buffer; readonly stream: GatheringStream }> {
  private readonly lines: GatheredLines;
  readonly storedAtMs: number;
  private readonly batches: GatheredBatch[] = [];
  private readonly targets: T[] = [];
  /** Of each its first sequence, and the bytes of its stream up to and with it. */
  private readonly firsts: number[] = [];
  private readonly bytesSoFar: number[] = [];
  /** Of all entries. */
  bytes = 0;
  /** Where they were written. */
  private memory: Buffer | undefined;
  private start = 0;

  constructor(lines: GatheredLines, storedAtMs: number) {
    this.lines = lines;
    this.storedAtMs = storedAtMs;
  }

  /**
   * Takes what it can, and allocates sequences.
   * @param find the stream that a batch of so many bytes is for; undefined, or an error, when it takes none so
   */
  take(find: (app: AppId, bytes: number) => T | undefined): void {
    for (const batch of this.lines.batches) {
      if (batch.count === 0) continue;
      try {
        const target = find(batch.app, entryBytes(batch));
        if (target) this.add(batch, target);
      } catch {
        // What is wrong is said where it is appended by app.
      }
    }
  }

  private add(batch: GatheredBatch, target: T): void {
    const { stream } = target;
    batch.isTaken = true;
    this.batches.push(batch);
    this.targets.push(target);
    this.firsts.push(stream.allocateGathered(batch.count, entryBytes(batch)));
    this.bytesSoFar.push(stream.allocatedBytes);
    this.bytes += COMMIT_HEADER + entryBytes(batch);
  }

  /** Writes all of them from `at` on, to memory that stays as it is until they are told of. @returns where they end */
  write(memory: Buffer, at: number): number {
    const { lines, batches, targets, firsts, bytesSoFar, storedAtMs } = this;
    this.memory = memory;
    this.start = at;
    let entry = at;
    for (let i = 0; i < batches.length; i++) {
      const batch = batches[i];
      const { idBytes, stream } = targets[i];
      const bytes = entryBytes(batch);
      const header = { count: batch.count, first: firsts[i], storedAtMs, bytesSoFar: bytesSoFar[i] };
      writeCommitHeader(memory, entry, idBytes, bytes, header);
      entry += COMMIT_HEADER;
      lines.copyRecords(batch, memory, entry + HEADROOM);
      const whole = new Uint8Array(memory.buffer, memory.byteOffset + entry, bytes);
      writeEntryHeader(whole, header, stream.seed);
      entry += bytes;
    }
    return entry;
  }

  /** Calls `visit` with each of them. */
  forEach(visit: Visit<T>): void {
    const { memory, batches, targets, firsts, bytesSoFar } = this;
    if (!memory) throw new Error('they have to be written first');
    let start = this.start;
    for (let i = 0; i < batches.length; i++) {
      const bytes = entryBytes(batches[i]);
      start += COMMIT_HEADER;
      visit(targets[i], firsts[i], batches[i], memory, start, bytes, bytesSoFar[i]);
      start += bytes;
    }
  }

  /** Calls `visit` with whose they are. */
  forEachTarget(visit: (target: T) => void): void {
    for (const target of this.targets) visit(target);
  }

  /** They are durable. */
  tellStored(): void {
    const { lines } = this;
    const tell: Visit<T> = (_, __, batch, memory, start, bytes) =>
      lines.onStored(batch, memory.subarray(start, start + bytes));
    this.forEach(tell);
  }

  /** None of them is kept. */
  tellRefused(error: unknown): void {
    for (const batch of this.batches) this.lines.onRefused(batch, error);
  }
}

/** Bytes of a batch as an entry of a segment. */
function entryBytes({ recordBytes }: GatheredBatch): number {
  return HEADROOM + recordBytes;
}
