import { expect } from 'vitest';

/**
 * Are these the same lines, thousands of them? Says where they begin to differ: the difference of two long lists, drawn up by the
 * test runner, takes more memory than its worker has.
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
