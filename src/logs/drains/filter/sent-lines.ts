/** Which lines of a shipment a filter lets through: first what holds of each line by itself, then the events that the lines are of. */
import { TimeSlices } from '../../../common/limits/turns.ts';
import type { Sequence } from '../../store/contract.ts';
import { RecordCursor } from '../../syslog/batch.ts';
import { beginEvent, continueEvent, type EventState, mayContinue } from '../../syslog/event-lines.ts';
import { EventTracker, gapMs, shownMessage, writtenTime } from '../../syslog/event-tracker.ts';
import { LOG_LEVELS } from '../../syslog/level.ts';
import { bytesOfSlice, type Shipment } from '../shipment.ts';
import { type DrainFilter, isAtLeastLevel, isSampled, type LinePredicate } from './drain-filter.ts';
import { BEGINS_EVENT, type LineScan, TAKES_ANY } from './wasm-scan.ts';

/** What holds of a line: its sender is wanted, and so is an event that it begins; it is wanted by itself; it is left out. */
const IS_OWN = 1;
const IS_ADMITTED = 2;
const IS_SELECTED = 4;
const IS_EXCLUDED = 8;
/** The clock is looked at once in so many lines. */
const LINES_A_LOOK = 32;

/**
 * For each line of a shipment 1 when it is sent: those that are selected, with the events that they are of. By this shipment alone: a retry
 * has to have the same lines.
 * @param scan of the shipment; without it the lines are the same, and it takes longer
 */
export async function sentLines(
  shipment: Shipment,
  filter: DrainFilter,
  scan: LineScan | undefined,
): Promise<Uint8Array> {
  const marks = await markLines(shipment, filter, scan);
  if (!filter.needsEvents) return marks.map((mark) => mark & IS_OWN);
  return scan ? selectEvents(shipment, marks, scan) : followEvents(shipment, marks);
}

async function markLines(
  shipment: Shipment,
  filter: DrainFilter,
  scan: LineScan | undefined,
): Promise<Uint8Array> {
  const marks = scan ? markByScan(shipment, filter, scan) : markByLines(shipment, filter);
  const { excludes, matches } = filter;
  const time = new TimeSlices();
  let start = 0;
  for (const slice of shipment.slices) {
    const bytes = bytesOfSlice(slice);
    // Each for itself: what searches whole batches does so for one at a time.
    for (const predicate of [excludes, matches]) {
      if (!predicate) continue;
      const line = new RecordCursor(bytes, slice.start, slice.end);
      for (let index = start; line.advance(); index++) {
        if (index % LINES_A_LOOK === 0 && time.isOver) await time.next();
        const mark = marks[index];
        if (predicate === excludes) {
          if (mark & IS_OWN && predicate(line, bytes)) marks[index] = (mark | IS_EXCLUDED) & ~IS_SELECTED;
        } else if (mark & IS_SELECTED && !predicate(line, bytes)) marks[index] = mark - IS_SELECTED;
      }
    }
    start += slice.count;
  }
  return marks;
}

/** Sender, sample and level of each line. */
function markByLines(shipment: Shipment, { origin, sample, levelIndex }: DrainFilter): Uint8Array {
  const marks = new Uint8Array(shipment.count);
  let index = 0;
  for (const slice of shipment.slices) {
    const bytes = bytesOfSlice(slice);
    const line = new RecordCursor(bytes, slice.start, slice.end);
    for (; line.advance(); index++)
      if (!origin || origin(line, bytes))
        marks[index] =
          IS_OWN |
          admittedMark(shipment.first + index, sample) |
          (levelIndex === undefined || isAtLeastLevel(line, bytes, levelIndex) ? IS_SELECTED : 0);
  }
  return marks;
}

/** The same; no line is looked at of which the scan has told everything. */
function markByScan(
  shipment: Shipment,
  { origin, sample, levelIndex = LOG_LEVELS.length }: DrainFilter,
  { levels, firsts, starts }: LineScan,
): Uint8Array {
  const { count } = shipment;
  const marks = new Uint8Array(count);
  const lines = new ShipmentLines(shipment, starts);
  const isLeveled = levelIndex < LOG_LEVELS.length;
  for (let index = 0; index < count; index++) {
    // All lines of a sender have the same fate.
    if (origin) {
      const first = firsts[index];
      if (first < index ? (marks[first] & IS_OWN) === 0 : !lines.holds(index, origin)) continue;
    }
    let mark = IS_OWN | admittedMark(shipment.first + index, sample);
    const level = isLeveled ? levels[index] : 0;
    if (level <= levelIndex || (level >= LOG_LEVELS.length && lines.isAtLeastLevel(index, levelIndex)))
      mark |= IS_SELECTED;
    marks[index] = mark;
  }
  return marks;
}

function admittedMark(sequence: Sequence, sample: number | undefined): number {
  return sample === undefined || isSampled(sequence, sample) ? IS_ADMITTED : 0;
}

