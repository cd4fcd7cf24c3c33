/**
 * A part: blocks, then sections that say what is in them, then where the sections are. Little endian:
 *
 *     blocks | sections | directory: u32 id, f64 offset, u32 length, u32 CRC-32 each | trailer
 *     trailer: f64 offset of the directory | u32 its sections | u32 CRC-32 of it and of what is before in the trailer | u32 version | u32 magic
 */
import { crc32 } from '../../../../src/logs/store/embedded/checksum.ts';
import type { BlockEntry } from '../blocks/block-format.ts';

const TRAILER_BYTES = 24;
const DIRECTORY_ENTRY_BYTES = 20;
const PART_MAGIC = 0x31_50_56_54;
const PART_VERSION = 1;
const SECTIONS_MAX = 64;
const TABLE_COLUMNS = 7;

/** What sections there are, by their ids. */
export const SECTION = { blocks: 1, counts: 2, filter: 3, facets: 4, blockFacets: 5, columns: 6 } as const;

export interface SectionPlace {
  readonly id: number;
  readonly offset: number;
  readonly length: number;
  readonly checksum: number;
}

export interface Section {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** The directory of a part, or one of its sections, can't be used; its blocks say themselves what they are. */
export class PartDamageError extends Error {}

/** What stands behind the blocks, which end at `offset`. */
export function encodePartEnd(sections: readonly Section[], offset: number): Buffer {
  const directory = Buffer.alloc(sections.length * DIRECTORY_ENTRY_BYTES + TRAILER_BYTES);
  let at = offset;
  let i = 0;
  for (const { id, bytes } of sections) {
    directory.writeUInt32LE(id, i);
    directory.writeDoubleLE(at, i + 4);
    directory.writeUInt32LE(bytes.length, i + 12);
    directory.writeUInt32LE(crc32(bytes), i + 16);
    at += bytes.length;
    i += DIRECTORY_ENTRY_BYTES;
  }
  directory.writeDoubleLE(at, i);
  directory.writeUInt32LE(sections.length, i + 8);
  directory.writeUInt32LE(crc32(directory.subarray(0, i + 12)), i + 12);
  directory.writeUInt32LE(PART_VERSION, i + 16);
  directory.writeUInt32LE(PART_MAGIC, i + 20);
  return Buffer.concat([...sections.map(({ bytes }) => bytes), directory]);
}

/** Reads bytes of a file; fewer when it ends before. */
export type ReadAt = (offset: number, length: number) => Buffer;

/**
 * Where the sections of a part of `size` bytes are.
 * @throws PartDamageError when its end is damaged, or missing.
 */
export function readDirectory(size: number, readAt: ReadAt): readonly SectionPlace[] {
  if (size < TRAILER_BYTES) throw new PartDamageError('its end is missing');
  const trailer = readAt(size - TRAILER_BYTES, TRAILER_BYTES);
  if (trailer.length < TRAILER_BYTES || trailer.readUInt32LE(20) !== PART_MAGIC)
    throw new PartDamageError('its end is missing, or damaged');
  if (trailer.readUInt32LE(16) !== PART_VERSION)
    throw new PartDamageError(`it is of version ${trailer.readUInt32LE(16)}, which is unknown here`);
  const offset = trailer.readDoubleLE(0);
  const count = trailer.readUInt32LE(8);
  const length = count * DIRECTORY_ENTRY_BYTES;
  if (count > SECTIONS_MAX || offset + length + TRAILER_BYTES !== size)
    throw new PartDamageError('its end is damaged');
  const directory = readAt(offset, length + 12);
  if (directory.length < length + 12 || crc32(directory) !== trailer.readUInt32LE(12))
    throw new PartDamageError('its directory is damaged');
  return Array.from({ length: count }, (_, i) => {
    const at = i * DIRECTORY_ENTRY_BYTES;
    return {
      id: directory.readUInt32LE(at),
      offset: directory.readDoubleLE(at + 4),
      length: directory.readUInt32LE(at + 12),
      checksum: directory.readUInt32LE(at + 16),
    };
  });
}

/**
 * A whole section; undefined when the part has none of this kind.
 * @throws PartDamageError when it is damaged.
 */
export function readSection(places: readonly SectionPlace[], id: number, readAt: ReadAt): Buffer | undefined {
  const place = places.find((one) => one.id === id);
  if (!place) return undefined;
  const bytes = readAt(place.offset, place.length);
  if (bytes.length !== place.length || crc32(bytes) !== place.checksum)
    throw new PartDamageError(`its section ${id} is damaged`);
  return bytes;
}

/** The section of the table: of each block {@link TABLE_COLUMNS} float64, little endian. */
export function encodeBlockTable(blocks: readonly BlockEntry[]): Buffer {
  const table = Buffer.alloc(blocks.length * TABLE_COLUMNS * 8);
  let at = 0;
  for (const one of blocks) {
    for (const value of [
      one.offset,
      one.length,
      one.first,
      one.count,
      one.minMs,
      one.maxMs,
      one.recordBytes,
    ]) {
      table.writeDoubleLE(value, at);
      at += 8;
    }
  }
  return table;
}

/** The blocks in their order. The bytes are complete: their checksum was checked. */
export function decodeBlockTable(table: Buffer): BlockEntry[] {
  const blocks: BlockEntry[] = [];
  for (let at = 0; at + TABLE_COLUMNS * 8 <= table.length; at += TABLE_COLUMNS * 8)
    blocks.push({
      offset: table.readDoubleLE(at),
      length: table.readDoubleLE(at + 8),
      first: table.readDoubleLE(at + 16),
      count: table.readDoubleLE(at + 24),
      minMs: table.readDoubleLE(at + 32),
      maxMs: table.readDoubleLE(at + 40),
      recordBytes: table.readDoubleLE(at + 48),
    });
  return blocks;
}
