/** OTLP's logs as protobuf: field numbers of OpenTelemetry's public logs.proto, common.proto, resource.proto and logs_service.proto. */
import type { LogLevel } from '../../syslog/level.ts';
import type { LogRecord } from '../../syslog/record.ts';
import {
  type LineFrame,
  type LinePieces,
  type LineTemplate,
  rememberedByLine,
  toUnixNanoseconds,
} from './line-template.ts';
import { otlpSeverityNumber, resourceAttributes } from './otlp-fields.ts';
import { type RestoredRecord, restoredRecord } from './otlp-restored.ts';
import type { GroupFrame } from './wasm/wasm-lines.ts';

/** A tag of one byte, and a length of up to 32 bits. */
const FIELD_HEAD_BYTES_MAX = 6;

/** Lines as log records (`scope_logs.log_records`). */
export function otlpProtobufTemplate(): LineTemplate {
  return { time: 'nanoseconds', isJson: false, isProtobuf: true, keepsNewlines: true, pieces, encode };
}

/** The key of what holds structured data, and when the lines were observed, milliseconds since 1970. */
export function otlpProtobufFrame(observedAtMs: number): LineFrame {
  return { mid: DATA_KEY, tail: observedTime(observedAtMs) };
}

/** The resource that lines are of, and their scope. */
export function otlpProtobufGroup(app: string, version: string): GroupFrame {
  const resourceOf = rememberedByLine((line) =>
    bytesField(
      1,
      Buffer.concat(
        resourceAttributes(line, app).map(([key, value]) => bytesField(1, textAttribute(key, value))),
      ),
    ),
  );
  const scopeOf = rememberedByLine((line) => {
    const {
      name,
      version: own,
      attributes,
      droppedAttributesCount,
    } = restoredRecord(line)?.scope ?? {
      name: 'tailrace',
      version,
      attributes: [],
      droppedAttributesCount: 0,
    };
    const dropped = droppedAttributesCount === 0 ? [] : [varintField(4, droppedAttributesCount)];
    const fields = [
      textField(1, name),
      textField(2, own),
      ...attributes.map(([key, value]) => bytesField(3, textAttribute(key, value))),
    ];
    return bytesField(1, Buffer.concat([...fields, ...dropped]));
  });
  return {
    head: (line, level, byteLength) => {
      const resource = resourceOf(line, level);
      const scope = scopeOf(line, level);
      const scopeLength = scope.length + byteLength;
      const head = Buffer.allocUnsafe(resource.length + scope.length + 2 * FIELD_HEAD_BYTES_MAX);
      let at = writeFieldHead(head, 0, 1, resource.length + fieldHeadSize(scopeLength) + scopeLength);
      head.set(resource, at);
      at = writeFieldHead(head, at + resource.length, 2, scopeLength);
      head.set(scope, at);
      return head.subarray(0, at + scope.length);
    },
    tail: Buffer.alloc(0),
  };
}

const DATA_KEY = textField(1, 'syslog.structured_data');

function pieces({ priority, msgid }: LogRecord, level: LogLevel): LinePieces {
  const severity = Buffer.concat([varintField(2, otlpSeverityNumber(priority, level)), textField(3, level)]);
  const facility = Buffer.concat([
    textField(1, 'syslog.facility'),
    bytesField(2, varintField(3, priority >> 3)),
  ]);
  const attributes = [bytesField(6, facility)];
  if (msgid !== '-') attributes.push(bytesField(6, textAttribute('syslog.msgid', msgid)));
  return { c1: severity, c2: Buffer.concat(attributes) };
}

function encode(line: LogRecord, level: LogLevel, { tail }: LineFrame): Buffer {
  const { structuredData, message, timestamp } = line;
  const time = fixed64(1, BigInt(toUnixNanoseconds(timestamp)));
  const body = bytesField(5, textField(1, message));
  const restored = restoredRecord(line);
  if (restored) {
    const { eventName } = restored;
    const event = eventName === '' ? [] : [textField(12, eventName)];
    const fields = [...restoredSeverity(restored), body, ...restoredFields(restored)];
    return bytesField(2, Buffer.concat([time, ...fields, tail as Buffer, ...event]));
  }
  const { c1, c2 } = pieces(line, level) as { c1: Buffer; c2: Buffer };
  const data =
    structuredData === '-' ? [] : [bytesField(6, textAttribute('syslog.structured_data', structuredData))];
  return bytesField(2, Buffer.concat([time, c1, body, c2, ...data, tail as Buffer]));
}

