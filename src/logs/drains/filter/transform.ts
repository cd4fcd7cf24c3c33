/** Filters and redacts shipments by a drain's options: the same extent, fewer lines, messages without secrets. */
import type { Sequence } from '../../store/contract.ts';
import { RECORD_HEADER, RecordCursor } from '../../syslog/batch.ts';
import type { DrainOptions } from '../options/drain-options.ts';
import type { BatchSlice, Shipment } from '../shipment.ts';
import { createDrainFilter, type LinePredicate } from './drain-filter.ts';
import { createRedactor } from './redaction.ts';

/** Undefined when the options change nothing: then shipments are sent as they are stored, without a copy. */
export function createShipmentTransform(
  options: DrainOptions = {},
): ((shipment: Shipment) => Shipment) | undefined {
  const isWanted = createDrainFilter(options);
  const redact = createRedactor(options);
  if (!isWanted && !redact) return undefined;

  return (shipment) => transformShipment(shipment, isWanted, redact);
}

/** The lines of a shipment whose index, counted from 0, is wanted. */
export function selectLines(shipment: Shipment, isWanted: (index: number) => boolean): Shipment {
  let index = 0;
  return transformShipment(shipment, () => isWanted(index++), undefined);
}

function transformShipment(
  shipment: Shipment,
  isWanted: LinePredicate | undefined,
  redact: ((text: string) => string) | undefined,
): Shipment {
  let first = shipment.first;
  const slices: BatchSlice[] = [];
  for (const slice of shipment.slices) {
    const transformed = transformSlice(slice, first, isWanted, redact);
    first += slice.count;
    if (transformed) slices.push(transformed);
  }
  return {
    ...shipment,
    slices,
    count: slices.reduce((sum, { count }) => sum + count, 0),
    byteLength: slices.reduce((sum, { start, end }) => sum + end - start, 0),
  };
}

function transformSlice(
  slice: BatchSlice,
  first: Sequence,
  isWanted: LinePredicate | undefined,
  redact: ((text: string) => string) | undefined,
): BatchSlice | undefined {
  const source = slice.batch.bytes;
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.length);
  const cursor = new RecordCursor(bytes, slice.start, slice.end);
  const kept: Buffer[] = [];
  for (let sequence = first; cursor.advance(); sequence++) {
    if (isWanted && !isWanted(cursor, bytes, sequence)) continue;
    if (redact) kept.push(redactRecord(cursor, bytes, redact));
    else kept.push(bytes.subarray(cursor.textStart - RECORD_HEADER, cursor.textEnd));
  }
  if (kept.length === 0) return undefined;
  if (kept.length === slice.count && !redact) return slice;
  const records = Buffer.concat(kept);
  return { batch: { ...slice.batch, bytes: records }, start: 0, end: records.length, count: kept.length };
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
  if (redactedMessage === message && redactedData === structuredData)
    return bytes.subarray(textStart - RECORD_HEADER, textEnd);
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
