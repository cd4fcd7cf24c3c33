/** Filters and redacts shipments by a drain's options: the same extent, fewer lines, messages without secrets. */
import { TimeSlices } from '../../../common/limits/turns.ts';
import type { Sequence } from '../../store/contract.ts';
import { RECORD_HEADER, RecordCursor } from '../../syslog/batch.ts';
import { EventTracker, type OpenEvent } from '../../syslog/event-tracker.ts';
import type { DrainOptions } from '../options/drain-options.ts';
import type { BatchSlice, Shipment } from '../shipment.ts';
import { createDrainFilter, type DrainFilter } from './drain-filter.ts';
import { createRedactor } from './redaction.ts';

/** What is sent of a line, with its header; undefined for a line that isn't. */
type LineEdit = (line: RecordCursor, bytes: Buffer, sequence: Sequence) => Buffer | undefined;

/** Changes a shipment, in slices: patterns may take long for a line. Undefined when the options change nothing: then no copy is made. */
export function createShipmentTransform(
  options: DrainOptions = {},
): ((shipment: Shipment) => Promise<Shipment>) | undefined {
  const filter = createDrainFilter(options);
  const redact = createRedactor(options);
  if (!filter && !redact) return undefined;
  return async (shipment) => {
    // By this shipment alone: a retry has to have the same lines.
    const wanted = filter && (await wantedOf(shipment, filter));
    const edit: LineEdit = (line, bytes, sequence) => {
      if (wanted && wanted[sequence - shipment.first] === 0) return undefined;
      return redact ? redactRecord(line, bytes, redact) : recordBytes(line, bytes);
    };
    return transformShipment(shipment, edit, redact !== undefined);
  };
}

/** For each line of a shipment 1 when it is sent: those that are selected, with the events that they are of. */
async function wantedOf(shipment: Shipment, filter: DrainFilter): Promise<Uint8Array> {
  const time = new TimeSlices();
  const wanted = new Uint8Array(shipment.count);
  const tracker = filter.needsEvents ? new EventTracker() : undefined;
  let index = 0;
  for (const slice of shipment.slices)
    for (const { cursor, bytes } of linesOf(slice)) {
      const sequence = shipment.first + index;
      if (tracker) markWanted(wanted, index, tracker.next(cursor, bytes), filter, cursor, bytes, sequence);
      else if (filter.admits(cursor, bytes, sequence)) wanted[index] = 1;
      index++;
      if (time.isOver) await time.next();
    }
  return wanted;
}

function markWanted(
  wanted: Uint8Array,
  index: number,
  event: OpenEvent,
  { selects, admits, excludes }: DrainFilter,
  line: RecordCursor,
  bytes: Buffer,
  sequence: Sequence,
): void {
  const isHead = event.state.lines === 1;
  if (!isHead && !event.isAdmitted) return;
  const isExcluded = excludes?.(line, bytes, sequence) ?? false;
  if (isHead) event.isAdmitted = !isExcluded && admits(line, bytes, sequence);
  if (isExcluded || !event.isAdmitted) return;
  event.lines.push(index);
  if (event.isMarked) wanted[index] = 1;
  else if (selects(line, bytes, sequence)) {
    event.isMarked = true;
    for (const one of event.lines) wanted[one] = 1;
  }
}

/** The lines of a shipment whose index, counted from 0, is wanted. */
export function selectLines(shipment: Shipment, isWanted: (index: number) => boolean): Shipment {
  let index = 0;
  const slices = shipment.slices.map((slice) => {
    const kept: Buffer[] = [];
    for (const { cursor, bytes } of linesOf(slice))
      if (isWanted(index++)) kept.push(recordBytes(cursor, bytes));
    return sliceOf(slice, kept, false);
  });
  return withSlices(shipment, slices);
}

async function transformShipment(shipment: Shipment, edit: LineEdit, isEdited: boolean): Promise<Shipment> {
  const time = new TimeSlices();
  const slices: (BatchSlice | undefined)[] = [];
  let sequence = shipment.first;
  for (const slice of shipment.slices) {
    const kept: Buffer[] = [];
    for (const { cursor, bytes } of linesOf(slice)) {
      const record = edit(cursor, bytes, sequence++);
      if (record) kept.push(record);
      if (time.isOver) await time.next();
    }
    slices.push(sliceOf(slice, kept, isEdited));
  }
  return withSlices(shipment, slices);
}

/** The lines of a slice, one after the other under the same cursor. */
function* linesOf({ batch, start, end }: BatchSlice): Generator<{ cursor: RecordCursor; bytes: Buffer }> {
  const { buffer, byteOffset, length } = batch.bytes;
  const bytes = Buffer.from(buffer, byteOffset, length);
  const line = { cursor: new RecordCursor(bytes, start, end), bytes };
  while (line.cursor.advance()) yield line;
}

function recordBytes(line: RecordCursor, bytes: Buffer): Buffer {
  return bytes.subarray(line.textStart - RECORD_HEADER, line.textEnd);
}

/** A slice with these records; undefined when there are none, the same when they are all that it had. */
function sliceOf(slice: BatchSlice, kept: readonly Buffer[], isEdited: boolean): BatchSlice | undefined {
  if (kept.length === 0) return undefined;
  if (kept.length === slice.count && !isEdited) return slice;
  const records = Buffer.concat(kept);
  return { batch: { ...slice.batch, bytes: records }, start: 0, end: records.length, count: kept.length };
}

function withSlices(shipment: Shipment, changed: readonly (BatchSlice | undefined)[]): Shipment {
  const slices = changed.filter((slice) => slice !== undefined);
  return {
    ...shipment,
    slices,
    count: slices.reduce((sum, { count }) => sum + count, 0),
    byteLength: slices.reduce((sum, { start, end }) => sum + end - start, 0),
  };
}

/** In structured data every value has its end; elsewhere it would go on to the end of the text. */
const QUOTED_VALUE = /"((?:[^"\\]|\\.)*)"?/gs;

/** A copy of a record with the values of its structured data and its message redacted; the same memory when nothing is. */
function redactRecord(line: RecordCursor, bytes: Buffer, redact: (text: string) => string): Buffer {
  const { textStart, textEnd, msgidStart, messageStart } = line;
  const message = bytes.toString('utf8', messageStart, textEnd);
  const redactedMessage = redact(message);
  const sdStart = bytes.indexOf(0x20, msgidStart) + 1;
  const structuredData = bytes.toString('utf8', sdStart, messageStart);
  const redactedData =
    structuredData === '- '
      ? structuredData
      : structuredData.replace(QUOTED_VALUE, (all, value: string) => {
          const end = all.length === value.length + 2 ? '"' : '';
          return `"${redact(value)}${end}`;
        });
  if (redactedMessage === message && redactedData === structuredData) return recordBytes(line, bytes);
  const text = Buffer.concat([
    bytes.subarray(textStart, sdStart),
    Buffer.from(redactedData),
    Buffer.from(redactedMessage),
  ]);
  const header = Buffer.from(bytes.subarray(textStart - RECORD_HEADER, textStart));
  header.writeUIntLE(text.length, 0, 3);
  header.writeUInt16LE(sdStart - textStart + Buffer.byteLength(redactedData), 10);
  return Buffer.concat([header, text]);
}
