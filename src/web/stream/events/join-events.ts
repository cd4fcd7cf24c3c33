/** Events that a sender has sent line by line, such as stack traces, and that are read as one. */
import { beginEvent, continueEvent, type EventState, mayContinue } from '../../../logs/syslog/event-lines.ts';
import { LINE_LEVELS, type Line } from '../line.ts';

/** An event of more characters is several. */
const CHARACTERS_MAX = 64_000;
/** So many events of others may stand between two lines of one. */
export const LOOK_BACK = 300;

/** The line, or the lines that it is made of. */
export function partsOf<T extends Line>(line: T): readonly T[] {
  return (line.parts as readonly T[] | undefined) ?? [line];
}

/** Lines of one sender go on in lines of the same one alone. */
export function lineSender({ stream, streamName, hostname, source, dyno }: Line): string {
  return `${stream ?? streamName ?? ''} ${hostname} ${source} ${dyno}`;
}

/** The latest event of a sender, to which lines may be added. */
class GrowingEvent<T extends Line> {
  /** Where it stands among the events; -1 for one that was there before. */
  readonly index: number;
  private readonly event: T;
  private state: EventState;
  private added: T[] = [];
  private characters: number;
  private lastMs: number;

  constructor(event: T, index: number) {
    this.event = event;
    this.index = index;
    this.state = event.event ?? beginEvent(event.message);
    this.characters = event.message.length;
    this.lastMs = (event.parts?.at(-1) ?? event).ms;
  }

  get hasGrown(): boolean {
    return this.added.length > 0;
  }

  /** Adds a line when that goes on with it. */
  take(line: T): boolean {
    if (this.characters + line.message.length > CHARACTERS_MAX) return false;
    if (!mayContinue(line.message, this.state)) return false;
    const next = continueEvent(this.state, line.message, line.ms - this.lastMs);
    if (!next) return false;
    this.state = next;
    this.added.push(line);
    this.characters += line.message.length + 1;
    this.lastMs = (line.parts?.at(-1) ?? line).ms;
    return true;
  }

  /** All of it as one line, as serious as the most serious part. */
  joined(): T {
    const { event, added, state } = this;
    const all = [event, ...added];
    const level = LINE_LEVELS.find((one) => all.some((part) => part.level === one)) ?? event.level;
    return {
      ...event,
      level,
      message: all.map(({ message }) => message).join('\n'),
      parts: all.flatMap(partsOf),
      event: state,
    };
  }
}

/**
 * Joins lines into events, in their order; an event stands where its first line does.
 * @param before lines that are in front of these: the last of them go on in these
 * @returns the events, and which of `before` have become others, by their `at`
 */
export function joinEvents<T extends Line>(
  before: readonly T[],
  lines: readonly T[],
): { readonly events: T[]; readonly changed: ReadonlyMap<number, T> } {
  const events: T[] = [];
  const changed = new Map<number, T>();
  const grown: GrowingEvent<T>[] = [];
  const known = new Map<string, T>();
  for (let i = Math.max(0, before.length - LOOK_BACK); i < before.length; i++)
    known.set(lineSender(before[i]), before[i]);
  const latest = new Map<string, GrowingEvent<T>>();
  for (const line of lines) {
    const sender = lineSender(line);
    let open = latest.get(sender);
    const earlier = open ? undefined : known.get(sender);
    if (earlier) {
      open = new GrowingEvent(earlier, -1);
      latest.set(sender, open);
    }
    const isNear = open !== undefined && (open.index < 0 || events.length - open.index <= LOOK_BACK);
    const hadGrown = open?.hasGrown ?? false;
    if (open && isNear && open.take(line)) {
      if (!hadGrown) grown.push(open);
    } else {
      latest.set(sender, new GrowingEvent(line, events.length));
      events.push(line);
    }
  }
  for (const one of grown) {
    const event = one.joined();
    if (one.index < 0) changed.set(event.at, event);
    else events[one.index] = event;
  }
  return { events, changed };
}
