/** Filters and redacts shipments by a drain's options: the same extent, fewer lines, messages without secrets. */
import { TimeSlices } from '../../../common/limits/turns.ts';
import { RECORD_HEADER, RecordCursor } from '../../syslog/batch.ts';
import { LOG_LEVELS } from '../../syslog/level.ts';
import { headerFieldEnd, lineLevel } from '../../syslog/record.ts';
import { findLineLevels, LEVEL_UNKNOWN } from '../encoders/wasm/wasm-lines.ts';
import type { DrainOptions } from '../options/drain-options.ts';
import type { BatchSlice, Shipment } from '../shipment.ts';
import { createDrainFilter, type LinePredicate } from './drain-filter.ts';
import { createRedactor } from './redaction.ts';

/** Lines that are decided on between two looks at the time, where none of them takes long. */
const LINES_A_LOOK = 64;

/** Changes a shipment, in slices: patterns may take long for a line. Undefined when the options change nothing: then no copy is made. */
export function createShipmentTransform(
  options: DrainOptions = {},
): ((shipment: Shipment) => Promise<Shipment>) | undefined {
  const isWanted = createDrainFilter(options);
  const redact = createRedactor(options);
  const levelIndex = options.level === undefined ? LOG_LEVELS.length : LOG_LEVELS.indexOf(options.level);
  const hasLevel = levelIndex < LOG_LEVELS.length - 1;
  if (!isWanted && !redact && !hasLevel) return undefined;
  const hasPatterns = redact !== undefined || options.match !== undefined || options.exclude !== undefined;
  const step = hasPatterns ? 1 : LINES_A_LOOK;
  return (shipment) => transformShipment(shipment, hasLevel ? levelIndex : undefined, isWanted, redact, step);
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

/**
 * @param levelIndex in {@link LOG_LEVELS}, of the least serious level that is wanted; left out: all are.
 * @param step lines between two looks at the time
 */
async function transformShipment(
  shipment: Shipment,
  levelIndex: number | undefined,
  isWanted: LinePredicate | undefined,
  redact: ((text: string) => string) | undefined,
  step: number,
): Promise<Shipment> {
  const time = new TimeSlices();
  const slices: (BatchSlice | undefined)[] = [];
  let sequence = shipment.first;
  for (const slice of shipment.slices) {
    const bytes = bytesOf(slice);
    const line = new RecordCursor(bytes, slice.start, slice.end);
    const levels =
      levelIndex === undefined ? undefined : findLineLevels(bytes, slice.start, slice.end, slice.count);
    const kept = new KeptLines(bytes);
    for (let index = 0; line.advance(); index++, sequence++) {
      if (index % step === 0 && time.isOver) await time.next();
      if (levelIndex !== undefined && levelAt(levels, index, line, bytes) > levelIndex) continue;
      if (isWanted && !isWanted(line, bytes, sequence)) continue;
      const changed = redact && redactRecord(line, bytes, redact);
      if (changed) kept.add(changed);
      else kept.keep(line);
    }
    slices.push(kept.toSlice(slice));
  }
  return withSlices(shipment, slices);
}

function bytesOf({ batch }: BatchSlice): Buffer {
  return Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
}

function levelAt(levels: Uint8Array | undefined, index: number, line: RecordCursor, bytes: Buffer): number {
  const level = levels?.[index] ?? LEVEL_UNKNOWN;
  return level === LEVEL_UNKNOWN ? LOG_LEVELS.indexOf(lineLevel(line, bytes)) : level;
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
