/**
 * The filter of a part: for each row of grams.ts a bit for each block. Rows are together in pages that are compressed by themselves, so that a
 * look-up reads some hundred bytes. Little endian:
 *
 *     u32 CRC-32 of the rest up to the pages | u32 blocks | u32 pages | of each page: u32 where it ends, u32 CRC-32 | pages
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { crc32 } from '../../../../src/logs/store/embedded/checksum.ts';
import type { FilterPlan } from './filter-plan.ts';
import { GRAM_ROWS, type GramSet } from './grams.ts';

const PAGE_ROWS = 256;
const PAGES = GRAM_ROWS / PAGE_ROWS;
const HEAD_BYTES = 12;
const PAGE_ENTRY_BYTES = 8;
const FRONT_BYTES = HEAD_BYTES + PAGES * PAGE_ENTRY_BYTES;

/** The filter of blocks, a set each. */
export function encodeFilter(blocks: readonly GramSet[]): Buffer {
  const rowBytes = rowBytesOf(blocks.length);
  const bits = Buffer.alloc(GRAM_ROWS * rowBytes);
  for (const [i, grams] of blocks.entries()) {
    const mask = 1 << (i & 7);
    const at = i >> 3;
    grams.forEach((row) => {
      bits[row * rowBytes + at] |= mask;
    });
  }
  const front = Buffer.alloc(FRONT_BYTES);
  front.writeUInt32LE(blocks.length, 4);
  front.writeUInt32LE(PAGES, 8);
  const pages: Buffer[] = [front];
  let end = 0;
  for (let page = 0; page < PAGES; page++) {
    const start = page * PAGE_ROWS * rowBytes;
    const packed = deflateRawSync(bits.subarray(start, start + PAGE_ROWS * rowBytes), {
      level: 3,
      memLevel: 6,
    });
    end += packed.length;
    front.writeUInt32LE(end, HEAD_BYTES + page * PAGE_ENTRY_BYTES);
    front.writeUInt32LE(crc32(packed), HEAD_BYTES + page * PAGE_ENTRY_BYTES + 4);
    pages.push(packed);
  }
  front.writeUInt32LE(crc32(front.subarray(4)), 0);
  return Buffer.concat(pages);
}

function rowBytesOf(blocks: number): number {
  return (blocks + 7) >> 3;
}

/** Reads bytes of the filter. */
export type ReadFilter = (offset: number, length: number) => Buffer;

/** A part's filter can't be used: none of its blocks is ruled out. */
export class FilterDamage extends Error {}

/** Looks into the filter of one part. */
export class PartFilter {
  private readonly read: ReadFilter;
  private readonly front: Buffer;
  private readonly rowBytes: number;
  private readonly pages = new Map<number, Buffer>();
  readonly blocks: number;

  /** @throws FilterDamage when it isn't what was written. */
  constructor(read: ReadFilter) {
    this.read = read;
    this.front = read(0, FRONT_BYTES);
    if (this.front.length < FRONT_BYTES || crc32(this.front.subarray(4)) !== this.front.readUInt32LE(0))
      throw new FilterDamage('the front of the filter is damaged');
    this.blocks = this.front.readUInt32LE(4);
    if (this.front.readUInt32LE(8) !== PAGES) throw new FilterDamage('the filter is of another kind');
    this.rowBytes = rowBytesOf(this.blocks);
  }

  /**
   * A bit for each block: may a line in it match?
   * @throws FilterDamage
   */
  evaluate(plan: FilterPlan): Uint8Array {
    if (plan.kind === 'rows') {
      const bits = new Uint8Array(this.rowBytes).fill(0xff);
      for (const row of plan.rows) if (!this.and(bits, this.row(row))) break;
      return bits;
    }
    const isAnd = plan.kind === 'and';
    const bits = new Uint8Array(this.rowBytes).fill(isAnd ? 0xff : 0);
    for (const child of plan.children) {
      const other = this.evaluate(child);
      if (!isAnd) for (let i = 0; i < bits.length; i++) bits[i] |= other[i];
      else if (!this.and(bits, other)) break;
    }
    return bits;
  }

  /** False when nothing is left. */
  private and(bits: Uint8Array, other: Uint8Array): boolean {
    let left = 0;
    for (let i = 0; i < bits.length; i++) {
      bits[i] &= other[i];
      left |= bits[i];
    }
    return left !== 0;
  }

  private row(row: number): Uint8Array {
    const index = Math.floor(row / PAGE_ROWS);
    let page = this.pages.get(index);
    if (!page) {
      page = this.readPage(index);
      this.pages.set(index, page);
    }
    const at = (row % PAGE_ROWS) * this.rowBytes;
    return page.subarray(at, at + this.rowBytes);
  }

  private readPage(index: number): Buffer {
    const entry = HEAD_BYTES + index * PAGE_ENTRY_BYTES;
    const start = index === 0 ? 0 : this.front.readUInt32LE(entry - PAGE_ENTRY_BYTES);
    const packed = this.read(FRONT_BYTES + start, this.front.readUInt32LE(entry) - start);
    if (crc32(packed) !== this.front.readUInt32LE(entry + 4))
      throw new FilterDamage('a page of the filter is damaged');
    const length = PAGE_ROWS * this.rowBytes;
    return inflateRawSync(packed, { maxOutputLength: length, chunkSize: Math.max(64, length) });
  }
}
