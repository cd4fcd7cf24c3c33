import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatNumber } from '../../../src/common/text/format-numbers.ts';

describe('numbers', () => {
  it.each([
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_024, '1.0 KB'],
    [10_189, '10 KB'],
    // The setting TAILRACE_STREAM_BYTES, as it is typed.
    [268_435_456, '256 MB'],
    [1_048_575, '1.0 MB'],
    [1_073_741_824, '1.0 GB'],
    [3 * 2 ** 50, '3072 TB'],
  ])('%i bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it('of one thing have it in the singular', () => {
    expect([0, 1, 2_000].map((count) => formatCount(count, 'line'))).toEqual([
      '0 lines',
      '1 line',
      '2,000 lines',
    ]);
    expect([999, 1_000, 1_234_567, -5, 0.5, 1_234.5678].map(formatNumber)).toEqual([
      '999',
      '1,000',
      '1,234,567',
      '-5',
      '0.5',
      '1,234.568',
    ]);
  });
});
