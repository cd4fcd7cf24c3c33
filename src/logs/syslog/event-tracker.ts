/** Follows the events (event-lines.ts) of all senders of a stream. */
import type { RecordCursor } from './batch.ts';
import { beginEvent, continueEvent, type EventState, mayContinue } from './event-lines.ts';
import { lineTimeStart } from './record.ts';

/** An event of a sender, as far as it has come. */
export interface OpenEvent {
  state: EventState;
  /** The time of its last line as it is written. */
  time: string;
  /** Does one of its lines match, or, where errors are counted, is one of them an error? */
  isMarked: boolean;
  /** May its lines be sent? */
  isAdmitted: boolean;
  /** The indices of its lines in the batch. */
  readonly lines: number[];
}

/** So many senders are followed at a time. */
const SENDERS_MAX = 1_000;
/** A message is looked at so far. */
const MESSAGE_BYTES = 600;

/** Follows the events of all senders of a stream, line by line. */
export class EventTracker {
  private marked = false;
  private readonly events = new Map<string, OpenEvent>();

  /** The event that the line under the cursor belongs to; its lines are empty when the line begins it. */
  next(line: RecordCursor, bytes: Buffer): OpenEvent {
    const sender = senderOf(line, bytes);
    const message = shownMessage(line, bytes);
    const open = this.events.get(sender);
    if (open && mayContinue(message, open.state)) {
      const time = writtenTime(line, bytes);
      const next = continueEvent(open.state, message, gapMs(open.time, time));
      if (next) {
        open.state = next;
        open.time = time;
        return open;
      }
    }
    if (this.events.size >= SENDERS_MAX) this.events.clear();
    const time = writtenTime(line, bytes);
    const begun: OpenEvent = {
      state: beginEvent(message),
      time,
      isMarked: false,
      isAdmitted: true,
      lines: [],
    };
    this.events.set(sender, begun);
    return begun;
  }

  /** Has an event been marked, which may go on? */
  get hasMarked(): boolean {
    return this.marked;
  }

  /** One of its lines matches, or is an error: see {@link OpenEvent.isMarked}. */
  mark(event: OpenEvent): void {
    event.isMarked = true;
    this.marked = true;
  }

  /** Goes on with an event that is marked, of which nothing else is at hand. */
  restore(sender: string, state: EventState, time: string): void {
    this.events.set(sender, { state, time, isMarked: true, isAdmitted: true, lines: [] });
    this.marked = true;
  }

  /** The events that are marked, by their senders. */
  get markedEvents(): [sender: string, event: OpenEvent][] {
    return [...this.events].filter(([, { isMarked }]) => isMarked);
  }

  /** Their indices mean nothing any more. */
  forgetLines(): void {
    for (const event of this.events.values()) event.lines.length = 0;
  }

  /** What comes next goes on with nothing. */
  clear(): void {
    this.events.clear();
    this.marked = false;
  }
}

/** Whose line it is: events are of one sender. */
export function senderOf(line: RecordCursor, bytes: Buffer): string {
  return bytes.toString('latin1', line.hostStart, line.msgidStart);
}

/** What of a line's message says whether it goes on with an event. */
export function shownMessage(line: RecordCursor, bytes: Buffer): string {
  return bytes.toString(
    'latin1',
    line.messageStart,
    Math.min(line.textEnd, line.messageStart + MESSAGE_BYTES),
  );
}

/** A line's time as it is written. */
export function writtenTime(line: RecordCursor, bytes: Buffer): string {
  return bytes.toString('latin1', lineTimeStart(line, bytes), line.hostStart - 1);
}

/** Milliseconds between two times as they are written; NaN when one of them is none. */
export function gapMs(before: string, time: string): number {
  return before === time ? 0 : Date.parse(time) - Date.parse(before);
}
