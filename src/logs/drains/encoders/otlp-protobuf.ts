/** OTLP's logs as protobuf: field numbers of OpenTelemetry's public logs.proto, common.proto, resource.proto and logs_service.proto. */
import { ProtobufWriter } from './protobuf-writer.ts';

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly intValue: string };
}

interface LogRecord {
  readonly timeUnixNano: string;
  readonly observedTimeUnixNano: string;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: { readonly stringValue: string };
  readonly attributes: readonly Attribute[];
}

/** ExportLogsServiceRequest as its JSON form has it. */
export interface OtlpRequest {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeLogs: readonly {
      readonly scope: { readonly name: string; readonly version: string };
      readonly logRecords: readonly LogRecord[];
    }[];
  }[];
}

/** @param size bytes that will mostly do. */
export function otlpBytes({ resourceLogs }: OtlpRequest, size: number): Buffer {
  const to = new ProtobufWriter(size);
  backwards(resourceLogs, ({ resource, scopeLogs }) =>
    to.message(1, () => {
      backwards(scopeLogs, ({ scope, logRecords }) =>
        to.message(2, () => {
          backwards(logRecords, (record) => to.message(2, () => putRecord(to, record)));
          to.message(1, () => {
            to.text(2, scope.version);
            to.text(1, scope.name);
          });
        }),
      );
      to.message(1, () => putAttributes(to, 1, resource.attributes));
    }),
  );
  return to.finish();
}

function putRecord(to: ProtobufWriter, record: LogRecord): void {
  to.fixed64(11, BigInt(record.observedTimeUnixNano));
  putAttributes(to, 6, record.attributes);
  to.message(5, () => to.text(1, record.body.stringValue));
  to.text(3, record.severityText);
  to.number(2, record.severityNumber);
  to.fixed64(1, BigInt(record.timeUnixNano));
}

function putAttributes(to: ProtobufWriter, field: number, attributes: readonly Attribute[]): void {
  backwards(attributes, ({ key, value }) =>
    to.message(field, () => {
      to.message(2, () => {
        if ('intValue' in value) to.number(3, Number(value.intValue));
        else to.text(1, value.stringValue);
      });
      to.text(1, key);
    }),
  );
}

function backwards<T>(list: readonly T[], each: (one: T) => void): void {
  for (let i = list.length - 1; i >= 0; i--) each(list[i]);
}

/**
 * How many records an ExportLogsServiceResponse rejects, and why: `partial_success` (1) with `rejected_log_records` (1) and
 * `error_message` (2). What can't be read rejects nothing: the request was accepted.
 */
export function rejectedIn(answer: Buffer): { count: number; message: string } {
  const partial = fieldsOf(answer).get(1);
  if (!Buffer.isBuffer(partial)) return { count: 0, message: '' };
  const fields = fieldsOf(partial);
  const [count, message] = [fields.get(1), fields.get(2)];
  return {
    count: typeof count === 'number' ? count : 0,
    message: Buffer.isBuffer(message) ? message.toString() : '',
  };
}

/** Numbers and bytes of a message, by field, as far as they can be read. */
function fieldsOf(bytes: Buffer): Map<number, number | Buffer> {
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
