/** Reads sections of a part's file on a thread: filter and columns. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { BlockEntry } from '../blocks/block-format.ts';
import { PartColumns } from '../columns/part-columns.ts';
import { PartFilter } from '../filter/part-filter.ts';
import {
  decodeBlockTable,
  type ReadAt,
  readDirectory,
  readSection,
  SECTION,
  type SectionPlace,
} from '../parts/part-format.ts';

export class PartReader {
  private readonly fd: number;
  private readonly places: readonly SectionPlace[];

  /** @throws PartDamageError, or what the file system says */
  constructor(path: string) {
    this.fd = openSync(path, 'r');
    try {
      this.places = readDirectory(fstatSync(this.fd).size, this.readAt);
    } catch (error) {
      closeSync(this.fd);
      throw error;
    }
  }

  /** All blocks of the part. @throws PartDamageError */
  blocks(): readonly BlockEntry[] {
    const table = readSection(this.places, SECTION.blocks, this.readAt);
    return table ? decodeBlockTable(table) : [];
  }

  /** Undefined when the part has none. @throws FilterDamage */
  filter(): PartFilter | undefined {
    const read = this.sectionReader(SECTION.filter);
    return read && new PartFilter(read);
  }

  /** Undefined when the part has none. @throws ColumnDamage */
  columns(): PartColumns | undefined {
    const read = this.sectionReader(SECTION.columns);
    return read && new PartColumns(read);
  }

  close(): void {
    closeSync(this.fd);
  }

  private sectionReader(id: number): ReadAt | undefined {
    const place = this.places.find((one) => one.id === id);
    return (
      place &&
      ((offset, length) =>
        this.readAt(place.offset + offset, Math.max(0, Math.min(length, place.length - offset))))
    );
  }

  private readonly readAt: ReadAt = (offset, length) => {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, readSync(this.fd, bytes, 0, length, offset));
  };
}
