/**
 * Events (syslog/event-lines.ts) around the lines that a scan finds. `EventTracker` looks at each line of a stream; here only lines are looked at
 * that are of the same sender as one that was found, from the line on that certainly begins an event up to the line that begins the next one.
 * With few lines that are found it costs next to nothing, and no line is looked at much more than once.
 *
 * It finds what a tracker of the whole file finds, except for events with more than {@link CONTEXT_LINES} lines of the stream between their
 * first line and the first one that is found, or more than {@link FOLLOWED_LINES} between two of their lines.
 */
import type { Sequence } from '../../store/contract.ts';
import type { FilePlace, FollowedEvents } from '../../store/file-scanner.ts';
import { RecordCursor } from '../../syslog/batch.ts';
import {
  beginEvent,
  continueEvent,
  type EventState,
  mayContinueAny,
  TAKES_ANY_MARK,
  takesAnyLine,
} from '../../syslog/event-lines.ts';
import { gapMs, senderOf, shownMessage, writtenTime } from '../../syslog/event-tracker.ts';
import { CONTEXT_LINES } from '../event-scan.ts';

/** So many lines after the last one of an event the next one is looked for. */
const FOLLOWED_LINES = 1_000;
/** So many senders are followed, or remembered, at a time. */
const SENDERS_MAX = 1_000;

/** Lines of an entry: their records in some bytes, and where these are in the file. */
export interface ContextEntry {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Where byte 0 would be in the file. */
  readonly offset: number;
  readonly first: Sequence;
  readonly last: Sequence;
  readonly storedAtMs: number;
  /** Where the entry begins in the file. */
  readonly place: FilePlace;
  /** Where its records start, as far as somebody has asked. */
  starts: readonly number[] | undefined;
}

/** A line in front of another one. */
export interface EarlierLine {
  readonly line: RecordCursor;
  readonly entry: ContextEntry;
  readonly sequence: Sequence;
}

/** The lines of a file up to the one that is looked at, as far back as is needed. */
export class LineContext {
  private entries: ContextEntry[] = [];
  /** How many of them are copies. */
  private copies = 0;
  private copiesTakeAny = false;
  private takeAny: boolean | undefined;

  add(entry: ContextEntry): void {
    this.entries.push(entry);
  }

  /** Their bytes are overwritten: those are copied that are needed yet. */
  keep(): void {
    const from = this.neededFrom();
    const { entries } = this;
    const kept = entries.slice(from);
    const copied = kept.slice(Math.max(0, this.copies - from));
    if (copied.length > 0) {
      const { bytes, start: base } = copied[0];
      const copy = Buffer.from(bytes.subarray(base, copied[copied.length - 1].end));
      this.copiesTakeAny =
        (this.copiesTakeAny && copied.length < kept.length) || copy.includes(TAKES_ANY_MARK);
      kept.splice(
        kept.length - copied.length,
        copied.length,
        ...copied.map((entry) => ({
          ...entry,
          bytes: copy,
          start: entry.start - base,
          end: entry.end - base,
          offset: entry.offset + base,
          starts: undefined,
        })),
      );
    }
    this.entries = kept;
    this.copies = kept.length;
    this.takeAny = undefined;
  }

  /** Where the lines begin that are needed by who goes on here; undefined without any. */
  get place(): FilePlace | undefined {
    return this.entries[this.neededFrom()]?.place;
  }

  /** The lines before one of the newest entry that are at hand, the latest first. */
  *before(sequence: Sequence): Generator<EarlierLine> {
    const { entries } = this;
    const end = sequence - CONTEXT_LINES;
    for (let i = entries.length - 1, next = sequence; i >= 0; i--) {
      const entry = entries[i];
      if (i < entries.length - 1 && entry.last + 1 !== next) return;
      const starts = startsOf(entry);
      for (let k = Math.min(next, entry.last + 1) - entry.first - 1; k >= 0; k--) {
        if (entry.first + k < end) return;
        const line = new RecordCursor(entry.bytes, starts[k], entry.end);
        line.advance();
        yield { line, entry, sequence: entry.first + k };
      }
      next = entry.first;
    }
  }

  /** May there be a line that another one goes on with, whatever that is? */
  get mayTakeAny(): boolean {
    const newest = this.entries.length > this.copies ? this.entries[this.copies].bytes : undefined;
    this.takeAny ??= this.copiesTakeAny || (newest?.includes(TAKES_ANY_MARK) ?? false);
    return this.takeAny;
  }

  private neededFrom(): number {
    const { entries } = this;
    let lines = 0;
    for (let i = entries.length - 1; i >= 0; i--) {
      lines += entries[i].last + 1 - entries[i].first;
      if (lines >= CONTEXT_LINES) return i;
    }
    return 0;
  }
}

function startsOf(entry: ContextEntry): readonly number[] {
  if (!entry.starts) {
    const starts: number[] = [];
    const line = new RecordCursor(entry.bytes, entry.start, entry.end);
    for (let start = entry.start; start < entry.end; start = line.nextStart) {
      starts.push(start);
      line.skip(1);
    }
    entry.starts = starts;
  }
  return entry.starts;
}

