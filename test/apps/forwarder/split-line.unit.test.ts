import { expect, test } from 'vitest';
import { splitLine } from '../../../src/apps/forwarder/split-line.ts';

const lengths = (line: Uint8Array) => splitLine(line).map((piece) => piece.length);

test('long lines are split into pieces of 10,000 bytes', () => {
  expect(lengths(Buffer.alloc(10_000, 'x'))).toEqual([10_000]);
  expect(lengths(Buffer.alloc(10_001, 'x'))).toEqual([10_000, 1]);
  expect(lengths(Buffer.alloc(25_000, 'x'))).toEqual([10_000, 10_000, 5_000]);
  expect(lengths(Buffer.alloc(0))).toEqual([0]);
});

test('a character is not cut in two', () => {
  const line = Buffer.from(`x${'😀'.repeat(5_000)}`);
  const pieces = splitLine(line);
  expect(pieces.map((piece) => piece.length)).toEqual([9_997, 10_000, 4]);
  expect(pieces.map((piece) => Buffer.from(piece).toString()).join('')).toBe(line.toString());
});

test('bytes that are no UTF-8 are cut where the limit is', () => {
  expect(lengths(Buffer.alloc(20_001, 0x80))).toEqual([10_000, 10_000, 1]);
});