/** The definition: line by line. */
function followEvents(shipment: Shipment, marks: Uint8Array): Uint8Array {
  const wanted = new Uint8Array(shipment.count);
  const tracker = new EventTracker();
  let index = 0;
  for (const slice of shipment.slices) {
    const bytes = bytesOfSlice(slice);
    const line = new RecordCursor(bytes, slice.start, slice.end);
    for (; line.advance(); index++) {
      const event = tracker.next(line, bytes);
      const mark = marks[index];
      const isExcluded = (mark & IS_EXCLUDED) !== 0;
      if (event.state.lines === 1) event.isAdmitted = !isExcluded && (mark & IS_ADMITTED) !== 0;
      if (isExcluded || !event.isAdmitted) continue;
      event.lines.push(index);
      if (mark & IS_SELECTED) event.isMarked = true;
      if (event.isMarked) for (const one of event.lines.splice(0)) wanted[one] = 1;
    }
  }
  return wanted;
}

/** The same by chains of lines of a sender, of which only the first surely begins an event: most chains have one line. */
async function selectEvents(
  shipment: Shipment,
  marks: Uint8Array,
  { facts, previous, starts }: LineScan,
): Promise<Uint8Array> {
  const { count } = shipment;
  const wanted = new Uint8Array(count);
  /** The next line of a chain; 0 for none. */
  const next = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const before = previous[i];
    if (before >= 0 && ((facts[i] & BEGINS_EVENT) === 0 || (facts[before] & TAKES_ANY) !== 0))
      next[before] = i;
  }
  const time = new TimeSlices();
  let lines: ShipmentLines | undefined;
  for (let i = 0; i < count; i++) {
    if (previous[i] >= 0 && next[previous[i]] === i) continue;
    if (next[i] === 0) wanted[i] = isSent(marks[i]) ? 1 : 0;
    else {
      lines ??= new ShipmentLines(shipment, starts);
      selectChain(i, next, marks, lines, wanted);
      if (time.isOver) await time.next();
    }
  }
  return wanted;
}

function isSent(mark: number): boolean {
  return (mark & IS_ADMITTED) !== 0 && (mark & IS_SELECTED) !== 0;
}

function selectChain(
  start: number,
  next: Int32Array,
  marks: Uint8Array,
  lines: ShipmentLines,
  wanted: Uint8Array,
): void {
  let isAnySelected = false;
  let areAllSent = true;
  for (let i = start; ; i = next[i]) {
    if (marks[i] & IS_SELECTED) isAnySelected = true;
    if (!isSent(marks[i])) areAllSent = false;
    if (areAllSent) wanted[i] = 1;
    if (next[i] === 0) break;
  }
  if (!isAnySelected || areAllSent) return;
  let state: EventState | undefined;
  let time = '';
  let isMarked = false;
  let isAdmitted = false;
  const waiting: number[] = [];
  for (let i = start; ; i = next[i]) {
    const { line, bytes } = lines.at(i);
    const message = shownMessage(line, bytes);
    const written = writtenTime(line, bytes);
    const more: EventState | undefined =
      state && mayContinue(message, state) ? continueEvent(state, message, gapMs(time, written)) : undefined;
    state = more ?? beginEvent(message);
    time = written;
    const mark = marks[i];
    const isExcluded = (mark & IS_EXCLUDED) !== 0;
    if (!more) {
      isMarked = false;
      isAdmitted = !isExcluded && (mark & IS_ADMITTED) !== 0;
      waiting.length = 0;
    }
    wanted[i] = 0;
    if (isAdmitted && !isExcluded) {
      waiting.push(i);
      if (mark & IS_SELECTED) isMarked = true;
      if (isMarked) for (const one of waiting.splice(0)) wanted[one] = 1;
    }
    if (next[i] === 0) return;
  }
}

/** The lines of a shipment by their indexes. */
class ShipmentLines {
  private readonly shipment: Shipment;
  private readonly starts: Int32Array;
  /** Indexes of the slices' first lines. */
  private readonly firsts: number[] = [];
  private readonly buffers: Buffer[] = [];

  constructor(shipment: Shipment, starts: Int32Array) {
    this.shipment = shipment;
    this.starts = starts;
    let index = 0;
    for (const slice of shipment.slices) {
      this.firsts.push(index);
      this.buffers.push(bytesOfSlice(slice));
      index += slice.count;
    }
  }

  holds(index: number, predicate: LinePredicate): boolean {
    const { line, bytes } = this.at(index);
    return predicate(line, bytes);
  }

  isAtLeastLevel(index: number, levelIndex: number): boolean {
    const { line, bytes } = this.at(index);
    return isAtLeastLevel(line, bytes, levelIndex);
  }

  at(index: number): { readonly line: RecordCursor; readonly bytes: Buffer } {
    const { firsts, buffers, starts } = this;
    let [low, high] = [0, firsts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (firsts[middle] <= index) low = middle;
      else high = middle - 1;
    }
    const { start, end } = this.shipment.slices[low];
    const bytes = buffers[low];
    const line = new RecordCursor(bytes, start + starts[index], end);
    line.advance();
    return { line, bytes };
  }
}
