import type { Sequence, StoredBatch } from '../../contract.ts';
import {
  findKnownEntry,
  isIntact,
  knownEntryEnd,
  knownEntryLast,
  readKnownEntry,
  type SegmentEntry,
  type StreamEnd,
  toStoredBatch,
} from '../segments/entry-format.ts';
import { findIntactEntry } from '../segments/entry-scan.ts';
import { type CommitMemory, type EntryFile, pieceOf, type SpilledEntries } from './commit-memory.ts';
import type { LeftBatch } from './left-batch.ts';

/**
 * Entries of a stream, one behind the other, that aren't in the log's memory: in a file, or in memory of their own when others that were with them
 * are damaged.
 */
interface StoredPart {
  readonly source: EntryFile | Buffer;
  readonly offset: number;
  readonly bytes: number;
  readonly count: number;
  /** Its last line. */
  readonly last: Sequence;
}

/** Entries behind some that are lost, taken out until those before are in a segment. */
export interface EntriesBehindGap {
  /** The first line of them. */
  readonly first: Sequence;
  /** Bytes of the stream before them. */
  readonly bytesBefore: number;
  readonly parts: readonly StoredPart[];
  readonly partsCount: number;
  readonly linkedCount: number;
  readonly bytes: number;
}

/** In front of an entry in the log's memory, in the place of its commit header, which nobody reads there: where the next one is. */
const LINK_BYTES = 8;

/**
 * Batches of a stream that are in the commit log and in no segment yet, oldest first: where they are in the log's memory or its file,
 * or where they were spilled to, as entries of a segment. There are many of many apps: none has an object of its own, and those in memory are linked there.
 */
export class UnwrittenEntries {
  /** The oldest ones. */
  private parts: StoredPart[] | undefined;
  private partsCount = 0;
  /** Those in the log's memory: the piece and the place there of the first and of the last one. */
  private linkedCount = 0;
  private firstPiece = 0;
  private firstAt = 0;
  private lastPiece = 0;
  private lastAt = 0;
  /** Of the batches. */
  bytes = 0;
  /** Something that was read of it in a file wasn't as it was written: {@link dropDamaged} it. */
  isDamaged = false;
  private readonly seed: number;

  /** @param seed of its app's checksums */
  constructor(seed: number) {
    this.seed = seed;
  }

  /** Batches, spilled ones included. */
  get count(): number {
    return this.partsCount + this.linkedCount;
  }

  /**
   * An entry was written to the log's memory, which stays as it is until the entry is written to a segment, or spilled.
   * @param piece of the memory (`pieceOf`), where its commit header is in front of it
   */
  add(piece: number, at: number, batchBytes: number): void {
    if (this.linkedCount++ === 0) {
      this.firstPiece = piece;
      this.firstAt = at;
    } else {
      const memory = pieceOf(this.lastPiece);
      memory.writeUInt32LE(piece, this.lastAt - LINK_BYTES);
      memory.writeUInt32LE(at, this.lastAt - LINK_BYTES + 4);
    }
    this.lastPiece = piece;
    this.lastAt = at;
    this.bytes += batchBytes;
  }

  /** Adds a batch that a process before this one wrote to the log, behind others of which none is in memory. */
  addLeft({ file, offset, entryBytes, bytes, last }: LeftBatch): void {
    if (this.linkedCount > 0) throw new Error('what is left of processes before this one is added first');
    this.addPart({ source: file, offset, bytes: entryBytes, count: 1, last });
    this.bytes += bytes;
  }

  /** All of them are in a segment, or the stream is dropped. */
  clear(): void {
    this.parts = undefined;
    this.partsCount = 0;
    this.linkedCount = 0;
    this.bytes = 0;
    this.isDamaged = false;
  }

  /**
   * Moves the oldest of those in memory to a file, as far as they are in `memory`. False when the oldest one isn't. What can't be written stays
   * where it is.
   */
  spill(memory: CommitMemory, file: SpilledEntries): boolean {
    let count = 0;
    let bytes = 0;
    let last = 0;
    let link: Link | undefined = this.firstLinked();
    for (; link && memory.offsetInFile(link.piece, link.at) !== undefined; link = this.linkedAfter(link)) {
      count++;
      bytes += linkedBytes(link);
      last = linkedLast(link);
    }
    if (count === 0) return false;
    this.copyLinked(file.reserve(bytes), 0, count);
    const offset = file.bytes;
    file.keep(bytes);
    this.addPart({ source: file, offset, bytes, count, last });
    this.unlink(count, link);
    return true;
  }

  /** The same, but they are read from the file of the log that they were written to, each where it is. */
  leaveInLog(memory: CommitMemory, log: EntryFile): boolean {
    let count = 0;
    let link: Link | undefined = this.firstLinked();
    for (; link; link = this.linkedAfter(link)) {
      const offset = memory.offsetInFile(link.piece, link.at);
      if (offset === undefined) break;
      this.addPart({ source: log, offset, bytes: linkedBytes(link), count: 1, last: linkedLast(link) });
      count++;
    }
    this.unlink(count, link);
    return count > 0;
  }

