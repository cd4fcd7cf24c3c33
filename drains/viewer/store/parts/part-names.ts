import type { Sequence } from '../../../../src/logs/store/contract.ts';

const PART = /^(-?\d{1,16})_(-?\d{1,16})\.part$/;
const REMOVED = /^removed-through_(\d{1,16})$/;
/** A part that is being written: it has no end yet. */
export const UNFINISHED_SUFFIX = '.unfinished';

export interface SequenceRange {
  readonly first: Sequence;
  readonly last: Sequence;
}

/** What of a range none of others has, in order. */
export function missingRanges(
  { first, last }: SequenceRange,
  held: readonly SequenceRange[],
): SequenceRange[] {
  const missing: SequenceRange[] = [];
  let next = first;
  for (const one of [...held].sort((a, b) => a.first - b.first)) {
    if (one.last < next) continue;
    if (one.first > last) break;
    if (one.first > next) missing.push({ first: next, last: one.first - 1 });
    next = one.last + 1;
  }
  if (next <= last) missing.push({ first: next, last });
  return missing;
}

/** The name of a part: the sequences that it holds, so that they are known when the file is damaged. */
export function partName({ first, last }: SequenceRange): string {
  return `${first}_${last}.part`;
}

/** The sequences that {@link partName} was given; undefined for the name of something else. */
export function parsePartName(name: string): SequenceRange | undefined {
  const match = PART.exec(name);
  if (!match) return undefined;
  const range = { first: Number(match[1]), last: Number(match[2]) };
  return range.first <= range.last ? range : undefined;
}

/** The name of an empty file that says up to which sequence lines were packed, and removed since. */
export function removedName(through: Sequence): string {
  return `removed-through_${through}`;
}

/** The sequence through which lines were removed; undefined for the name of something else. */
export function parseRemovedName(name: string): Sequence | undefined {
  const match = REMOVED.exec(name);
  return match ? Number(match[1]) : undefined;
}
