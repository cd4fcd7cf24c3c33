/**
 * Batches that are open for more lines, in the memory of the WebAssembly fast path: it appends records of common lines there itself, so that lines
 * of thousands of apps that alternate cost no call each. A {@link OpenBatchCell} says where; who has one opens and closes it.
 */
import { SameSizePool } from '../../../common/buffers/same-size-pool.ts';
import { type OpenCell, openBatchMemory } from './wasm-codec.ts';

const { buffer, start, bytes: regionBytes, cells, cellsMax, cellBytes } = openBatchMemory;
/** Records are copied 16 bytes at a time, and so up to 15 bytes over their end. */
const SLACK_BYTES = 16;
/** In u32, of a cell: see `wasm-scatter.as.ts`. */
const TAG = 0;
const END = 1;
const LIMIT = 2;
const LINES = 3;
const BYTES = 4;

const cellWords = new Uint32Array(buffer, cells, (cellsMax * cellBytes) / 4);
const freeCells: number[] = [];
let usedCells = 0;
let lastTag = 0;
let usedBytes = 0;

/** A pool of so many buffers in that memory; what is needed beyond them isn't there. */
export function openBatchBuffers(bytes: number, count: number): SameSizePool {
  const at = start + usedBytes;
  usedBytes += bytes * count;
  if (usedBytes > regionBytes) throw new RangeError('there is no memory for so many open batches');
  return new SameSizePool(bytes, count, { buffer, start: at });
}

/** A batch's place among those that are open, for the fast path. It belongs to one builder, until it is given back. */
export class OpenBatchCell implements OpenCell {
  readonly at: number;
  readonly tag: number;
  private readonly word: number;

  private constructor(number: number) {
    this.word = (number * cellBytes) / 4;
    this.at = cells + number * cellBytes;
    // Slots that are linked to who had it before don't find it any more.
    this.tag = ++lastTag;
    cellWords[this.word + TAG] = this.tag;
  }

  /** Undefined when all are used. */
  static acquire(): OpenBatchCell | undefined {
    if (freeCells.length === 0 && usedCells === cellsMax) return undefined;
    return new OpenBatchCell(freeCells.pop() ?? usedCells++);
  }

  /** Opens it for records behind `end` of a buffer. @returns false when that isn't in the fast path's memory */
  open(batch: Uint8Array, end: number): boolean {
    if (batch.buffer !== buffer) return false;
    const { word } = this;
    cellWords[word + END] = batch.byteOffset + end;
    cellWords[word + LIMIT] = batch.byteOffset + batch.length - SLACK_BYTES;
    cellWords[word + LINES] = 0;
    cellWords[word + BYTES] = 0;
    return true;
  }

  /** Where the records end in that buffer, how many were appended, and how many bytes their lines had. */
  end(batch: Uint8Array): number {
    return cellWords[this.word + END] - batch.byteOffset;
  }

  get lines(): number {
    return cellWords[this.word + LINES];
  }

  get lineBytes(): number {
    return cellWords[this.word + BYTES];
  }

  /** Nothing more is appended. */
  close(): void {
    cellWords[this.word + END] = 0;
  }

  /** It isn't used any more. */
  giveBack(): void {
    this.close();
    cellWords[this.word + TAG] = 0;
    freeCells.push((this.word * 4) / cellBytes);
  }
}
