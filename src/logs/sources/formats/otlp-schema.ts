/** The part of OpenTelemetry's logs protocol that is supported: messages and field numbers of its public .proto files. */
import { createRequire } from 'node:module';
import type protobuf from 'protobufjs';

/** A field of a message: its number and type. */
interface OtlpField {
  readonly id: number;
  readonly type: string;
  readonly rule?: 'repeated';
}

const message = (
  fields: Record<string, readonly [number, string, 'repeated'?]>,
): { readonly fields: Readonly<Record<string, OtlpField>> } => ({
  fields: Object.fromEntries(
    Object.entries(fields).map(([name, [id, type, rule]]) => [
      name,
      rule ? { id, type, rule } : { id, type },
    ]),
  ),
});

/** By name. */
export const OTLP_MESSAGES = {
  ExportLogsServiceRequest: message({ resourceLogs: [1, 'ResourceLogs', 'repeated'] }),
  ResourceLogs: message({ resource: [1, 'Resource'], scopeLogs: [2, 'ScopeLogs', 'repeated'] }),
  Resource: message({ attributes: [1, 'KeyValue', 'repeated'] }),
  ScopeLogs: message({ scope: [1, 'Scope'], logRecords: [2, 'LogRecord', 'repeated'] }),
  /** A request whose records are read one by one: each may be something else. */
  RequestOfBytes: message({ resourceLogs: [1, 'ResourceLogsOfBytes', 'repeated'] }),
  ResourceLogsOfBytes: message({
    resource: [1, 'Resource'],
    scopeLogs: [2, 'ScopeLogsOfBytes', 'repeated'],
  }),
  ScopeLogsOfBytes: message({ scope: [1, 'Scope'], logRecords: [2, 'bytes', 'repeated'] }),
  Scope: message({
    name: [1, 'string'],
    version: [2, 'string'],
    attributes: [3, 'KeyValue', 'repeated'],
    droppedAttributesCount: [4, 'uint32'],
  }),
  LogRecord: message({
    timeUnixNano: [1, 'fixed64'],
    severityNumber: [2, 'int32'],
    severityText: [3, 'string'],
    body: [5, 'AnyValue'],
    attributes: [6, 'KeyValue', 'repeated'],
    droppedAttributesCount: [7, 'uint32'],
    flags: [8, 'fixed32'],
    traceId: [9, 'bytes'],
    spanId: [10, 'bytes'],
    observedTimeUnixNano: [11, 'fixed64'],
    eventName: [12, 'string'],
  }),
  KeyValue: message({ key: [1, 'string'], value: [2, 'AnyValue'] }),
  AnyValue: {
    oneofs: {
      value: {
        oneof: [
          'stringValue',
          'boolValue',
          'intValue',
          'doubleValue',
          'arrayValue',
          'kvlistValue',
          'bytesValue',
        ],
      },
    },
    ...message({
      stringValue: [1, 'string'],
      boolValue: [2, 'bool'],
      intValue: [3, 'int64'],
      doubleValue: [4, 'double'],
      arrayValue: [5, 'ArrayValue'],
      kvlistValue: [6, 'KeyValueList'],
      bytesValue: [7, 'bytes'],
    }),
  },
  ArrayValue: message({ values: [1, 'AnyValue', 'repeated'] }),
  KeyValueList: message({ values: [1, 'KeyValue', 'repeated'] }),
  ExportLogsServiceResponse: message({ partialSuccess: [1, 'ExportLogsPartialSuccess'] }),
  ExportLogsPartialSuccess: message({
    rejectedLogRecords: [1, 'int64'],
    errorMessage: [2, 'string'],
  }),
  /** Of a refusal: `google.rpc.Status`, whose code OTLP leaves out. */
  Status: message({ message: [2, 'string'] }),
};

let root: protobuf.Root | undefined;

/** Loaded with the first such request: most servers never get one. */
function library(): typeof protobuf {
  return createRequire(import.meta.url)('protobufjs');
}

function typeOf(name: OtlpMessage): protobuf.Type {
  root ??= library().Root.fromJSON({ nested: OTLP_MESSAGES });
  return root.lookupType(name);
}

/** Reads texts as they come: generated code calls what throws for one that isn't UTF-8. */
function lenientReader(body: Uint8Array): protobuf.Reader {
  const reader: protobuf.Reader = library().Reader.create(body);
  return Object.assign(reader, { stringVerify: reader.string });
}

export type OtlpMessage = keyof typeof OTLP_MESSAGES;

/**
 * Decodes a request in protobuf, or another message of it, into the shape that its JSON form has (identifiers as hexadecimal digits). What
 * isn't UTF-8 in a text becomes U+FFFD, as in JSON: one line isn't the end of all beside it.
 * @throws an error when the bytes are no such message, are cut short, or are nested too deep.
 */
export function decodeOtlp(body: Uint8Array, name: OtlpMessage = 'ExportLogsServiceRequest'): unknown {
  const type = typeOf(name);
  const reader = lenientReader(body);
  return type.toObject(type.decode(reader), { longs: String, json: true });
}

/** Encodes why a request is refused, as senders of protobuf want it (OTLP/HTTP: "Failures"). */
export function encodeOtlpStatus(sentence: string): Buffer {
  return Buffer.from(typeOf('Status').encode({ message: sentence }).finish());
}

/** What of a request wasn't taken: ExportLogsPartialSuccess. */
interface PartialSuccess {
  readonly count: number;
  readonly reason: string;
}

/** An ExportLogsServiceResponse (OTLP/HTTP: "Full Success", "Partial Success"): without a partial success it has no bytes at all. */
export function encodeOtlpResponse(rejected: PartialSuccess | undefined): Buffer {
  if (!rejected) return Buffer.alloc(0);
  const type = typeOf('ExportLogsServiceResponse');
  return Buffer.from(type.encode(type.fromObject(responseOf(rejected))).finish());
}

/** The same as JSON. */
export function otlpResponseJson(rejected: PartialSuccess | undefined): string {
  return JSON.stringify(rejected ? responseOf(rejected) : {});
}

/** As JSON has it: 64-bit integers are texts there. */
function responseOf({ count, reason }: PartialSuccess): object {
  return { partialSuccess: { rejectedLogRecords: String(count), errorMessage: reason } };
}

/** Encodes a request, for tests and measurements. */
export function encodeOtlpLogs(value: Record<string, unknown>): Uint8Array {
  const type = typeOf('ExportLogsServiceRequest');
  return type.encode(type.fromObject(value)).finish();
}
