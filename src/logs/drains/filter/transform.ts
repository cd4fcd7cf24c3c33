/** Filters and redacts shipments by a drain's options: the same extent, fewer lines, messages without secrets. */
import { TimeSlices } from '../../../common/limits/turns.ts';
import type { Sequence } from '../../store/contract.ts';
import { RECORD_HEADER, RecordCursor } from '../../syslog/batch.ts';
import { EventTracker, type OpenEvent } from '../../syslog/event-tracker.ts';
import { headerFieldEnd } from '../../syslog/record.ts';
import type { DrainOptions } from '../options/drain-options.ts';
import type { BatchSlice, Shipment } from '../shipment.ts';
import { createDrainFilter, type DrainFilter } from './drain-filter.ts';
import { createRedactor } from './redaction.ts';

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
    return transformShipment(shipment, wanted, redact);
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
    const bytes = bytesOf(slice);
    const line = new RecordCursor(bytes, slice.start, slice.end);
    const kept = new KeptLines(bytes);
    while (line.advance()) if (isWanted(index++)) kept.keep(line);
    return kept.toSlice(slice);
  });
  return withSlices(shipment, slices);
}

/** @param wanted of each line 1 when it is sent; left out: all are */
async function transformShipment(
  shipment: Shipment,
  wanted: Uint8Array | undefined,
  redact: ((text: string) => string) | undefined,
): Promise<Shipment> {
  const time = new TimeSlices();
  const slices: (BatchSlice | undefined)[] = [];
  let index = 0;
  for (const slice of shipment.slices) {
    const bytes = bytesOf(slice);
    const line = new RecordCursor(bytes, slice.start, slice.end);
    const kept = new KeptLines(bytes);
    for (; line.advance(); index++) {
      if (wanted && wanted[index] === 0) continue;
      const changed = redact && redactRecord(line, bytes, redact);
      if (changed) kept.add(changed);
      else kept.keep(line);
      if (redact && time.isOver) await time.next();
    }
    slices.push(kept.toSlice(slice));
  }
  return withSlices(shipment, slices);
}

/** The lines of a slice, one after the other under the same cursor. */
function* linesOf(slice: BatchSlice): Generator<{ cursor: RecordCursor; bytes: Buffer }> {
  const bytes = bytesOf(slice);
  const line = { cursor: new RecordCursor(bytes, slice.start, slice.end), bytes };
  while (line.cursor.advance()) yield line;
}

function bytesOf({ batch }: BatchSlice): Buffer {
  return Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
}

/** What is kept of a slice: records that are next to each other are copied together. */
class KeptLines {
  private readonly bytes: Buffer;
  private readonly parts: Buffer[] = [];
  private count = 0;
  private isChanged = false;
  private start = 0;
  private end = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Keeps the line under the cursor as it is. */
  keep({ textStart, textEnd }: RecordCursor): void {
    const start = textStart - RECORD_HEADER;
    if (start !== this.end) {
      this.endPart();
      this.start = start;
    }
    this.end = textEnd;
    this.count++;
  }

  /** Adds a record that isn't as it was. */
  add(record: Buffer): void {
    this.endPart();
    this.parts.push(record);
    this.isChanged = true;
    this.count++;
  }

  /** A slice of them; undefined when there are none, the same when they are all that it had. */
  toSlice(slice: BatchSlice): BatchSlice | undefined {
    if (this.count === 0) return undefined;
    if (this.count === slice.count && !this.isChanged) return slice;
    this.endPart();
    const records = this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts);
    return { batch: { ...slice.batch, bytes: records }, start: 0, end: records.length, count: this.count };
  }

  private endPart(): void {
    if (this.end > this.start) this.parts.push(this.bytes.subarray(this.start, this.end));
    this.start = 0;
    this.end = 0;
  }
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

/** A copy of a record with the values of its structured data and its message redacted; undefined when nothing is. */
function redactRecord(
  line: RecordCursor,
  bytes: Buffer,
  redact: (text: string) => string,
): Buffer | undefined {
  const { textStart, textEnd, msgidStart, messageStart } = line;
  const message = bytes.toString('utf8', messageStart, textEnd);
  const redactedMessage = redact(message);
  const sdStart = headerFieldEnd(bytes, msgidStart, messageStart) + 1;
  const structuredData = bytes.toString('utf8', sdStart, messageStart);
  const redactedData =
    structuredData === '- '
      ? structuredData
      : structuredData.replace(QUOTED_VALUE, (all, value: string) => {
          const end = all.length === value.length + 2 ? '"' : '';
          return `"${redact(value)}${end}`;
        });
  if (redactedMessage === message && redactedData === structuredData) return undefined;
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