  /**
   * All of them, one behind the other, as they are read: {@link isChainOfEntries} says whether they are entries. Undefined when a file doesn't have them any more.
   * @param memory for so many bytes
   */
  copy(memory: (bytes: number) => Buffer = Buffer.allocUnsafe): Buffer | undefined {
    let size = 0;
    for (const { bytes } of this.parts ?? []) size += bytes;
    const linkedFrom = size;
    for (let link = this.firstLinked(); link; link = this.linkedAfter(link)) size += linkedBytes(link);
    const all = memory(size);
    let to = 0;
    for (const part of this.parts ?? []) {
      if (!copyPart(part, all, to)) return undefined;
      to += part.bytes;
    }
    this.copyLinked(all, linkedFrom, this.linkedCount);
    return all;
  }

  /** Those with a line from `from` up to `before` that are intact, with bytes of their own. */
  read(from: Sequence, before: Sequence = Number.POSITIVE_INFINITY): StoredBatch[] {
    const found: StoredBatch[] = [];
    this.forEach(from, before, (entry, bytes) => {
      if (entry.last < from || entry.first >= before) return;
      found.push(toStoredBatch(Buffer.from(bytes.subarray(entry.batchStart, entry.end)), entry));
    });
    return found;
  }

  /** The last line of those that were stored before a time, milliseconds since 1970. */
  lastBefore(ms: number): Sequence | undefined {
    let found: Sequence | undefined;
    this.forEach(0, Number.POSITIVE_INFINITY, ({ storedAtMs, last }) => {
      if (storedAtMs < ms) found = last;
    });
    return found;
  }

  /**
   * What isn't intact in files is taken out, and so is what has other numbers than it should.
   * @param from where the stream ends before all of them
   * @param to where it ends behind them
   * @returns the lines that are lost: the first and the last of each gap
   */
  dropDamaged(from: StreamEnd, to: StreamEnd): [Sequence, Sequence][] {
    const lost: [Sequence, Sequence][] = [];
    let reached = from;
    const reach = ({ next, bytesSoFar }: StreamEnd, end: StreamEnd): void => {
      if (bytesSoFar > reached.bytesSoFar && next > reached.next) lost.push([reached.next, next - 1]);
      reached = end;
    };
    const { parts = [] } = this;
    this.parts = undefined;
    this.partsCount = 0;
    const linked = this.firstLinkedEntry();
    const limit = linked ? startOf(linked) : to;
    for (const part of parts) {
      const bytes = readPart(part);
      const entries: SegmentEntry[] = [];
      const isWhole = this.visitPart(part, bytes, (entry) => {
        if (entry.first < reached.next || entry.bytesBefore < reached.bytesSoFar) return;
        if (entry.last >= limit.next || entry.bytesSoFar > limit.bytesSoFar) return;
        reach(startOf(entry), endOf(entry));
        entries.push(entry);
      });
      if (isWhole && entries.length === part.count) this.addPart(part);
      else {
        this.bytes = Math.max(0, this.bytes - part.bytes);
        for (const { start, end: entryEnd, last } of entries) {
          const own = Buffer.from(bytes.subarray(start, entryEnd));
          this.addPart({ source: own, offset: 0, bytes: own.length, count: 1, last });
          this.bytes += own.length;
        }
      }
    }
    reach(limit, to);
    this.isDamaged = false;
    return lost;
  }

  /** Takes out what is behind the first gap; undefined when there is none. @param from where the stream ends before all of them */
  takeBehindGap(from: StreamEnd): EntriesBehindGap | undefined {
    const { parts = [] } = this;
    let reached = from;
    for (const [i, part] of parts.entries()) {
      const bytes = readPart(part);
      const first = readKnownEntry(bytes, 0, 0);
      if (first.bytesBefore > reached.bytesSoFar) return this.takeFrom(i, first);
      forEachEntry(bytes, 0, (entry) => {
        reached = endOf(entry);
      });
    }
    const linked = this.firstLinkedEntry();
    return linked && linked.bytesBefore > reached.bytesSoFar
      ? this.takeFrom(parts.length, linked)
      : undefined;
  }

  /** What {@link takeBehindGap} took is added again, behind what is there. */
  putBack({ parts, partsCount, linkedCount, bytes }: EntriesBehindGap): void {
    if (parts.length > 0) this.parts = [...(this.parts ?? []), ...parts];
    this.partsCount += partsCount;
    this.linkedCount = linkedCount;
    this.bytes += bytes;
  }

  private takeFrom(part: number, { first, bytesBefore }: SegmentEntry): EntriesBehindGap {
    const parts = this.parts?.splice(part) ?? [];
    const { linkedCount } = this;
    const left = this.parts ?? [];
    const sum = (of: readonly StoredPart[], field: 'bytes' | 'count'): number =>
      of.reduce((total, one) => total + one[field], 0);
    const leftBytes = Math.min(this.bytes, sum(left, 'bytes'));
    const bytes = this.bytes - leftBytes;
    this.linkedCount = 0;
    this.partsCount = sum(left, 'count');
    this.bytes = leftBytes;
    return { first, bytesBefore, parts, partsCount: sum(parts, 'count'), linkedCount, bytes };
  }

