/** Events that a sender has sent line by line, such as stack traces, and that are read as one. */
import { beginEvent, continueEvent, type EventState, mayContinue } from '../../../logs/syslog/event-lines.ts';
import { partsOf, type ViewerLine } from './viewer-line.ts';

/** An event of more characters is several. */
const CHARACTERS_MAX = 64_000;
/** So many lines of others may stand between two of an event. */
const LOOK_BACK = 60;

/** Does a line go on with what the event so far is? */
function continued(event: ViewerLine, line: ViewerLine): ViewerLine | undefined {
  if (event.message.length + line.message.length > CHARACTERS_MAX) return undefined;
  const parts = partsOf(event);
  const state = event.event ?? beginEvent(event.message);
  if (!mayContinue(line.message, state)) return undefined;
  const next = continueEvent(state, line.message, line.ms - parts[parts.length - 1].ms);
  return next && joined(event, line, next);
}

/**
 * Joins lines into events, in their order; an event stands where its first line does.
 * @param before lines that are in front of these: the last of them go on in these
 * @returns the events, and which of `before` have become others, by their `at`
 */
export function joinEvents(
  before: readonly ViewerLine[],
  lines: readonly ViewerLine[],
): { readonly events: ViewerLine[]; readonly changed: ReadonlyMap<number, ViewerLine> } {
  const events: ViewerLine[] = [];
  const changed = new Map<number, ViewerLine>();
  /** The latest event of each sender: its index in `events`, or -1 for one of `before`. */
  const latest = new Map<string, { event: ViewerLine; index: number }>();
  for (let i = Math.max(0, before.length - LOOK_BACK); i < before.length; i++)
    latest.set(senderOf(before[i]), { event: before[i], index: -1 });
  for (const line of lines) {
    const sender = senderOf(line);
    const open = latest.get(sender);
    const isNear = open && (open.index < 0 || events.length - open.index <= LOOK_BACK);
    const event = isNear ? continued(open.event, line) : undefined;
    if (open && event) {
      latest.set(sender, { event, index: open.index });
      if (open.index < 0) changed.set(event.at, event);
      else events[open.index] = event;
    } else {
      latest.set(sender, { event: line, index: events.length });
      events.push(line);
    }
  }
  return { events, changed };
}

/** Lines of one sender go on in lines of the same one alone. */
function senderOf({ stream, hostname, source, dyno }: ViewerLine): string {
  return `${stream} ${hostname} ${source} ${dyno}`;
}

function joined(event: ViewerLine, line: ViewerLine, state: EventState): ViewerLine {
  const parts = [...partsOf(event), ...partsOf(line)];
  const level = parts.find((part) => part.level === 'error')?.level ?? event.level;
  return { ...event, level, message: `${event.message}\n${line.message}`, parts, event: state };
}
