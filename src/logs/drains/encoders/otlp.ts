/** OTLP/HTTP logs in JSON and in protobuf (OpenTelemetry protocol specification 1.x, "OTLP/HTTP" and "Partial Success"). */
import { isJsonObject, scalarNumber, scalarText } from '../../../common/json-object.ts';
import { formatCount } from '../../../common/text/format-numbers.ts';
import type { LogLevel } from '../../syslog/level.ts';
import type { LogRecord } from '../../syslog/record.ts';
import { encodedLines, type HttpFormat } from '../http-format.ts';
import { OutletError } from '../outlet.ts';
import { parseAnswer } from './answer-json.ts';
import {
  type LineFrame,
  type LinePieces,
  type LineTemplate,
  noticeLines,
  rememberedByLine,
  toUnixNanoseconds,
} from './line-template.ts';
import { otlpSeverityNumber, resourceAttributes, resourceKey } from './otlp-fields.ts';
import {
  decodeRejectedRecords,
  otlpProtobufFrame,
  otlpProtobufGroup,
  otlpProtobufTemplate,
} from './otlp-protobuf.ts';
import { type RestoredRecord, restoredRecord, scopeKey } from './otlp-restored.ts';
import { type BodyFrame, type GroupFrame, linesMemory, TemplateEncoder } from './wasm/wasm-lines.ts';

/** How lines are encoded: what is around the lines, around those of a resource, and around all. */
interface OtlpEncoding {
  readonly template: LineTemplate;
  readonly frame: (observedAtMs: number) => LineFrame;
  readonly group: GroupFrame;
  readonly body: BodyFrame;
}

/** @param encoding of requests and responses. */
export function otlpFormat(app: string, version: string, encoding: 'json' | 'protobuf'): HttpFormat {
  const {
    template,
    frame,
    group: around,
    body,
  } = encoding === 'json' ? jsonEncoding(app, version) : protobufEncoding(app, version);
  // One resource for each source, dyno and host, and of each scope.
  const group = (line: LogRecord) => resourceKey(line) + scopeKey(line);
  const encoder = new TemplateEncoder({ ...template, restoresOtlp: true, group });
  return {
    contentType: encoding === 'json' ? 'application/json' : 'application/x-protobuf',
    shipmentBytesMax: 262_144,
    memory: linesMemory,
    responseBytesMax: 1_048_576,
    path: (url) => (url.pathname === '/' ? '/v1/logs' : url.pathname) + url.search,
    encode(shipment, notice, pool) {
      // Not the time of sending: a retry is the same request.
      const ofLine = frame(shipment.storedAtMs);
      return encodedLines(
        encoder.encode(shipment, ofLine, body, pool, noticeLines(notice), around),
        shipment,
        notice,
      );
    },
    checkResponse(body, shipment) {
      const { count, message } =
        encoding === 'json' ? parseRejectedRecords(body) : decodeRejectedRecords(body);
      if (!(count > 0)) return;
      throw new OutletError(
        `the destination rejected ${formatCount(Math.ceil(count), 'line')}${message && `: ${message}`}`,
        {
          isPermanent: true,
          refusedLines: { count: Math.min(Math.ceil(count), shipment.count) },
        },
      );
    },
  };
}

function protobufEncoding(app: string, version: string): OtlpEncoding {
  return {
    template: otlpProtobufTemplate(),
    frame: otlpProtobufFrame,
    group: otlpProtobufGroup(app, version),
    body: {},
  };
}

function jsonEncoding(app: string, version: string): OtlpEncoding {
  return {
    template: {
      time: 'nanoseconds',
      isJson: true,
      messageFirst: true,
      pieces: jsonPieces,
      encode: encodeRestored,
    },
    frame: (observedAtMs) => ({
      head: '{"timeUnixNano":"',
      mid: `","observedTimeUnixNano":"${observedAtMs}000000","severityNumber":`,
      tail: ',',
    }),
    group: {
      head: rememberedByLine((line) => {
        const attributes = resourceAttributes(line, app).map(([key, value]) => attribute(key, value));
        const scope = jsonScope(line, version);
        return Buffer.from(
          `{"resource":${JSON.stringify({ attributes })},"scopeLogs":[{"scope":${JSON.stringify(scope)},"logRecords":[`,
        );
      }),
      tail: Buffer.from(']}]}'),
    },
    body: { head: '{"resourceLogs":[', separated: true, tail: ']}' },
  };
}

function jsonPieces({ priority, msgid, structuredData }: LogRecord, level: LogLevel): LinePieces {
  const attributes = JSON.stringify([
    { key: 'syslog.facility', value: { intValue: String(priority >> 3) } },
    ...(msgid === '-' ? [] : [attribute('syslog.msgid', msgid)]),
  ]).slice(0, -1);
  const c1 = `${otlpSeverityNumber(priority, level)},"severityText":"${level}","body":{"stringValue":"`;
  const c2 = `"},"attributes":${attributes}`;
  return structuredData === '-'
    ? { c1, c2: `${c2}]}` }
    : { c1, c2: `${c2},{"key":"syslog.structured_data","value":{"stringValue":"`, c3: '"}}]}' };
}

/** Of a line that came as OTLP, its own. */
function jsonScope(line: LogRecord, version: string) {
  const own = restoredRecord(line)?.scope;
  if (!own) return { name: 'tailrace', version };
  return {
    name: own.name,
    version: own.version,
    ...(own.attributes.length === 0
      ? {}
      : { attributes: own.attributes.map(([key, value]) => attribute(key, value)) }),
    ...(own.droppedAttributesCount === 0 ? {} : { droppedAttributesCount: own.droppedAttributesCount }),
  };
}

/** A line that came as OTLP, with the fields that it had. */
function encodeRestored(line: LogRecord, _level: LogLevel, frame: LineFrame): Buffer | undefined {
  const restored = restoredRecord(line);
  if (!restored) return undefined;
  const { head = '', mid = '', tail = '' } = frame;
  const { severityNumber, severityText } = restored;
  const rest = JSON.stringify({
    severityText,
    body: { stringValue: line.message },
    attributes: restored.attributes.map(([key, value]) => attribute(key, value)),
    ...restoredFields(restored),
  });
  return Buffer.from(
    `${head}${toUnixNanoseconds(line.timestamp)}${mid}${severityNumber},${rest.slice(1)}${tail}`,
  );
}

/** Those that are there. */
function restoredFields(restored: RestoredRecord): Partial<RestoredRecord> {
  const { droppedAttributesCount, flags, traceId, spanId, eventName } = restored;
  const fields = { droppedAttributesCount, flags, traceId, spanId, eventName };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => Boolean(value)));
}

function attribute(key: string, value: string) {
  return { key, value: { stringValue: value } };
}

function parseRejectedRecords(body: Buffer): { count: number; message: string } {
  // An empty body is a full success as well.
  const partial = member(parseAnswer(body), 'partialSuccess', 'partial_success');
  return {
    count: scalarNumber(member(partial, 'rejectedLogRecords', 'rejected_log_records') ?? 0),
    message: scalarText(member(partial, 'errorMessage', 'error_message')) ?? '',
  };
}

/** A field by its name in JSON, or by the one in the .proto file, which servers may write as well. */
function member(value: unknown, ...names: string[]): unknown {
  if (!isJsonObject(value)) return undefined;
  const name = names.find((one) => Object.hasOwn(value, one));
  return name === undefined ? undefined : value[name];
}
