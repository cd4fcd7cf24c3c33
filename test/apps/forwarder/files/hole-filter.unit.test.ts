import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoleFilter } from '../../../../src/apps/forwarder/files/hole-filter.ts';
import { propertyRuns } from '../../../support/properties/property-runs.ts';

const HOLE = '\0'.repeat(5_000);

/** Passes a file on in chunks that are cut at these places, and takes line after line of it. */
function pass(file: string, places: readonly number[], isTruncated: boolean) {
  const bytes = Buffer.from(file, 'latin1');
  const skipped: number[] = [];
  const holes = new HoleFilter(0, isTruncated, (byteCount) => skipped.push(byteCount));
  const cuts = [...new Set(places.map((place) => place % (bytes.length + 1))), bytes.length].sort(
    (a, b) => a - b,
  );
  const passed: Buffer[] = [];
  let start = 0;
  for (const end of cuts) {
    passed.push(...holes.filter(bytes.subarray(start, end)));
    start = end;
  }
  passed.push(...holes.end());
  const text = Buffer.concat(passed).toString('latin1');
  const offsets = (text.match(/[^\n]*\n|[^\n]+$/g) ?? []).map((line) => {
    holes.advance(line.length);
    return holes.offset;
  });
  return { text, offsets, skipped };
}

describe('holes between lines', () => {
  it('are left out however the file is cut into chunks; the offset behind each line is the next one’s place', () => {
    const part = fc.oneof(
      fc.stringMatching(/^[a-z][a-z\0]{0,20}$/).map((text) => `${text}\n`),
      fc.constantFrom('\n', HOLE, `${HOLE}\0`),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 8 }), (parts, places) => {
        const { text, offsets, skipped } = pass(parts.join(''), places, false);
        expect(text).toBe(parts.filter((one) => one.endsWith('\n')).join(''));
        const total = parts.join('').length;
        const starts = parts.flatMap((one, i) =>
          one.endsWith('\n') ? [parts.slice(0, i).join('').length] : [],
        );
        if (starts.length > 0) expect(offsets).toEqual([...starts.slice(1), total]);
        expect(skipped.reduce((sum, one) => sum + one, 0)).toBe(total - text.length);
      }),
      { numRuns: propertyRuns(300) },
    );
  });

  it.each([
    ['in front of everything, however few', '\0a\n', false, 'a\n', [1]],
    ['fewer than a page in front of a line: the line’s', 'a\n\0b\n', false, 'a\n\0b\n', []],
    ['in front of a line, however few, of a file that was cut off', 'a\n\0b\n', true, 'a\nb\n', [1]],
    ['inside of a line: the line’s', `a${HOLE}b\n`, false, `a${HOLE}b\n`, []],
    ['behind half a line, of a file that was cut off', `a${HOLE}b\n`, true, 'a\nb\n', [5_000]],
    ['a few inside of a line of a file that was cut off', 'a\0\0b\n', true, 'a\0\0b\n', []],
    ['at the end', `a\n${HOLE}`, false, 'a\n', [5_000]],
    ['fewer at the end', 'a\n\0', false, 'a\n\0', []],
  ])('%s', (_name, file, isTruncated, text, skipped) => {
    for (let at = 0; at <= file.length; at += file.length > 100 ? 499 : 1)
      expect(pass(file, [at], isTruncated)).toMatchObject({ text, skipped });
    expect(pass(file, [], isTruncated).offsets.at(-1)).toBe(file.length);
  });
});
