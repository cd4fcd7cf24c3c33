/**
 * What a list over history and live lines shows, and what it has to read next: a window of lines, each once, that follows the live end
 * or stands still in the past and grows to either side. History comes in order of time, live lines in the order in which they arrive,
 * also when their clock is wrong: a line that is evicted, or wasn't taken in, is found in history again, where its time puts it.
 */

import { isContinuation } from '../../../logs/syslog/event-lines.ts';
import { joinEvents, LOOK_BACK, partsOf } from '../../stream/events/join-events.ts';
import { LineWindow, WINDOW_LINES_MAX } from '../../stream/line-window.ts';
import { serverNowMs } from '../../stream/server-clock.ts';
import { lineKey, type ViewerLine } from './viewer-line.ts';

/** Lines that are read at a time. */
export const HISTORY_PAGE_LINES = 1_000;
/** Evicted at once, so that not every new line moves all others. */
const EVICTED_AT_ONCE = 10_000;
const FIRST_AT = 2 ** 40;

/** From where history goes on: a cursor of the server's, or a time in milliseconds since 1970, which is included. */
export type HistoryEdge = { readonly cursor: string } | { readonly ms: number };

/** Lines that were read, oldest first. */
export interface HistoryPage {
  readonly lines: readonly ViewerLine[];
  /** Where to go on in the same direction; undefined: there is nothing more. */
  readonly next: HistoryEdge | undefined;
}

export class LineHistoryState {
  readonly window = new LineWindow();
  /** Grows whenever the window has changed. */
  version = 0;
  following = true;
  unseenCount = 0;
  /** Is the window's end the live end? */
  atLiveEnd = true;
  /** Where what is older goes on; undefined: there is nothing older. */
  older: HistoryEdge | undefined;
  /** Where what is newer goes on, while the window doesn't end at the live end. */
  newer: HistoryEdge | undefined;
  /** Up to which time history was read, where the window doesn't end at the live end: {@link newer} goes on behind it. */
  private readToMs = 0;
  /** Where each line of the window is, those within events as well. */
  private readonly places = new Map<string, number>();
  /** The newest position of each stream that came live. */
  private readonly newestLive = new Map<string, number>();

  /** How many lines are held. */
  get lineCount(): number {
    return this.places.size;
  }

  /** Where the line with this key stands in the list; undefined when it isn't there. */
  placeOf(key: string): number | undefined {
    return this.places.get(key);
  }

  /** The line with this place in the list; undefined when it isn't in the window. */
  lineAt(at: number): ViewerLine | undefined {
    const line = this.window.lines[this.window.indexOf(at)];
    return line?.at === at ? (line as ViewerLine) : undefined;
  }

  /** Shows the newest lines. */
  showNewest({ lines, next }: HistoryPage): void {
    this.clear();
    this.older = next;
    this.append(lines);
    this.reachLiveEnd();
  }

  /** Shows lines around a place: those before it, those behind it. True: to the live end. */
  showPlace(before: HistoryPage, after: HistoryPage): boolean {
    this.clear();
    this.following = false;
    this.atLiveEnd = false;
    this.older = before.next;
    this.append([...before.lines, ...after.lines]);
    this.newer = after.next;
    this.readToMs = after.lines.at(-1)?.ms || before.lines.at(-1)?.ms || 0;
    if (!after.next) this.reachLiveEnd();
    return this.atLiveEnd;
  }

  /** Adds a page that was read before the window. The newest lines may go for it, and are read again when they are wanted. */
  addOlder({ lines, next }: HistoryPage): void {
    this.prepend(lines);
    this.older = next;
    const excess = this.window.lines.length - WINDOW_LINES_MAX;
    if (excess > 0) this.evictNewest(excess + EVICTED_AT_ONCE);
    this.version++;
  }

  /** True: to the live end. */
  addNewer({ lines, next }: HistoryPage): boolean {
    this.append(lines);
    this.newer = next;
    this.readToMs = Math.max(this.readToMs, lines.at(-1)?.ms || 0);
    if (!next) this.reachLiveEnd();
    this.trimOldest();
    this.version++;
    return this.atLiveEnd;
  }

  /** Takes in what the tail brought: one that starts anew brings some again. */
  addLive(lines: readonly ViewerLine[]): void {
    const fresh = lines.filter((line) => {
      const position = Number(line.position);
      if (position <= (this.newestLive.get(line.stream) ?? 0)) return false;
      this.newestLive.set(line.stream, position);
      return !this.places.has(lineKey(line));
    });
    if (!this.following) this.unseenCount += fresh.length;
    if (!this.atLiveEnd) {
      // What is behind the window is read there; a line that comes late has its place before that.
      const late = fresh.filter(({ ms }) => ms <= this.readToMs);
      if (late.length > 0) this.readNewerThan(late);
      return;
    }
    if (!this.following && this.window.isFull) {
      // The rest stays on the server until somebody scrolls there.
      this.atLiveEnd = false;
      this.readNewerThan(lines);
    } else {
      this.append(lines);
      if (this.following) this.trimOldest();
    }
    this.version++;
  }

