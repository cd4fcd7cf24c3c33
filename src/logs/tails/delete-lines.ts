/** Deletes the lines of a stream that a search finds, for good. */
import { TimeSlices } from '../../common/limits/turns.ts';
import type { AppId, Sequence, Store, StoredBatch } from '../store/contract.ts';
import { countEdition } from '../store/stream-edition.ts';
import type { StreamReaders } from '../store/stream-reader.ts';
import type { LineFilter } from '../syslog/line-filter.ts';
import { forEachMatch } from './line-scan.ts';

const READ_BYTES = 1_048_576;
/** Reading is interrupted after so long, in milliseconds. */
const SLICE_MS = 5;

export interface LineDeletion {
  /** Lines that were stored from this time on, and up to that one, milliseconds since 1970; left out: all. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly filter: LineFilter;
}

export interface DeletedLines {
  readonly lines: number;
  /** Numbers of the first and the last one; undefined when there are none. */
  readonly first: Sequence | undefined;
  readonly last: Sequence | undefined;
  /** Is the line with this number one of them? */
  has(sequence: Sequence): boolean;
}

/** Finds the lines that would be deleted. */
export async function findLinesToDelete(
  store: Store,
  app: AppId,
  deletion: LineDeletion,
): Promise<DeletedLines> {
  const range = await rangeOf(store, app, deletion);
  const found = new Set<Sequence>();
  const slices = new TimeSlices(SLICE_MS);
  for (let after = range.first - 1; after < range.last; ) {
    const batches = await store.read(app, after, READ_BYTES);
    if (batches.length === 0) break;
    for (const batch of batches) {
      for (const sequence of pickFrom(batch, range, deletion.filter)) found.add(sequence);
      if (slices.isOver) await slices.next();
    }
    after = batches[batches.length - 1].last;
  }
  return deletedLines(found);
}

/**
 * Deletes them, all or none. Whoever reads the stream from now on doesn't get them, also from memory.
 * @throws TailraceError as the store does
 */
export async function deleteLines(
  store: Store,
  readers: StreamReaders,
  app: AppId,
  deletion: LineDeletion,
): Promise<DeletedLines> {
  const range = await rangeOf(store, app, deletion);
  const found = new Set<Sequence>();
  const lines = await store.deleteLines(app, range, (batch) => {
    const picked = pickFrom(batch, range, deletion.filter);
    for (const sequence of picked) found.add(sequence);
    return picked;
  });
  // The app was removed meanwhile.
  if (lines === 0) found.clear();
  else {
    await countEdition(store, app);
    await readers.linesDeleted();
  }
  return deletedLines(found);
}

interface SequenceBounds {
  readonly first: Sequence;
  readonly last: Sequence;
}

async function rangeOf(
  store: Store,
  app: AppId,
  { sinceMs, untilMs }: LineDeletion,
): Promise<SequenceBounds> {
  const { first, last } = await store.bounds(app);
  return {
    first: sinceMs === undefined ? first : Math.max(first, (await store.sequenceAt(app, sinceMs)) + 1),
    last: untilMs === undefined ? last : Math.min(last, await store.sequenceAt(app, untilMs + 1)),
  };
}

function pickFrom(batch: StoredBatch, { first, last }: SequenceBounds, filter: LineFilter): Set<Sequence> {
  const picked = new Set<Sequence>();
  const range = { after: first - 1, through: last, count: Number.POSITIVE_INFINITY };
  forEachMatch([batch], range, filter, (_line, _bytes, sequence) => picked.add(sequence));
  return picked;
}

function deletedLines(found: ReadonlySet<Sequence>): DeletedLines {
  let first: Sequence | undefined;
  let last: Sequence | undefined;
  for (const sequence of found) {
    first = Math.min(first ?? sequence, sequence);
    last = Math.max(last ?? sequence, sequence);
  }
  return { lines: found.size, first, last, has: (sequence) => found.has(sequence) };
}