interface OpenEvent {
  /** Undefined: `message` is all of it yet. */
  state: EventState | undefined;
  readonly message: string;
  time: string;
  last: Sequence;
}

/** Follows the events of lines that were found. */
export class EventFollower {
  private readonly context: LineContext;
  private readonly events = new Map<string, OpenEvent>();
  /** Where the last event of a sender that was followed has ended. */
  private readonly begun = new Map<string, Sequence>();
  private checked: Sequence = 0;
  /** The line with which the last event has ended. */
  private ended:
    | { readonly sequence: Sequence; readonly sender: string; readonly message: string }
    | undefined;

  constructor(context: LineContext, carried?: FollowedEvents) {
    this.context = context;
    for (const { sender, state, time, last } of carried?.events ?? [])
      this.events.set(sender, { state, message: state.head, time, last });
    for (const [sender, first] of carried?.begun ?? []) this.begun.set(sender, first);
  }

  /** While it does, {@link goesOn} has to be called for every line. */
  get isFollowing(): boolean {
    return this.events.size > 0;
  }

  /** What is followed, for who goes on after a line. */
  carry(after: Sequence): FollowedEvents {
    this.forget(after);
    const events = [...this.events].map(([sender, event]) => ({
      sender,
      state: stateOf(event),
      time: event.time,
      last: event.last,
    }));
    return { events, begun: [...this.begun].filter(([, first]) => first > after - CONTEXT_LINES) };
  }

  /** Does the line go on with an event that is followed? */
  goesOn(line: RecordCursor, bytes: Buffer, sequence: Sequence): boolean {
    if (sequence - this.checked > CONTEXT_LINES) this.forget(sequence);
    const sender = senderOf(line, bytes);
    const event = this.events.get(sender);
    if (!event) return false;
    const message = shownMessage(line, bytes);
    const mayContinue = mayContinueAny(message);
    this.ended = undefined;
    const mayTakeAny = event.message.includes(TAKES_ANY_MARK);
    if (mayContinue || (mayTakeAny && takesAnyLine(stateOf(event)))) {
      const time = writtenTime(line, bytes);
      const next = continueEvent(stateOf(event), message, gapMs(event.time, time));
      if (next) {
        event.state = next;
        event.time = time;
        event.last = sequence;
        return true;
      }
    }
    this.events.delete(sender);
    if (this.begun.size >= SENDERS_MAX) this.begun.clear();
    this.begun.set(sender, sequence);
    this.ended = { sequence, sender, message };
    return false;
  }

  /**
   * Follows the event of a line of the newest entry, that isn't followed yet.
   * @returns the lines of the event before it, oldest first
   */
  follow(line: RecordCursor, bytes: Buffer, sequence: Sequence): readonly EarlierLine[] {
    const ended = this.ended?.sequence === sequence ? this.ended : undefined;
    const sender = ended?.sender ?? senderOf(line, bytes);
    const message = ended?.message ?? shownMessage(line, bytes);
    let state: EventState | undefined;
    let earlier: EarlierLine[] = [];
    // What has ended another event begins one.
    if (!ended && (mayContinueAny(message) || this.context.mayTakeAny)) {
      let before = '';
      for (const one of this.linesBefore(sender, sequence, mayContinueAny(message))) {
        const text = shownMessage(one.line, one.entry.bytes);
        const time = writtenTime(one.line, one.entry.bytes);
        const next = state && continueEvent(state, text, gapMs(before, time));
        if (!next) earlier = [];
        state = next ?? beginEvent(text);
        before = time;
        earlier.push(one);
      }
      state = state && continueEvent(state, message, gapMs(before, writtenTime(line, bytes)));
      if (!state) earlier = [];
    }
    if (this.events.size >= SENDERS_MAX) this.events.clear();
    this.events.set(sender, { state, message, time: writtenTime(line, bytes), last: sequence });
    return earlier;
  }

  /** Lines of a sender, oldest first, from one on that begins an event, as far as that is at hand. */
  private linesBefore(sender: string, sequence: Sequence, mayContinue: boolean): EarlierLine[] {
    const { mayTakeAny } = this.context;
    const notBefore = this.begun.get(sender) ?? 0;
    const found: EarlierLine[] = [];
    let isBegun = !mayContinue;
    for (const one of this.context.before(sequence)) {
      const { line, entry } = one;
      if (one.sequence < notBefore) break;
      if (line.msgidStart - line.hostStart !== sender.length || senderOf(line, entry.bytes) !== sender)
        continue;
      const message = shownMessage(line, entry.bytes);
      if (isBegun && !takesAnyLine(beginEvent(message))) break;
      found.push(one);
      isBegun = !mayContinueAny(message);
      if (isBegun && !mayTakeAny) break;
    }
    return found.reverse();
  }

  /** Events of which nothing came for many lines. */
  private forget(sequence: Sequence): void {
    this.checked = sequence;
    for (const [sender, { last }] of this.events)
      if (sequence - last > FOLLOWED_LINES) this.events.delete(sender);
  }
}

function stateOf(event: OpenEvent): EventState {
  event.state ??= beginEvent(event.message);
  return event.state;
}
