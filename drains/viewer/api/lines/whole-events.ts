/** The other lines of the events (`src/logs/syslog/event-lines.ts`) that found lines are of: a stack trace comes whole, whichever of its lines matches. */
import type { AppId, Sequence } from '../../../../src/logs/store/contract.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { EVENT_GAP_MS_MAX } from '../../../../src/logs/syslog/event-lines.ts';
import { EventTracker } from '../../../../src/logs/syslog/event-tracker.ts';
import type { LineMatcher } from '../../../../src/logs/syslog/line-filter.ts';
import type { FoundLine, LineSelection, LineStore, SearchLimits } from '../../store/contract.ts';
import { compareRanks } from '../../store/scan/line-rank.ts';

/** Lines of a stream in front of a line that was found, in which the beginning of its event is looked for. */
const LINES_BEFORE = 100;
/** So many lines behind it are read at first; as many again while its event may go on. */
const LINES_AFTER = 100;
/** With other senders' lines in between, an event is followed through so many lines of its stream. */
const LINES_AFTER_MAX = 1_000;
/** So many lines are added to an answer; what is found beyond comes alone. */
const ADDED_MAX = 20_000;

/** A line of an answer. */
export interface EventLine {
  readonly line: FoundLine;
  /** Does it match itself? Others are of the same event as one that does. */
  readonly isMatch: boolean;
}

/** What lines are looked for with. */
export interface EventSearch {
  readonly store: Pick<LineStore, 'context'>;
  readonly selection: LineSelection;
  /** Of the selection's search; undefined when all lines of a stream match. */
  readonly matcherOf: (stream: AppId) => LineMatcher | undefined;
  readonly direction: 'before' | 'after';
  readonly limits: SearchLimits;
  /** Lines that may be added. */
  readonly isWanted?: (line: FoundLine) => boolean;
}

/**
 * Adds to lines that a search has found the others of their events, also beyond the times that were asked for.
 * @param lines in the order of the direction
 * @returns all of them in the same order; those of an event that goes over the edge of a page come with each of the two
 */
export async function withWholeEvents(
  { store, selection, matcherOf, direction, limits, isWanted = () => true }: EventSearch,
  lines: readonly FoundLine[],
): Promise<EventLine[]> {
  const all: EventLine[] = lines.map((line) => ({ line, isMatch: true }));
  const found = new Map<AppId, Set<Sequence>>();
  for (const { stream, sequence } of lines) {
    const own = found.get(stream);
    if (own) own.add(sequence);
    else found.set(stream, new Set([sequence]));
  }
  for (const [stream, sequences] of found) {
    const matcher = matcherOf(stream);
    // Each line is one that matches.
    if (!matcher) continue;
    const added = new Set<Sequence>();
    for (const { first, last } of runsOf(sequences)) {
      limits.signal?.throwIfAborted();
      if (all.length - lines.length >= ADDED_MAX) break;
      for (const line of await othersOf(store, stream, first, last, sequences)) {
        if (added.has(line.sequence) || !isWanted(line)) continue;
        added.add(line.sequence);
        all.push({ line, isMatch: isInRange(line, selection) && matches(line, matcher) });
      }
    }
  }
  const sign = direction === 'after' ? 1 : -1;
  return all.length === lines.length ? all : all.sort((a, b) => sign * compareRanks(a.line, b.line));
}

function isInRange({ timeMs }: FoundLine, { fromMs, toMs }: LineSelection): boolean {
  return (fromMs === undefined || timeMs >= fromMs) && (toMs === undefined || timeMs < toMs);
}

function matches({ record }: FoundLine, matcher: LineMatcher): boolean {
  if (!matcher.mayMatch(record)) return false;
  const cursor = new RecordCursor(record, 0);
  return cursor.advance() && matcher.matches(cursor, record);
}

/** Places that are so close to each other that they are read at once. */
function runsOf(sequences: ReadonlySet<Sequence>): { first: Sequence; last: Sequence }[] {
  const runs: { first: Sequence; last: Sequence }[] = [];
  for (const sequence of [...sequences].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run && sequence - run.last <= LINES_BEFORE + LINES_AFTER) run.last = sequence;
    else runs.push({ first: sequence, last: sequence });
  }
  return runs;
}

/** Lines that belong to the events of those found from `first` to `last`, and weren't found. */
async function othersOf(
  store: Pick<LineStore, 'context'>,
  stream: AppId,
  first: Sequence,
  last: Sequence,
  found: ReadonlySet<Sequence>,
): Promise<FoundLine[]> {
  for (let after = LINES_AFTER; ; after = Math.min(2 * after, LINES_AFTER_MAX)) {
    const lines = await store.context({ stream, sequence: first }, LINES_BEFORE, last - first + after);
    const { others, isOpen } = followEvents(lines, first, last, found);
    const isToTheEnd = (lines.at(-1)?.sequence ?? Number.NEGATIVE_INFINITY) < last + after;
    if (!isOpen || isToTheEnd || after >= LINES_AFTER_MAX) return others;
  }
}

/** @returns `isOpen`: may an event of a line that was found go on behind the last of these? */
function followEvents(
  lines: readonly FoundLine[],
  first: Sequence,
  last: Sequence,
  found: ReadonlySet<Sequence>,
): { readonly others: FoundLine[]; readonly isOpen: boolean } {
  const tracker = new EventTracker();
  const others: FoundLine[] = [];
  for (const [i, line] of lines.entries()) {
    const cursor = new RecordCursor(line.record, 0);
    cursor.advance();
    const event = tracker.next(cursor, line.record);
    event.lines.push(i);
    const isFound = found.has(line.sequence);
    if (!event.isMarked && isFound && line.sequence >= first && line.sequence <= last) {
      tracker.mark(event);
      for (const index of event.lines) if (!found.has(lines[index].sequence)) others.push(lines[index]);
    } else if (event.isMarked && !isFound) others.push(line);
  }
  const endMs = lines.at(-1)?.timeMs ?? 0;
  const isOpen = tracker.markedEvents.some(
    ([, event]) => endMs - lines[event.lines[event.lines.length - 1]].timeMs <= EVENT_GAP_MS_MAX,
  );
  return { others, isOpen };
}
