/** Makes of a shipment what a drain's options leave of it: the same extent, fewer lines, messages without secrets. */
import type { Sequence } from '../../store/contract.ts';
import { RECORD_HEADER, RecordCursor } from '../../syslog/batch.ts';
import type { DrainOptions } from '../options/drain-options.ts';
import type { Part, Shipment } from '../shipment.ts';
import { redactionOf } from './redaction.ts';
import { type Selection, selectionOf } from './selection.ts';

/** Undefined when the options leave everything as it is: then nothing of this costs anything. */
export function refineryOf(options: DrainOptions = {}): ((shipment: Shipment) => Shipment) | undefined {
  const selects = selectionOf(options);
  const redacts = redactionOf(options);
  if (!selects && !redacts) return undefined;

  return (shipment) => refine(shipment, selects, redacts);
}

/** The lines of a shipment, counted from 0, that `wanted` wants. */
export function pickLines(shipment: Shipment, wanted: (index: number) => boolean): Shipment {
  let index = 0;
  return refine(shipment, () => wanted(index++), undefined);
}

function refine(
  shipment: Shipment,
  selects: Selection | undefined,
  redacts: ((text: string) => string) | undefined,
): Shipment {
  let first = shipment.first;
  const parts: Part[] = [];
  for (const part of shipment.parts) {
    const refined = refinePart(part, first, selects, redacts);
    first += part.count;
    if (refined) parts.push(refined);
  }
  return {
    ...shipment,
    parts,
    count: parts.reduce((sum, { count }) => sum + count, 0),
    bytes: parts.reduce((sum, { start, end }) => sum + end - start, 0),
  };
}

function refinePart(
  part: Part,
  first: Sequence,
  selects: Selection | undefined,
  redacts: ((text: string) => string) | undefined,
): Part | undefined {
  const source = part.batch.bytes;
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.length);
  const cursor = new RecordCursor(bytes, part.start, part.end);
  const pieces: Buffer[] = [];
  for (let sequence = first; cursor.advance(); sequence++) {
    if (selects && !selects(cursor, bytes, sequence)) continue;
    if (redacts) pieces.push(redactRecord(cursor, bytes, redacts));
    else pieces.push(bytes.subarray(cursor.textStart - RECORD_HEADER, cursor.textEnd));
  }
  if (pieces.length === 0) return undefined;
  if (pieces.length === part.count && !redacts) return part;
  const records = Buffer.concat(pieces);
  return { batch: { ...part.batch, bytes: records }, start: 0, end: records.length, count: pieces.length };
}

/** A copy of a record, its structured data's values and its message redacted; the same memory when nothing was found. */
function redactRecord(line: RecordCursor, bytes: Buffer, redacts: (text: string) => string): Buffer {
  const { textStart, textEnd, msgidStart, messageStart } = line;
  const message = bytes.toString('utf8', messageStart, textEnd);
  const left = redacts(message);
  const sdStart = bytes.indexOf(0x20, msgidStart) + 1;
  const data = bytes.toString('utf8', sdStart, messageStart);
  const leftData =
    data === '- ' ? data : data.replace(/"((?:[^"\\]|\\.)*)"/g, (_, value: string) => `"${redacts(value)}"`);
  if (left === message && leftData === data) return bytes.subarray(textStart - RECORD_HEADER, textEnd);
  const text = Buffer.concat([bytes.subarray(textStart, sdStart), Buffer.from(leftData), Buffer.from(left)]);
  const header = Buffer.from(bytes.subarray(textStart - RECORD_HEADER, textStart));
  header.writeUIntLE(text.length, 0, 3);
  header.writeUInt16LE(sdStart - textStart + Buffer.byteLength(leftData), 10);
  return Buffer.concat([header, text]);
}
