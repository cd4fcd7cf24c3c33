import { expect } from 'vitest';

/**
 * Expects thousands of lines to be the same, and shows where they first differ: the test runner's own diff of two long lists takes more
 * memory than its worker has.
 */
export function expectSameLines(actual: readonly string[], expected: readonly string[]): void {
  const at = expected.findIndex((line, i) => actual[i] !== line);
  const from = at === -1 ? expected.length : at;
  const around = (lines: readonly string[]) => ({
    count: lines.length,
    from,
    lines: lines.slice(from, from + 3),
  });
  expect(around(actual)).toEqual(around(expected));
}
