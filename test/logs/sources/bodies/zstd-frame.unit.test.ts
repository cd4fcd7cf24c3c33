import { describe, expect, it } from 'vitest';
import { zstdFrames } from '../../../../src/logs/sources/bodies/zstd-frame.ts';

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const text = [...Buffer.from('hello')];
/** A block's header: type 0 raw, 1 repeated, 2 compressed. */
const block = (type: number, size: number, isLast: boolean): number[] => {
  const value = (size << 3) | (type << 1) | (isLast ? 1 : 0);
  return [value & 0xff, (value >> 8) & 0xff, value >> 16];
};

/** One of each way to write a frame (RFC 8878 section 3.1.1). */
const FRAMES: [string, number[]][] = [
  ['of one segment', [...MAGIC, 0x20, 5, ...block(0, 5, true), ...text]],
  ['with a window', [...MAGIC, 0x00, 0x58, ...block(0, 5, true), ...text]],
  ['with a checksum', [...MAGIC, 0x24, 5, ...block(0, 5, true), ...text, 1, 2, 3, 4]],
  ['with a dictionary', [...MAGIC, 0x23, 9, 9, 9, 9, 5, ...block(0, 5, true), ...text]],
  ['of a size in two bytes', [...MAGIC, 0x60, 1, 2, ...block(0, 5, true), ...text]],
  ['of a size in eight bytes', [...MAGIC, 0xe0, ...Array(8).fill(1), ...block(0, 5, true), ...text]],
  ['of a byte, repeated', [...MAGIC, 0x20, 255, ...block(1, 255, true), 0x78]],
  ['of several blocks', [...MAGIC, 0x20, 10, ...block(0, 5, false), ...text, ...block(2, 5, true), ...text]],
  ['of nothing', [...MAGIC, 0x20, 0, ...block(0, 0, true)]],
];
const SKIPPABLE = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 7, 7, 7];

describe('a frame', () => {
  it.each(FRAMES)('%s is whole, and nothing shorter or longer is', (_name, bytes) => {
    const whole = Buffer.from(bytes);
    expect(zstdFrames(whole)).toEqual([whole]);
    for (let length = 0; length < whole.length; length++)
      expect(zstdFrames(whole.subarray(0, length))).toBeUndefined();
    expect(zstdFrames(Buffer.concat([whole, Buffer.from('x')]))).toBeUndefined();
  });

  it('may be one of several; those that hold no data are left out', () => {
    const all = FRAMES.map(([, bytes]) => Buffer.from(bytes));
    expect(zstdFrames(Buffer.concat(all.flatMap((one) => [Buffer.from(SKIPPABLE), one])))).toEqual(all);
    expect(zstdFrames(Buffer.from(SKIPPABLE.slice(0, -1)))).toBeUndefined();
  });

  it('is nothing else', () => {
    for (const text of ['hello', '{"msg":"a"}', '\x1f\x8b\x08\x00\x00\x00\x00\x00'])
      expect(zstdFrames(Buffer.from(text, 'latin1'))).toBeUndefined();
    expect(zstdFrames(Buffer.from([...MAGIC, 0x20, 5, ...block(3, 5, true), ...text]))).toBeUndefined();
  });
});