/** Of a line that came as OTLP. */
function restoredSeverity({ severityNumber, severityText }: RestoredRecord): Buffer[] {
  return [varintField(2, severityNumber), textField(3, severityText)];
}

function restoredFields({
  attributes,
  droppedAttributesCount,
  flags,
  traceId,
  spanId,
}: RestoredRecord): Buffer[] {
  return [
    ...attributes.map(([key, value]) => bytesField(6, textAttribute(key, value))),
    ...(droppedAttributesCount === 0 ? [] : [varintField(7, droppedAttributesCount)]),
    ...(flags === 0 ? [] : [Buffer.from([(8 << 3) | 5, flags, 0, 0, 0])]),
    ...(traceId === '' ? [] : [bytesField(9, Buffer.from(traceId, 'hex'))]),
    ...(spanId === '' ? [] : [bytesField(10, Buffer.from(spanId, 'hex'))]),
  ];
}

/** A KeyValue with a string. */
function textAttribute(key: string, value: string): Buffer {
  return Buffer.concat([textField(1, key), bytesField(2, textField(1, value))]);
}

function textField(field: number, text: string): Buffer {
  return bytesField(field, Buffer.from(text));
}

function bytesField(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([fieldHead(field, bytes.length), bytes]);
}

/** What is in front of a field of so many bytes. */
function fieldHead(field: number, byteLength: number): Buffer {
  const head = Buffer.allocUnsafe(FIELD_HEAD_BYTES_MAX);
  return head.subarray(0, writeFieldHead(head, 0, field, byteLength));
}

function fieldHeadSize(byteLength: number): number {
  let size = 2;
  for (let rest = byteLength >>> 7; rest > 0; rest >>>= 7) size++;
  return size;
}

/** @returns the new end */
function writeFieldHead(bytes: Buffer, start: number, field: number, byteLength: number): number {
  let at = start;
  bytes[at++] = (field << 3) | 2;
  let rest = byteLength;
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}

function varintField(field: number, value: number): Buffer {
  return Buffer.from([field << 3, ...varint(value)]);
}

function fixed64(field: number, value: bigint): Buffer {
  const bytes = Buffer.from([(field << 3) | 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  bytes.writeBigUInt64LE(value, 1);
  return bytes;
}

/** Milliseconds since 1970 as nanoseconds, `observed_time_unix_nano`, without a BigInt for each request. */
function observedTime(ms: number): Buffer {
  const bytes = Buffer.allocUnsafe(9);
  bytes[0] = (11 << 3) | 1;
  const high = Math.floor(ms / 0x1_0000_0000);
  // Below 2^53: 32 bits times a million.
  const low = (ms - high * 0x1_0000_0000) * 1_000_000;
  const carry = Math.floor(low / 0x1_0000_0000);
  bytes.writeUInt32LE(low - carry * 0x1_0000_0000, 1);
  bytes.writeUInt32LE(high * 1_000_000 + carry, 5);
  return bytes;
}

/** Seven bits a byte, the lowest first; all but the last one have the highest bit. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

/**
 * How many records an ExportLogsServiceResponse rejects, and why: `partial_success` (1) with `rejected_log_records` (1) and
 * `error_message` (2). What can't be parsed rejects nothing: the request was accepted.
 */
export function decodeRejectedRecords(body: Buffer): { count: number; message: string } {
  const partial = decodeFields(body).get(1);
  if (!Buffer.isBuffer(partial)) return { count: 0, message: '' };
  const fields = decodeFields(partial);
  const [count, message] = [fields.get(1), fields.get(2)];
  return {
    count: typeof count === 'number' ? count : 0,
    message: Buffer.isBuffer(message) ? message.toString() : '',
  };
}

/** Numbers and bytes of a message, by field, as far as they can be parsed. */
function decodeFields(bytes: Buffer): Map<number, number | Buffer> {
  const fields = new Map<number, number | Buffer>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    if (tag % 8 === 0) fields.set(field, varint());
    else if (tag % 8 === 2) {
      const length = varint();
      if (!(length <= bytes.length - at)) break;
      fields.set(field, bytes.subarray(at, at + length));
      at += length;
    } else break;
  }
  return fields;
}