  /** As {@link LogViewState.evict}: the list can't be as high as the lines are. */
  evict(oldest: boolean): void {
    const count = Math.ceil(this.window.lines.length / 4);
    if (oldest) this.evictOldest(count);
    else this.evictNewest(count);
    this.version++;
  }

  pause(): void {
    this.following = false;
  }

  follow(): void {
    this.unseenCount = 0;
    this.following = true;
  }

  private reachLiveEnd(): void {
    this.newer = undefined;
    this.atLiveEnd = true;
    this.version++;
  }

  private clear(): void {
    this.window.clear();
    this.places.clear();
    this.older = undefined;
    this.newer = undefined;
    this.version++;
  }

  /** Adds lines behind the window's last; those that are there already are left out. */
  private append(lines: readonly ViewerLine[]): void {
    const { window } = this;
    const { events, changed } = joinEvents(
      window.lines.slice(-LOOK_BACK) as ViewerLine[],
      this.unknown(lines),
    );
    let at = window.last?.at ?? FIRST_AT;
    const placed = events.map((event) => ({ ...event, at: ++at }));
    for (const event of changed.values()) this.replace(event);
    for (const event of placed) this.remember(event);
    window.append(placed);
  }

  private prepend(lines: readonly ViewerLine[]): void {
    const { window } = this;
    const { events } = joinEvents([], this.unknown(lines));
    const orphans = (window.lines.slice(0, LOOK_BACK) as ViewerLine[]).filter(({ message }) =>
      isContinuation(message),
    );
    // Ends of events at the window's start, whose beginning is there now.
    const { changed, events: left } = joinEvents(numbered(events), orphans);
    const joinedParts = orphans.filter(({ at }) => !left.some((one) => one.at === at));
    if (joinedParts.length > 0) {
      const gone = new Set(joinedParts.map(({ at }) => at));
      window.lines = window.lines.filter(({ at }) => !gone.has(at));
    }
    const first = window.first?.at ?? FIRST_AT;
    const placed = events.map((event, i) => ({
      ...(changed.get(i + 1) ?? event),
      at: first - events.length + i,
    }));
    for (const event of placed) this.remember(event);
    window.prepend(placed);
  }

  private replace(event: ViewerLine): void {
    const index = this.window.indexOf(event.at);
    if (this.window.lines[index]?.at !== event.at) return;
    this.window.lines[index] = event;
    this.remember(event);
  }

  private remember(event: ViewerLine): void {
    for (const part of partsOf(event)) this.places.set(lineKey(part), event.at);
  }

  private unknown(lines: readonly ViewerLine[]): ViewerLine[] {
    const seen = new Set<string>();
    return lines.filter((line) => {
      const key = lineKey(line);
      if (this.places.has(key) || seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  }

  private trimOldest(): void {
    const excess = this.window.lines.length - WINDOW_LINES_MAX;
    if (excess > 0) this.evictOldest(excess + EVICTED_AT_ONCE);
  }

  private evictOldest(count: number): void {
    const gone = this.forget(this.window.lines.slice(0, count) as ViewerLine[]);
    this.window.dropFirst(count);
    const latestMs = gone.reduce((ms, line) => Math.max(ms, line.ms || ms), 0);
    const lastMs = this.window.last?.ms || latestMs;
    // Lines of a clock that is ahead are in history behind the window; at the live end only what is older is read.
    this.older = { ms: this.atLiveEnd ? latestMs : Math.min(latestMs, lastMs) };
    if (this.atLiveEnd || latestMs <= lastMs) return;
    this.newer = { ms: lastMs };
    this.readToMs = lastMs - 1;
  }

  private evictNewest(count: number): void {
    const gone = this.forget(this.window.lines.slice(-count) as ViewerLine[]);
    this.window.dropLast(count);
    this.atLiveEnd = false;
    this.readNewerThan(gone);
  }

  /** Lines that aren't taken in, or not any more, are found in history; those of a clock that is behind, before the window. */
  private readNewerThan(lines: readonly ViewerLine[]): void {
    const earliestMs = lines.reduce((ms, line) => Math.min(ms, line.ms || ms), serverNowMs());
    const firstMs = this.window.first?.ms || earliestMs;
    const newerMs = this.newer && 'ms' in this.newer ? this.newer.ms : Number.POSITIVE_INFINITY;
    this.newer = { ms: Math.min(newerMs, Math.max(earliestMs, firstMs)) };
    this.readToMs = this.newer.ms - 1;
    if (earliestMs >= firstMs) return;
    const olderMs = this.older && 'ms' in this.older ? this.older.ms : firstMs;
    this.older = { ms: Math.max(olderMs, firstMs) };
  }

  private forget(events: readonly ViewerLine[]): ViewerLine[] {
    const gone = events.flatMap(partsOf);
    for (const part of gone) this.places.delete(lineKey(part));
    return gone;
  }
}

function numbered(events: readonly ViewerLine[]): ViewerLine[] {
  return events.map((event, i) => ({ ...event, at: i + 1 }));
}
