/**
 * What a view of a stream shows, and what it has to read next: a window of lines that follows the live end, or stands still somewhere in the
 * past and grows to either side. The stream on the server is the buffer: what isn't held here can be read again, so that a pause loses
 * nothing.
 *
 * Every method that shows lines up to the live end returns the position behind which the tail has to start, so that there is no gap: from
 * then on `addLive` adds to the window. It returns undefined when the window ends before.
 */

import { EventWindow } from './events/event-window.ts';
import type { HistoryQuery } from './history-query.ts';
import type { Line } from './line.ts';

/** Lines that are read at a time. */
export const PAGE_LINES = 1_000;
/** Lines that are read before a place that is shown. */
export const CONTEXT_LINES_BEFORE = 400;
/** When the live end is further away than this, following again doesn't read everything in between. */
export const CATCH_UP_LINES_MAX = 50_000;

/** A line, or a time in milliseconds since 1970. */
export type Place = { readonly at: number } | { readonly ms: number };

export class LogViewState {
  readonly window: EventWindow;
  /** Grows whenever the window has changed. */
  version = 0;
  /** Does the view stay at the newest line? */
  following = true;
  /** Lines that came since it doesn't. */
  unseenCount = 0;
  /** Is the window's end the live end? */
  atLiveEnd = true;
  /** Is there nothing older? */
  atStart = false;
  /** Of the newest line that is known of. */
  newestPosition = 0;
  private readonly isFiltered: boolean;

  /** @param linesMax left out: as many lines as a window holds */
  constructor(isFiltered: boolean, linesMax?: number) {
    this.isFiltered = isFiltered;
    this.window = new EventWindow(linesMax);
  }

  /** Reads the last lines of the stream. */
  newestQuery(): HistoryQuery {
    return { before: this.newestPosition + 1, lines: PAGE_LINES };
  }

  /** @param lines what {@link newestQuery} has read */
  showNewest(lines: readonly Line[]): number | undefined {
    this.replaceLines(lines);
    this.atStart = lines.length < PAGE_LINES;
    return this.reachLiveEnd();
  }

  /** Reads what is before a place; {@link afterQuery} reads the rest. */
  beforeQuery(place: Place): HistoryQuery {
    return 'at' in place
      ? { before: place.at + 1, lines: CONTEXT_LINES_BEFORE }
      : { untilMs: place.ms, lines: CONTEXT_LINES_BEFORE };
  }

  /** @param before what {@link beforeQuery} has read */
  afterQuery(place: Place, before: readonly Line[]): HistoryQuery {
    return { after: before.at(-1)?.at ?? ('at' in place ? place.at : 0), lines: PAGE_LINES };
  }

  /**
   * @param before what {@link beforeQuery} has read
   * @param after what {@link afterQuery} has read
   */
  showPlace(before: readonly Line[], after: readonly Line[]): number | undefined {
    this.replaceLines([...before, ...after]);
    this.atLiveEnd = false;
    this.atStart = before.length < CONTEXT_LINES_BEFORE;
    return after.length < PAGE_LINES ? this.reachLiveEnd() : undefined;
  }

  /** Reads what is before the window; undefined when there is nothing. */
  olderQuery(): HistoryQuery | undefined {
    const { first } = this.window;
    return first && !this.atStart ? { before: first.at, lines: PAGE_LINES } : undefined;
  }

  /** Adds what a query of {@link olderQuery} has read, unless the window begins elsewhere by now. */
  addOlder({ before }: HistoryQuery, lines: readonly Line[]): void {
    // Meanwhile the window may have become another.
    if (this.window.first?.at !== before) return;
    this.window.prepend(lines);
    this.atStart = lines.length < PAGE_LINES;
    if (this.window.trimEnd() > 0) this.atLiveEnd = false;
    this.version++;
  }

  /** Reads what is behind the window; undefined when that is the tail's. */
  newerQuery(): HistoryQuery | undefined {
    const { last } = this.window;
    return last && !this.atLiveEnd ? { after: last.at, lines: PAGE_LINES } : undefined;
  }

  /** Adds what a query of {@link newerQuery} has read, unless the window ends elsewhere by now. */
  addNewer({ after }: HistoryQuery, lines: readonly Line[]): number | undefined {
    if (this.window.last?.at !== after) return undefined;
    this.window.append(lines);
    if (this.window.trimStart() > 0) this.atStart = false;
    this.version++;
    return lines.length < PAGE_LINES ? this.reachLiveEnd() : undefined;
  }

  /** Adds what the tail brought. Gives the lines that came for the first time: a tail that starts anew brings some again. */
  addLive(lines: readonly Line[]): readonly Line[] {
    const fresh = lines.filter(({ at }) => at > this.newestPosition);
    this.newestPosition = fresh.at(-1)?.at ?? this.newestPosition;
    if (!this.following) this.unseenCount += fresh.length;
    if (!this.atLiveEnd) return fresh;
    // The rest stays on the server until somebody scrolls there.
    if (!this.following && this.window.isFull) this.atLiveEnd = false;
    else {
      this.window.append(lines);
      if (this.following && this.window.trimStart() > 0) this.atStart = false;
      this.version++;
    }
    return fresh;
  }

  /** The list can't be as high as the lines are: a quarter of them goes, the oldest or the newest. */
  evict(oldest: boolean): void {
    const count = Math.ceil(this.window.lines.length / 4);
    if (oldest) {
      this.window.dropFirst(count);
      this.atStart = false;
    } else {
      this.window.dropLast(count);
      this.atLiveEnd = false;
    }
    this.version++;
  }

  /** The view stands still; lines that come are counted in {@link unseenCount}. */
  pause(): void {
    this.following = false;
  }

  follow(): void {
    this.unseenCount = 0;
    this.following = true;
  }

  /** How following goes on: the window is at the live end, the tail reads what is missing, or the newest lines are read instead. */
  wayToLiveEnd(): 'there' | 'tail' | 'read-newest' {
    if (this.atLiveEnd) return 'there';
    const { last } = this.window;
    if (!last) return 'read-newest';
    // Of filtered lines only those are counted that match.
    const missing = this.isFiltered ? this.unseenCount : this.newestPosition - last.at;
    return missing < CATCH_UP_LINES_MAX ? 'tail' : 'read-newest';
  }

  /** From here on what comes is added to the window. */
  reachLiveEnd(): number {
    this.atLiveEnd = true;
    return this.window.last?.at ?? this.newestPosition;
  }

  private replaceLines(lines: readonly Line[]): void {
    this.window.clear();
    this.window.append(lines);
    this.version++;
  }
}
