/** Follows the events of lines that come: a stack trace is one error, however many of its lines say so. The server counts the same way. */
import { beginEvent, continueEvent, type EventState, mayContinue } from '../../../logs/syslog/event-lines.ts';
import type { Line, LineLevel } from '../line.ts';
import { lineSender } from './join-events.ts';

/** So many senders are followed at a time. */
const SENDERS_MAX = 1_000;

interface FollowedEvent {
  state: EventState;
  ms: number;
  hasError: boolean;
}

export class ErrorEvents {
  private readonly events = new Map<string, FollowedEvent>();

  /** As what the next line counts: a further error of an event that has one is a line like any. */
  countedLevel(line: Line): LineLevel {
    const event = this.eventOf(line);
    if (line.level !== 'error') return line.level;
    if (event.hasError) return 'info';
    event.hasError = true;
    return 'error';
  }

  private eventOf(line: Line): FollowedEvent {
    const sender = lineSender(line);
    const open = this.events.get(sender);
    const next =
      open && mayContinue(line.message, open.state)
        ? continueEvent(open.state, line.message, line.ms - open.ms)
        : undefined;
    if (open && next) {
      open.state = next;
      open.ms = line.ms;
      return open;
    }
    if (this.events.size >= SENDERS_MAX) this.events.clear();
    const begun = { state: beginEvent(line.message), ms: line.ms, hasError: false };
    this.events.set(sender, begun);
    return begun;
  }
}
