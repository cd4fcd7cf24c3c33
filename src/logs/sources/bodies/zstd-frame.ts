/** The outer structure of Zstandard frames (RFC 8878 section 3.1), as far as needed to see whether one is there in full. */

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const DICTIONARY_BYTES = [0, 1, 2, 4];
const RESERVED_BLOCK = 3;
const RLE_BLOCK = 1;

/**
 * The frames that the bytes consist of, without those that hold no data; undefined when they aren't frames from end to end.
 * Node.js decompresses the first of several, and half of one, without an error.
 */
export function zstdFrames(bytes: Buffer): Buffer[] | undefined {
  const frames: Buffer[] = [];
  let at = 0;
  do {
    const end = frameEnd(bytes, at);
    if (end === undefined) return undefined;
    if (bytes[at] === (MAGIC & 0xff)) frames.push(bytes.subarray(at, end));
    at = end;
  } while (at < bytes.length);
  return frames;
}

/** Where the frame at `start` ends; undefined when it doesn't, or is none. */
function frameEnd(bytes: Buffer, start: number): number | undefined {
  if (start + 5 > bytes.length) return undefined;
  const magic = bytes.readUInt32LE(start);
  if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE) return endWithinBuffer(bytes, skippableEnd(bytes, start));
  if (magic !== MAGIC) return undefined;
  const descriptor = bytes[start + 4];
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingle ? 1 : 0) : 1 << sizeFlag;
  let at = start + 5 + (isSingle ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3] + sizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > bytes.length) return undefined;
    const block = bytes.readUIntLE(at, 3);
    isLast = (block & 1) === 1;
    const type = (block >> 1) & 3;
    if (type === RESERVED_BLOCK) return undefined;
    at += 3 + (type === RLE_BLOCK ? 1 : block >> 3);
  }
  const hasChecksum = (descriptor & 4) !== 0;
  return endWithinBuffer(bytes, at + (hasChecksum ? 4 : 0));
}

function skippableEnd(bytes: Buffer, start: number): number {
  return start + 8 > bytes.length ? Number.POSITIVE_INFINITY : start + 8 + bytes.readUInt32LE(start + 4);
}

function endWithinBuffer(bytes: Buffer, end: number): number | undefined {
  return end <= bytes.length ? end : undefined;
}
