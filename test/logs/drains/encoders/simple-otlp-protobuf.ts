/** OTLP's logs as protobuf, written from back to front: what drains' encoder is compared with. */
import { ProtobufWriter } from './protobuf-writer.ts';

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly intValue: string };
}

interface OtlpLogRecord {
  readonly timeUnixNano: string;
  readonly observedTimeUnixNano: string;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: { readonly stringValue: string };
  readonly attributes: readonly Attribute[];
  readonly droppedAttributesCount?: number;
  readonly flags?: number;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly eventName?: string;
}

/** ExportLogsServiceRequest as its JSON form has it. */
export interface OtlpRequest {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeLogs: readonly {
      readonly scope: {
        readonly name: string;
        readonly version: string;
        readonly attributes?: readonly Attribute[];
        readonly droppedAttributesCount?: number;
      };
      readonly logRecords: readonly OtlpLogRecord[];
    }[];
  }[];
}

/** @param sizeHint bytes that are mostly enough. */
export function encodeOtlpProtobuf({ resourceLogs }: OtlpRequest, sizeHint: number): Buffer {
  const writer = new ProtobufWriter(sizeHint);
  forEachReversed(resourceLogs, ({ resource, scopeLogs }) =>
    writer.message(1, () => {
      forEachReversed(scopeLogs, ({ scope, logRecords }) =>
        writer.message(2, () => {
          forEachReversed(logRecords, (record) => writer.message(2, () => writeLogRecord(writer, record)));
          writer.message(1, () => {
            if (scope.droppedAttributesCount) writer.uint32(4, scope.droppedAttributesCount);
            writeAttributes(writer, 3, scope.attributes ?? []);
            writer.string(2, scope.version);
            writer.string(1, scope.name);
          });
        }),
      );
      writer.message(1, () => writeAttributes(writer, 1, resource.attributes));
    }),
  );
  return writer.finish();
}

function writeLogRecord(writer: ProtobufWriter, record: OtlpLogRecord): void {
  if (record.eventName) writer.string(12, record.eventName);
  writer.fixed64(11, BigInt(record.observedTimeUnixNano));
  if (record.spanId) writer.binary(10, Buffer.from(record.spanId, 'hex'));
  if (record.traceId) writer.binary(9, Buffer.from(record.traceId, 'hex'));
  if (record.flags) writer.fixed32(8, record.flags);
  if (record.droppedAttributesCount) writer.uint32(7, record.droppedAttributesCount);
  writeAttributes(writer, 6, record.attributes);
  writer.message(5, () => writer.string(1, record.body.stringValue));
  writer.string(3, record.severityText);
  writer.uint32(2, record.severityNumber);
  writer.fixed64(1, BigInt(record.timeUnixNano));
}

function writeAttributes(writer: ProtobufWriter, field: number, attributes: readonly Attribute[]): void {
  forEachReversed(attributes, ({ key, value }) =>
    writer.message(field, () => {
      writer.message(2, () => {
        if ('intValue' in value) writer.uint32(3, Number(value.intValue));
        else writer.string(1, value.stringValue);
      });
      writer.string(1, key);
    }),
  );
}

function forEachReversed<T>(list: readonly T[], each: (one: T) => void): void {
  for (let i = list.length - 1; i >= 0; i--) each(list[i]);
}
