/** Events that a sender has sent line by line, such as stack traces, and that are read as one. */
import { partsOf, type ViewerLine } from './viewer-line.ts';

/** Lines of an event follow each other this closely, milliseconds. */
const GAP_MS_MAX = 2_000;
/** An event of more lines, or characters, is several. */
const PARTS_MAX = 400;
const CHARACTERS_MAX = 64_000;
/** So many lines of others may stand between two of an event. */
const LOOK_BACK = 60;

const INDENTED = /^(?:\t| {2,})\S/;
/** What goes on though it isn't indented: Java's causes, Go's goroutines, the error at a Python traceback's end, a closing bracket. */
const CAUSE = /^(?:Caused by: |Suppressed: |\.\.\. \d+ more)/;
const GOROUTINE = /^(?:goroutine \d+ \[|created by )/;
/** Of a call in Go: `main.(*Server).serve(0xc000, …)`. */
const GO_CALL = /^[\w./*()]+/;
const PYTHON_ERROR = /^[A-Za-z_][\w.]*(?:: |$)/;
const PYTHON_HEAD = 'Traceback (most recent call last):';
const CLOSING = /^[}\])]+[,;]?$/;

/** Is this a line that can't begin an event? */
export function isContinuation(message: string): boolean {
  return INDENTED.test(message) || CAUSE.test(message);
}

function isGoCall(message: string): boolean {
  return message.endsWith(')') && message.includes('(') && GO_CALL.test(message);
}

/** Does a line go on with what the event so far is? */
export function continuesEvent(event: ViewerLine, line: ViewerLine): boolean {
  const parts = partsOf(event);
  const last = parts[parts.length - 1];
  if (parts.length >= PARTS_MAX || event.message.length + line.message.length > CHARACTERS_MAX) return false;
  if (!(Math.abs(line.ms - last.ms) <= GAP_MS_MAX)) return false;
  if (isContinuation(line.message)) return true;
  const head = parts[0].message;
  if (head.includes(PYTHON_HEAD)) return INDENTED.test(last.message) && PYTHON_ERROR.test(line.message);
  if (/^(?:panic: |goroutine \d+ \[|fatal error: )/.test(head))
    return line.message === '' || GOROUTINE.test(line.message) || isGoCall(line.message);
  return parts.length > 1 && CLOSING.test(line.message) && /[{[(]$/.test(head);
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
    if (
      open &&
      continuesEvent(open.event, line) &&
      (open.index < 0 || events.length - open.index <= LOOK_BACK)
    ) {
      const event = joined(open.event, line);
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

function joined(event: ViewerLine, line: ViewerLine): ViewerLine {
  const parts = [...partsOf(event), ...partsOf(line)];
  const level = parts.find((part) => part.level === 'error')?.level ?? event.level;
  return { ...event, level, message: `${event.message}\n${line.message}`, parts };
}