  /**
   * Calls `visit` with each of them that is intact, and the bytes that it is in, of which a line from `from` up to `before` may be: those in memory
   * aren't copied. What was in memory all the time is as it was.
   */
  private forEach(
    from: Sequence,
    before: Sequence,
    visit: (entry: SegmentEntry, bytes: Buffer) => void,
  ): void {
    let reached = 0;
    for (const part of this.parts ?? []) {
      // What is in front of it may be a gap.
      if (reached + 1 >= before) return;
      reached = part.last;
      if (reached < from) continue;
      const bytes = readPart(part);
      if (!this.visitPart(part, bytes, (entry) => visit(entry, bytes))) this.isDamaged = true;
    }
    for (let link = this.firstLinked(); link; link = this.linkedAfter(link)) {
      const memory = pieceOf(link.piece);
      visit(readKnownEntry(memory, link.at, 0), memory);
    }
  }

  /** Calls `visit` with the intact entries of a part that was read; false when these aren't all. */
  private visitPart(
    { source, bytes: wanted }: StoredPart,
    bytes: Buffer,
    visit: (entry: SegmentEntry) => void,
  ): boolean {
    if (Buffer.isBuffer(source)) {
      forEachEntry(bytes, 0, visit);
      return true;
    }
    let isWhole = bytes.length === wanted;
    for (let at = 0; at < bytes.length; ) {
      const entry = findKnownEntry(bytes, at, 0);
      if (entry && entry.end <= bytes.length && isIntact(bytes, entry, 0, this.seed)) {
        visit(entry);
        at = entry.end;
        continue;
      }
      isWhole = false;
      const next = findIntactEntry(bytes, at, 0, 0, this.seed);
      if (!next) break;
      at = next.at;
    }
    return isWhole;
  }

  /** So many of the oldest ones in memory are no longer there. @param next the oldest one that is, if there is one */
  private unlink(count: number, next: Link | undefined): void {
    this.linkedCount -= count;
    if (next) [this.firstPiece, this.firstAt] = [next.piece, next.at];
  }

  private addPart(part: StoredPart): void {
    this.parts ??= [];
    this.parts.push(part);
    this.partsCount += part.count;
  }

  private firstLinked(): Link | undefined {
    return this.linkedCount > 0 ? { piece: this.firstPiece, at: this.firstAt } : undefined;
  }

  private firstLinkedEntry(): SegmentEntry | undefined {
    const link = this.firstLinked();
    return link && readKnownEntry(pieceOf(link.piece), link.at, 0);
  }

  private linkedAfter({ piece, at }: Link): Link | undefined {
    if (piece === this.lastPiece && at === this.lastAt) return undefined;
    const memory = pieceOf(piece);
    return { piece: memory.readUInt32LE(at - LINK_BYTES), at: memory.readUInt32LE(at - LINK_BYTES + 4) };
  }

  private copyLinked(out: Buffer, at: number, count: number): void {
    let to = at;
    let link = this.firstLinked();
    for (let left = count; left > 0 && link; left--, link = this.linkedAfter(link)) {
      const memory = pieceOf(link.piece);
      to += memory.copy(out, to, link.at, knownEntryEnd(memory, link.at));
    }
  }
}

/** Where the stream ends before an entry. */
function startOf({ first, bytesBefore }: SegmentEntry): StreamEnd {
  return { next: first, bytesSoFar: bytesBefore };
}

/** Where it ends behind it. */
function endOf({ last, bytesSoFar }: SegmentEntry): StreamEnd {
  return { next: last + 1, bytesSoFar };
}

/** Copies a part to `at` of `out`; false when its file doesn't have all of it. */
function copyPart({ source, offset, bytes }: StoredPart, out: Buffer, at: number): boolean {
  if (Buffer.isBuffer(source)) return source.copy(out, at, offset, offset + bytes) === bytes;
  return source.read(out, at, bytes, offset) === bytes;
}

/** A part, as far as its file has it. */
function readPart({ source, offset, bytes }: StoredPart): Buffer {
  if (Buffer.isBuffer(source)) return source.subarray(offset, offset + bytes);
  const read = Buffer.allocUnsafe(bytes);
  return read.subarray(0, source.read(read, 0, bytes, offset));
}

/** Where an entry is in the log's memory. */
interface Link {
  readonly piece: number;
  readonly at: number;
}

function linkedBytes({ piece, at }: Link): number {
  return knownEntryEnd(pieceOf(piece), at) - at;
}

function linkedLast({ piece, at }: Link): Sequence {
  return knownEntryLast(pieceOf(piece), at);
}

/** Calls `visit` with each entry of what {@link UnwrittenEntries.copy} gave, which is in a segment from `offset` on. */
export function forEachEntry(bytes: Buffer, offset: number, visit: (entry: SegmentEntry) => void): void {
  for (let at = 0; at < bytes.length; ) {
    const entry = readKnownEntry(bytes, at, offset);
    visit(entry);
    at = entry.end - offset;
  }
}
