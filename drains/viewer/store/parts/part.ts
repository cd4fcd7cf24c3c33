import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { systemCode } from '../../../../src/common/errors.ts';
import type { AppId, Sequence } from '../../../../src/logs/store/contract.ts';
import { RECORD_HEADER } from '../../../../src/logs/syslog/batch.ts';
import type { BlockEntry } from '../blocks/block-format.ts';
import type { FacetCounts } from '../fields/facet-counts.ts';
import { decodeCounts } from './part-counts.ts';
import { decodeFacets } from './part-facets.ts';
import {
  decodeBlockTable,
  PartDamageError,
  type ReadAt,
  readDirectory,
  readSection,
  SECTION,
  type SectionPlace,
} from './part-format.ts';
import { missingRanges, type SequenceRange } from './part-names.ts';
import { recoverBlocks } from './recover-blocks.ts';

/** What a part has in it. */
export interface PartContents {
  readonly blocks: readonly BlockEntry[];
  readonly lines: number;
  /** As the lines were received. */
  readonly rawBytes: number;
  readonly diskBytes: number;
  readonly minMs: number;
  readonly maxMs: number;
}

/** Called with lines that turn out to be lost. */
export type ReportLoss = (part: Part, lines: SequenceRange | undefined, reason: string) => void;

/** A part of a stream: a file that is whole, or what is left of one. What it says of itself is read when it is asked for. */
export class Part implements SequenceRange {
  readonly stream: AppId;
  readonly first: Sequence;
  readonly last: Sequence;
  readonly path: string;
  private readonly report: ReportLoss;
  private loaded: PartContents | undefined;
  private counted: readonly Uint32Array[] | undefined;
  private facetsRead: FacetCounts | undefined;
  private sections: readonly SectionPlace[] = [];
  private users = 0;
  private isRemoved = false;
  private isWhole = true;

  constructor(stream: AppId, path: string, { first, last }: SequenceRange, report: ReportLoss) {
    this.stream = stream;
    this.path = path;
    this.first = first;
    this.last = last;
    this.report = report;
  }

  get contents(): PartContents {
    this.loaded ??= this.load();
    return this.loaded;
  }

  /** Reads anew what is in it: its file has changed. */
  reload(): void {
    this.isWhole = true;
    this.sections = [];
    this.counted = undefined;
    this.facetsRead = undefined;
    this.loaded = this.load();
  }

  /** Is something of it lost, as far as its end says? */
  get isDamaged(): boolean {
    return this.contents.lines === 0 || !this.isWhole;
  }

  /** Is there something that says which of its blocks may have a text? */
  get hasFilter(): boolean {
    return (
      this.contents.blocks.length > 0 && this.sections.some(({ id }) => id === SECTION.filter) && this.isWhole
    );
  }

  /** Is there something that tells of lines without reading them? */
  get hasColumns(): boolean {
    return (
      this.contents.blocks.length > 0 &&
      this.sections.some(({ id }) => id === SECTION.columns) &&
      this.isWhole
    );
  }

  /** Lines of each level in each minute, block by block; undefined when that is damaged. */
  get counts(): readonly Uint32Array[] | undefined {
    this.counted ??= this.section(SECTION.counts, (bytes) => {
      const counts = decodeCounts(bytes);
      return counts.length === this.contents.blocks.length ? counts : undefined;
    });
    return this.counted;
  }

  /** How often fields have each of their values in the whole part. */
  get facets(): FacetCounts | undefined {
    this.facetsRead ??= this.section(SECTION.facets, decodeFacets<FacetCounts>);
    return this.facetsRead;
  }

  /** The same of each block. Not kept: it is for the first and the last part of a range. */
  readBlockFacets(): readonly FacetCounts[] | undefined {
    return this.section(SECTION.blockFacets, (bytes) => {
      const facets = decodeFacets<readonly FacetCounts[]>(bytes);
      return facets.length === this.contents.blocks.length ? facets : undefined;
    });
  }

  /** The file stays until {@link release} was called as often. */
  retain(): void {
    this.users++;
  }

  release(): void {
    this.users--;
    this.removeUnused();
  }

  /** Removes the file, as soon as nobody uses it. */
  remove(): void {
    this.isRemoved = true;
    this.removeUnused();
  }

  private removeUnused(): void {
    if (this.isRemoved && this.users === 0) rmSync(this.path, { force: true });
  }

  /** What a section says; undefined when it is damaged, or there is none. */
  private section<T>(id: number, decode: (bytes: Buffer) => T | undefined): T | undefined {
    if (this.isDamaged) return undefined;
    try {
      const bytes = this.withFile((readAt) => readSection(this.sections, id, readAt));
      return bytes && decode(bytes);
    } catch (error) {
      if (!(error instanceof PartDamageError) && systemCode(error) === undefined) throw error;
      return undefined;
    }
  }

  private load(): PartContents {
    let size = 0;
    try {
      return this.withFile((readAt, fileSize) => {
        size = fileSize;
        this.sections = readDirectory(size, readAt);
        const table = readSection(this.sections, SECTION.blocks, readAt);
        if (!table) throw new PartDamageError('its table of blocks is missing');
        return contentsOf(decodeBlockTable(table), size);
      });
    } catch (error) {
      this.isWhole = false;
      if (!(error instanceof PartDamageError)) {
        this.report(this, this, `its file can't be read (${systemCode(error) ?? String(error)})`);
        return contentsOf([], size);
      }
      const blocks = this.withFile((readAt) => recoverBlocks(size, readAt));
      for (const range of missingRanges(this, blocks.map(rangeOf))) this.report(this, range, error.message);
      return contentsOf(blocks, size);
    }
  }

  private withFile<T>(use: (readAt: ReadAt, size: number) => T): T {
    const fd = openSync(this.path, 'r');
    try {
      const readAt: ReadAt = (offset, length) => {
        const bytes = Buffer.allocUnsafe(length);
        return bytes.subarray(0, readSync(fd, bytes, 0, length, offset));
      };
      return use(readAt, fstatSync(fd).size);
    } finally {
      closeSync(fd);
    }
  }
}

function contentsOf(blocks: readonly BlockEntry[], diskBytes: number): PartContents {
  let lines = 0;
  let rawBytes = 0;
  let minMs = Number.POSITIVE_INFINITY;
  let maxMs = Number.NEGATIVE_INFINITY;
  for (const block of blocks) {
    lines += block.count;
    rawBytes += block.recordBytes - block.count * RECORD_HEADER;
    minMs = Math.min(minMs, block.minMs);
    maxMs = Math.max(maxMs, block.maxMs);
  }
  return { blocks, lines, rawBytes, diskBytes, minMs, maxMs };
}

/** The sequences of a block. */
export function rangeOf({ first, count }: BlockEntry): SequenceRange {
  return { first, last: first + count - 1 };
}
