/** Filters and redacts shipments by a drain's options: the same extent, fewer lines, messages without secrets. */
import { TimeSlices } from '../../../common/limits/turns.ts';
import { RECORD_HEADER, RecordCursor } from '../../syslog/batch.ts';
import { headerFieldEnd } from '../../syslog/record.ts';
import type { DrainOptions } from '../options/drain-options.ts';
import { type BatchSlice, bytesOfSlice, type Shipment } from '../shipment.ts';
import { createDrainFilter } from './drain-filter.ts';
import { createRedactor, type Redactor } from './redaction.ts';
import { sentLines } from './sent-lines.ts';
import { ASK_EVENTS, ASK_LEVELS, ASK_SENDERS, scanShipment } from './wasm-scan.ts';

/** Changes a shipment, in slices: patterns may take long for a line. Undefined when the options change nothing: then no copy is made. */
export function createShipmentTransform(
  options: DrainOptions = {},
): ((shipment: Shipment) => Promise<Shipment>) | undefined {
  const filter = createDrainFilter(options);
  const redactor = createRedactor(options);
  if (!filter && !redactor) return undefined;
  const asked =
    (filter?.levelIndex === undefined ? 0 : ASK_LEVELS) |
    (filter?.origin ? ASK_SENDERS : 0) |
    (filter?.needsEvents ? ASK_SENDERS | ASK_EVENTS : 0) |
    (redactor?.facts ?? 0);
  return async (shipment) => {
    const scan = asked === 0 ? undefined : scanShipment(shipment, asked);
    const wanted = filter && (await sentLines(shipment, filter, scan));
    if (!redactor && wanted && scan) return keepShipment(shipment, wanted, scan.starts);
    return transformShipment(shipment, wanted, redactor, scan?.facts);
  };
}

/** The lines of a shipment whose index, counted from 0, is wanted. */
export function selectLines(shipment: Shipment, isWanted: (index: number) => boolean): Shipment {
  let index = 0;
  const slices = shipment.slices.map((slice) => {
    const bytes = bytesOfSlice(slice);
    const line = new RecordCursor(bytes, slice.start, slice.end);
    const kept = new KeptLines(bytes);
    while (line.advance()) if (isWanted(index++)) kept.keep(line);
    return kept.toSlice(slice);
  });
  return withSlices(shipment, slices);
}

/**
 * The lines that are wanted, as they are: no other one is looked at.
 * @param starts where each starts in its slice
 */
function keepShipment(shipment: Shipment, wanted: Uint8Array, starts: Int32Array): Shipment {
  if (!wanted.includes(0)) return shipment;
  let index = 0;
  const slices = shipment.slices.map((slice) => {
    const kept = new KeptLines(bytesOfSlice(slice));
    const end = index + slice.count;
    for (; index < end; index++)
      if (wanted[index] === 1)
        kept.keepBytes(
          slice.start + starts[index],
          index + 1 < end ? slice.start + starts[index + 1] : slice.end,
        );
    return kept.toSlice(slice);
  });
  return withSlices(shipment, slices);
}

/**
 * @param wanted of each line 1 when it is sent; left out: all are
 * @param facts of each line; left out: everything may be redacted
 */
async function transformShipment(
  shipment: Shipment,
  wanted: Uint8Array | undefined,
  redactor: Redactor | undefined,
  facts: Uint8Array | undefined,
): Promise<Shipment> {
  const time = new TimeSlices();
  const slices: (BatchSlice | undefined)[] = [];
  let index = 0;
  for (const slice of shipment.slices) {
    const bytes = bytesOfSlice(slice);
    const line = new RecordCursor(bytes, slice.start, slice.end);
    const kept = new KeptLines(bytes);
    for (; line.advance(); index++) {
      if (wanted && wanted[index] === 0) continue;
      const own = facts?.[index] ?? redactor?.facts ?? 0;
      const mayChange =
        redactor !== undefined && ((own & redactor.facts) !== 0 || redactor.mayMatch?.(line, bytes) === true);
      const changed = mayChange ? redactRecord(line, bytes, redactor, own) : undefined;
      if (changed) kept.add(changed);
      else kept.keep(line);
      if (mayChange && time.isOver) await time.next();
    }
    slices.push(kept.toSlice(slice));
  }
  return withSlices(shipment, slices);
}

/** What is kept of a slice: records that are next to each other are copied together. */
class KeptLines {
  private readonly bytes: Buffer;
  /** Where what is kept starts and ends, in turns; at -1 the next of the changed records comes, which has so many bytes. */
  private readonly places: number[] = [];
  private readonly changed: Buffer[] = [];
  private count = 0;
  private byteLength = 0;
  private start = 0;
  private end = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Keeps the line under the cursor as it is. */
  keep({ textStart, textEnd }: RecordCursor): void {
    this.keepBytes(textStart - RECORD_HEADER, textEnd);
  }

  /** Keeps the record that starts and ends there. */
  keepBytes(start: number, end: number): void {
    if (start !== this.end) {
      this.endRun();
      this.start = start;
    }
    this.end = end;
    this.count++;
  }

  /** Adds a record that isn't as it was. */
  add(record: Buffer): void {
    this.endRun();
    this.places.push(-1, record.length);
    this.byteLength += record.length;
    this.changed.push(record);
    this.count++;
  }

  /** A slice of them; undefined when there are none, the same when they are all that it had. */
  toSlice(slice: BatchSlice): BatchSlice | undefined {
    if (this.count === 0) return undefined;
    if (this.count === slice.count && this.changed.length === 0) return slice;
    this.endRun();
    const { bytes, places, changed, byteLength } = this;
    const records = Buffer.allocUnsafeSlow(byteLength);
    let at = 0;
    let changes = 0;
    for (let i = 0; i < places.length; i += 2) {
      if (places[i] === -1) at += changed[changes++].copy(records, at);
      else at += bytes.copy(records, at, places[i], places[i + 1]);
    }
    return { batch: { ...slice.batch, bytes: records }, start: 0, end: byteLength, count: this.count };
  }

  private endRun(): void {
    const { start, end } = this;
    if (end > start) {
      this.places.push(start, end);
      this.byteLength += end - start;
    }
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
  redactor: Redactor,
  facts: number,
): Buffer | undefined {
  const { textStart, textEnd, msgidStart, messageStart } = line;
  const message = bytes.toString('utf8', messageStart, textEnd);
  const redactedMessage = redactor.redact(message, facts);
  const sdStart = headerFieldEnd(bytes, msgidStart, messageStart) + 1;
  const structuredData = bytes.toString('utf8', sdStart, messageStart);
  const redactedData =
    structuredData === '- '
      ? structuredData
      : structuredData.replace(QUOTED_VALUE, (all, value: string) => {
          const end = all.length === value.length + 2 ? '"' : '';
          return `"${redactor.redact(value, facts)}${end}`;
        });
  if (redactedMessage === message && redactedData === structuredData) return undefined;
  const start = textStart - RECORD_HEADER;
  const dataAt = sdStart - start;
  const dataLength = Buffer.byteLength(redactedData);
  const record = Buffer.allocUnsafe(dataAt + dataLength + Buffer.byteLength(redactedMessage));
  bytes.copy(record, 0, start, sdStart);
  record.write(redactedData, dataAt);
  record.write(redactedMessage, dataAt + dataLength);
  record.writeUIntLE(record.length - RECORD_HEADER, 0, 3);
  record.writeUInt16LE(dataAt - RECORD_HEADER + dataLength, 10);
  return record;
}
