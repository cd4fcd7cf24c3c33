/** A window of lines, and what is shown of it: its events, each of which is a row. */
import type { Line } from '../line.ts';
import { LineWindow } from '../line-window.ts';
import { joinEvents, LOOK_BACK, partsOf } from './join-events.ts';

export class EventWindow extends LineWindow {
  /** The events of the lines; one of several lines stands where its first one does. */
  readonly rows = new LineWindow();

  override append(lines: readonly Line[]): readonly Line[] {
    const { rows } = this;
    const fresh = super.append(lines);
    const { events, changed } = joinEvents(rows.lines.slice(-LOOK_BACK), fresh);
    for (const event of changed.values()) rows.lines[rows.indexOf(event.at)] = event;
    rows.append(events);
    return fresh;
  }

  override prepend(lines: readonly Line[]): readonly Line[] {
    const fresh = super.prepend(lines);
    if (fresh.length > 0) this.joinAtStart(fresh);
    return fresh;
  }

  override dropFirst(count: number): number {
    super.dropFirst(count);
    const { rows } = this;
    const first = this.first?.at ?? Number.POSITIVE_INFINITY;
    const gone = rows.lines.slice(0, rows.countBefore(first));
    rows.dropFirst(gone.length);
    // The beginning of an event has gone, its end is still there.
    const rest = gone.flatMap(partsOf).filter(({ at }) => at >= first);
    if (rest.length > 0) this.joinAtStart(rest);
    return count;
  }

  override dropLast(count: number): number {
    super.dropLast(count);
    const { rows } = this;
    const last = this.last?.at ?? Number.NEGATIVE_INFINITY;
    rows.lines = rows.lines.slice(0, rows.countBefore(last + 1));
    for (let i = Math.max(0, rows.lines.length - LOOK_BACK); i < rows.lines.length; i++) {
      const { parts } = rows.lines[i];
      if (!parts || parts[parts.length - 1].at <= last) continue;
      const kept = parts.filter(({ at }) => at <= last);
      [rows.lines[i]] = joinEvents([], kept).events;
    }
    return count;
  }

  override clear(): void {
    super.clear();
    this.rows.clear();
  }

  /** Where the row stands that has a line; the line's own place when none has it. */
  rowOf(at: number): number {
    const { rows } = this;
    const nearest = rows.indexOf(at);
    for (let i = nearest; i >= 0 && i >= nearest - LOOK_BACK; i--) {
      const row = rows.lines[i];
      if (row.at === at || row.parts?.some((part) => part.at === at)) return row.at;
    }
    return at;
  }

  /** Joins lines with the rows at the window's start: what stood alone there may be the end of an event. */
  private joinAtStart(lines: readonly Line[]): void {
    const { rows } = this;
    const first = rows.lines.slice(0, LOOK_BACK).flatMap(partsOf);
    const { events } = joinEvents([], [...lines, ...first].sort(inOrder));
    const others = rows.lines.slice(LOOK_BACK);
    const all = [...events, ...others];
    // What has become two events may stand further behind.
    if (others.length > 0 && events[events.length - 1].at > others[0].at) all.sort(inOrder);
    rows.lines = all;
  }
}

function inOrder(a: Line, b: Line): number {
  return a.at - b.at;
}
