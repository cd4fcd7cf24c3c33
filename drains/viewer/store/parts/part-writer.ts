import { closeSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { renameSyncedNow } from '../../../../src/common/files/replace-file.ts';
import { writeFullySync } from '../../../../src/common/files/write-fully.ts';
import { stripColors } from '../../../../src/common/text/colors.ts';
import type { Sequence } from '../../../../src/logs/store/contract.ts';
import { HEADROOM, RECORD_HEADER, RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { lineLevel } from '../../../../src/logs/syslog/record.ts';
import { BlockBuilder } from '../blocks/block-builder.ts';
import { type BlockEntry, readBlockHeader } from '../blocks/block-format.ts';
import { LineTimes } from '../blocks/line-time.ts';
import { MinuteCounts } from '../blocks/minute-counts.ts';
import { ColumnBuilder } from '../columns/column-builder.ts';
import { encodeColumns } from '../columns/part-columns.ts';
import { FacetCounter, MESSAGE_FACETS } from '../fields/facet-counts.ts';
import { GramSet } from '../filter/grams.ts';
import { encodeFilter } from '../filter/part-filter.ts';
import { addRecordGrams } from '../filter/wasm-grams.ts';
import { encodeCounts } from './part-counts.ts';
import { encodeFacets } from './part-facets.ts';
import { encodeBlockTable, encodePartEnd, SECTION, type Section } from './part-format.ts';
import { partName, type SequenceRange } from './part-names.ts';

/** Fewer blocks are looked at faster than a filter, and take less than one. */
const FILTER_BLOCKS_MIN = 3;
const ESCAPE = 0x1b;

/** Lines as they come from a stream. */
export interface LinesToPack {
  readonly first: Sequence;
  readonly receivedAtMs: number;
  /** As in a batch, from `start` on. */
  readonly bytes: Uint8Array;
  readonly start?: number;
}

/** A part that was written. */
export interface WrittenPart extends SequenceRange {
  readonly path: string;
}

/** Writes one part: block after block to a file of another name, which gets its own when it is whole and synced. */
export class PartWriter {
  private readonly path: string;
  private readonly fd: number;
  private readonly times = new LineTimes();
  private readonly builder = new BlockBuilder();
  private readonly minutes = new MinuteCounts();
  private readonly blocks: BlockEntry[] = [];
  private readonly counts: Uint32Array[] = [];
  private readonly columns = new ColumnBuilder(MESSAGE_FACETS);
  private readonly facets = new FacetCounter(this.columns);
  private readonly grams: GramSet[] = [];
  private current = new GramSet();
  /** Where the next escape character is. */
  private escapeIn: Buffer | undefined;
  private escapeAt = 0;
  private offset = 0;
  private isClosed = false;

  /** @param path of the unfinished file, in the folder where the part will be */
  constructor(path: string) {
    this.path = path;
    this.fd = openSync(path, 'w', 0o600);
  }

  /**
   * Adds the lines after a sequence.
   * @returns blocks that are in the file now and weren't before
   */
  add({ first, receivedAtMs, bytes, start = HEADROOM }: LinesToPack, after: Sequence): BlockEntry[] {
    const before = this.blocks.length;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const line = new RecordCursor(buffer, start);
    if (after >= first) line.skip(after - first + 1);
    for (let sequence = Math.max(first, after + 1); line.advance(); sequence++)
      this.addLine(line, buffer, sequence, receivedAtMs);
    return this.blocks.slice(before);
  }

  /** Adds the line under a cursor, which may be of any bytes. */
  addLine(line: RecordCursor, bytes: Buffer, sequence: Sequence, receivedAtMs: number): void {
    const start = line.textStart - RECORD_HEADER;
    if (!this.builder.takes(line.textEnd - start, sequence)) this.writeBlock();
    const timeMs = this.times.read(line, bytes) || receivedAtMs;
    this.builder.add(bytes, start, line.textEnd, sequence, timeMs, receivedAtMs);
    const level = lineLevel(line, bytes);
    this.minutes.add(timeMs, level);
    const isEscaped = this.hasEscape(line, bytes);
    if (isEscaped) this.addWithoutColors(line, bytes);
    this.columns.add(line, bytes, level, timeMs, isEscaped);
    this.facets.add(line, bytes);
  }

  /** Bytes of the file. */
  get size(): number {
    return this.offset;
  }

  /**
   * Finishes the part, syncs it and gives it its name; undefined when there are no lines in it.
   * @param prefix what is before a part's name, and what behind it: until it counts
   * @param named the lines of the part in whose place it comes; left out: those that are in it
   */
  seal(prefix = '', suffix = '', named?: SequenceRange): WrittenPart | undefined {
    if (this.builder.count > 0) this.writeBlock();
    if (this.blocks.length === 0) {
      this.abandon();
      return undefined;
    }
    const sections: Section[] = [
      { id: SECTION.blocks, bytes: encodeBlockTable(this.blocks) },
      { id: SECTION.counts, bytes: encodeCounts(this.counts) },
      { id: SECTION.facets, bytes: encodeFacets(this.facets.counts()) },
      { id: SECTION.columns, bytes: encodeColumns(this.columns.finish()) },
    ];
    if (this.blocks.length >= FILTER_BLOCKS_MIN)
      sections.push({ id: SECTION.filter, bytes: encodeFilter(this.grams) });
    writeFullySync(this.fd, encodePartEnd(sections, this.offset));
    this.close();
    const { first } = this.blocks[0];
    const end = this.blocks[this.blocks.length - 1];
    const range = named ?? { first, last: end.first + end.count - 1 };
    const path = join(dirname(this.path), `${prefix}${partName(range)}${suffix}`);
    renameSyncedNow(this.path, path);
    return { ...range, path };
  }

  /** Removes what was written. */
  abandon(): void {
    this.close();
    rmSync(this.path, { force: true });
  }

  /** Is there an escape character in the line, as color codes begin with? */
  private hasEscape(line: RecordCursor, bytes: Buffer): boolean {
    if (this.escapeIn !== bytes || this.escapeAt < line.hostStart) {
      this.escapeIn = bytes;
      const at = bytes.indexOf(ESCAPE, line.hostStart);
      this.escapeAt = at === -1 ? Number.POSITIVE_INFINITY : at;
    }
    return this.escapeAt < line.textEnd;
  }

  /** What is searched for may be on both sides of a color code. */
  private addWithoutColors(line: RecordCursor, bytes: Buffer): void {
    const text = stripColors(bytes.toString('latin1', line.messageStart, line.textEnd));
    const plain = Buffer.from(text, 'latin1');
    this.current.add(plain, 0, plain.length);
  }

  private close(): void {
    if (!this.isClosed) closeSync(this.fd);
    this.isClosed = true;
  }

  private writeBlock(): void {
    addRecordGrams(this.current, this.builder.content.records);
    const block = this.builder.finish();
    const entry = readBlockHeader(block, this.offset);
    if (!entry) throw new Error('A block was encoded wrongly.');
    writeFullySync(this.fd, block);
    this.blocks.push(entry);
    this.counts.push(this.minutes.take());
    this.columns.endBlock();
    this.grams.push(this.current);
    this.current = new GramSet();
    this.offset += block.length;
  }
}
