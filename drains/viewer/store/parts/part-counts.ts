/** The section of counts: `u32` how many numbers each block has, then the numbers (blocks/minute-counts.ts), compressed. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';

const SECTION_BYTES_MAX = 256 * 1_048_576;

/** The section's bytes. @param counts of each block, in their order */
export function encodeCounts(counts: readonly Uint32Array[]): Buffer {
  const total = counts.reduce((sum, one) => sum + one.length, 0);
  const numbers = new Uint32Array(1 + counts.length + total);
  numbers[0] = counts.length;
  let at = 1 + counts.length;
  for (const [i, one] of counts.entries()) {
    numbers[1 + i] = one.length;
    numbers.set(one, at);
    at += one.length;
  }
  return deflateRawSync(Buffer.from(numbers.buffer));
}

/** The counts of each block. */
export function decodeCounts(section: Buffer): Uint32Array[] {
  const bytes = inflateRawSync(section, { maxOutputLength: SECTION_BYTES_MAX });
  const numbers = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const counts: Uint32Array[] = [];
  let at = 1 + numbers[0];
  for (let i = 0; i < numbers[0]; i++) {
    counts.push(numbers.subarray(at, at + numbers[1 + i]));
    at += numbers[1 + i];
  }
  return counts;
}
