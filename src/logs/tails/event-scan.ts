/** Events (syslog/event-lines.ts) in the lines of a stream: which lines go with others that match. */
import type { Sequence, StoredBatch } from '../store/contract.ts';
import type { OpenEvents } from '../store/file-scanner.ts';
import { RecordCursor } from '../syslog/batch.ts';
import { EventTracker } from '../syslog/event-tracker.ts';
import type { LineFilter } from '../syslog/line-filter.ts';
import { lineLevel } from '../syslog/record.ts';

/** What was found out about a batch, for one filter. */
interface BatchMarks {
  /** For each line 1 when it is wanted, else 0; undefined: none is. */
  readonly wanted: Uint8Array | undefined;
  /** Events that may go on in the next batch; undefined: that was looked at with this one. */
  readonly tracker: EventTracker | undefined;
}

const marksByBatch = new WeakMap<StoredBatch, Map<string, BatchMarks>>();
/** Filters of a batch that are remembered. */
const FILTERS_MAX = 16;
/** The batch that a filter has seen last: the events in it may go on in the one behind it. */
const lastBatch = new WeakMap<LineFilter, StoredBatch>();
/** In a batch of more lines that can't match, no part of an event is looked for that matches in another one. */
const SMALL_BATCH_LINES = 64;
/** Lines in front of a batch in which the beginning of an event is looked for. */
export const CONTEXT_LINES = 100;

/**
 * Finds out which lines of some batches are wanted: those that match, and all others of the same events, as far as these are in the batches.
 * @param batches oldest first
 */
export function markEvents(batches: readonly StoredBatch[], filter: LineFilter): void {
  let total = 0;
  for (const { count } of batches) total += count;
  const all = new Uint8Array(total);
  let tracker = new EventTracker();
  let previous = lastBatch.get(filter);
  let offset = 0;
  for (const batch of batches) {
    if (previous === undefined || previous.last + 1 !== batch.first) tracker = new EventTracker();
    else if (offset === 0) tracker = marksByBatch.get(previous)?.get(filter.key)?.tracker ?? tracker;
    // Indices of earlier calls are of other lines.
    if (offset === 0) tracker.forgetLines();
    markBatch(batch, filter, tracker, all, offset);
    previous = batch;
    offset += batch.count;
  }
  if (previous) lastBatch.set(filter, previous);
  offset = 0;
  for (const batch of batches) {
    const wanted = all.subarray(offset, offset + batch.count);
    const isLast = offset + batch.count === total;
    remember(batch, filter, {
      wanted: wanted.includes(1) ? wanted : undefined,
      tracker: isLast ? tracker : undefined,
    });
    offset += batch.count;
  }
}

/** What comes next for a filter goes on with events of lines that were found elsewhere, up to line `last`. */
export function goOnAfter(filter: LineFilter, last: Sequence, { wanted }: OpenEvents): void {
  if (wanted.events.length === 0) return;
  const tracker = new EventTracker();
  for (const { sender, state, time } of wanted.events) tracker.restore(sender, state, time);
  const nothing = { bytes: new Uint8Array(0), count: 0, first: last + 1, last, storedAtMs: 0 };
  remember(nothing, filter, { wanted: undefined, tracker });
  lastBatch.set(filter, nothing);
}

/** The events of which lines were wanted that may go on behind line `last`; undefined when the lines before it weren't at hand. */
export function openEventsAfter(filter: LineFilter, last: Sequence): OpenEvents | undefined {
  const previous = lastBatch.get(filter);
  const tracker = previous?.last === last ? marksByBatch.get(previous)?.get(filter.key)?.tracker : undefined;
  if (!tracker) return undefined;
  const events = tracker.markedEvents.map(([sender, { state, time }]) => ({ sender, state, time, last }));
  return { wanted: { events, begun: [] }, errors: { events: [], begun: [] } };
}

function markBatch(
  batch: StoredBatch,
  filter: LineFilter,
  tracker: EventTracker,
  wanted: Uint8Array,
  offset: number,
): void {
  const bytes = bytesOf(batch);
  const mayMatch = filter.mayMatch(bytes);
  if (!mayMatch && batch.count > SMALL_BATCH_LINES && !tracker.hasMarked) {
    tracker.clear();
    return;
  }
  const cursor = new RecordCursor(bytes);
  for (let i = offset; cursor.advance(); i++) {
    const event = tracker.next(cursor, bytes);
    if (event.isMarked) wanted[i] = 1;
    else {
      event.lines.push(i);
      if (!mayMatch || !filter.matches(cursor, bytes)) continue;
      tracker.mark(event);
      for (const index of event.lines) wanted[index] = 1;
    }
  }
}

function remember(batch: StoredBatch, { key }: LineFilter, marks: BatchMarks): void {
  let byFilter = marksByBatch.get(batch);
  if (!byFilter) {
    byFilter = new Map();
    marksByBatch.set(batch, byFilter);
  } else if (byFilter.size >= FILTERS_MAX) byFilter.clear();
  byFilter.set(key, marks);
}

/** For each line of a batch 1 when it is wanted; undefined when none is. {@link markEvents} has to have been called. */
export function wantedLines(batch: StoredBatch, { key }: LineFilter): Uint8Array | undefined {
  return marksByBatch.get(batch)?.get(key)?.wanted;
}

/** Is it known which lines of all these are wanted? */
export function areMarked(batches: readonly StoredBatch[], { key }: LineFilter): boolean {
  return batches.every((batch) => marksByBatch.get(batch)?.has(key));
}

/**
 * How many of the errors in a batch are further lines of an event that has one already: a trace is one error.
 * @param earlier the batches in front of it that are at hand, the latest first
 * @param isCounted by the index of a line: was it counted?
 */
export function repeatedErrors(
  batch: StoredBatch,
  earlier: readonly StoredBatch[],
  isCounted: (index: number) => boolean,
): number {
  const tracker = new EventTracker();
  const context: StoredBatch[] = [];
  let first = batch.first;
  for (const one of earlier) {
    if (one.last + 1 !== first || batch.first - first >= CONTEXT_LINES) break;
    context.push(one);
    first = one.first;
  }
  for (const one of context.reverse()) {
    const bytes = bytesOf(one);
    const cursor = new RecordCursor(bytes);
    while (cursor.advance()) markError(tracker, cursor, bytes);
  }
  const bytes = bytesOf(batch);
  const cursor = new RecordCursor(bytes);
  let repeated = 0;
  for (let i = 0; cursor.advance(); i++) if (markError(tracker, cursor, bytes) && isCounted(i)) repeated++;
  return repeated;
}

function bytesOf({ bytes }: StoredBatch): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** @returns true for an error of an event that has one already */
function markError(tracker: EventTracker, line: RecordCursor, bytes: Buffer): boolean {
  const event = tracker.next(line, bytes);
  if (lineLevel(line, bytes) !== 'error') return false;
  const wasMarked = event.isMarked;
  event.isMarked = true;
  return wasMarked;
}
