/** Which lines a drain gets: by source, dyno and level (syslog/line-filter.ts), by a sample, and by patterns. */
import { RE2JS } from 're2js';
import { hasColors, stripColors } from '../../../common/text/colors.ts';
import type { Sequence } from '../../store/contract.ts';
import type { RecordCursor } from '../../syslog/batch.ts';
import { LineFilter } from '../../syslog/line-filter.ts';
import type { DrainOptions } from '../options/drain-options.ts';

/** Decides line by line; the line is under the cursor. */
export type LinePredicate = (line: RecordCursor, bytes: Buffer, sequence: Sequence) => boolean;

/** The filter of a drain's options; undefined when it gets every line. Patterns are matched last: they take the longest. */
export function createDrainFilter(options: DrainOptions): LinePredicate | undefined {
  const { sources, dynos, level, match, exclude, sample } = options;
  const predicates: LinePredicate[] = [];
  const filter = new LineFilter({ sources, dynos, level });
  if (!filter.matchesAll) predicates.push((line, bytes) => filter.matches(line, bytes));
  if (sample !== undefined) predicates.push((_line, _bytes, sequence) => sampleValue(sequence) < sample);
  if (match) predicates.push(matchesAny(match));
  if (exclude) {
    const isExcluded = matchesAny(exclude);
    predicates.push((line, bytes, sequence) => !isExcluded(line, bytes, sequence));
  }
  if (predicates.length === 0) return undefined;
  return (line, bytes, sequence) => predicates.every((matches) => matches(line, bytes, sequence));
}

/** The patterns are alternatives of one: a message is scanned once. */
function matchesAny(patterns: readonly string[]): LinePredicate {
  const pattern = RE2JS.compile(patterns.map((one) => `(?:${one})`).join('|'));
  // Not with a matcher: that looks for where a match is, step by step.
  return (line, bytes) => {
    const message = bytes.toString('utf8', line.messageStart, line.textEnd);
    return pattern.test(message) || (hasColors(message) && pattern.test(stripColors(message)));
  };
}

/** A number from 0 to 1 for a line, always the same one: a retry has to have the same lines. */
function sampleValue(sequence: Sequence): number {
  let hash = (sequence ^ (sequence / 0x1_0000_0000)) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return ((hash ^ (hash >>> 15)) >>> 0) / 0x1_0000_0000;
}
