/** OTLP/HTTP logs in JSON and in protobuf (OpenTelemetry protocol specification 1.x, "OTLP/HTTP" and "Partial Success"). */
import { type LogRecord, recordLevel } from '../../syslog/record.ts';
import { encodedLines, type HttpFormat } from '../http-format.ts';
import { OutletError } from '../outlet.ts';
import { decodeRejectedRecords, encodeOtlpProtobuf, type OtlpRequest } from './otlp-protobuf.ts';
import { readRecords, toUnixNanoseconds } from './shipment-records.ts';

/** SeverityNumber for each severity of RFC 5424, from emergency to debug (logs data model, appendix B). */
const SEVERITY_NUMBERS = [21, 19, 18, 17, 13, 10, 9, 5];
/** For lines whose level is in the message. */
const SEVERITY_NUMBER_BY_LEVEL = { error: 17, warn: 13, info: 9, debug: 5 };

/** @param encoding of requests and responses. */
export function otlpFormat(app: string, version: string, encoding: 'json' | 'protobuf'): HttpFormat {
  return {
    contentType: encoding === 'json' ? 'application/json' : 'application/x-protobuf',
    shipmentBytesMax: 262_144,
    responseBytesMax: 16_384,
    path: (url) => (url.pathname === '/' ? '/v1/logs' : url.pathname) + url.search,
    encode(shipment, notice) {
      const exportRequest = toExportRequest(readRecords(shipment, notice), app, version, shipment.storedAtMs);
      const body =
        encoding === 'json'
          ? Buffer.from(JSON.stringify(exportRequest))
          : encodeOtlpProtobuf(exportRequest, shipment.byteLength * 2);
      return encodedLines(body, shipment, notice);
    },
    checkResponse(body, shipment) {
      const { count, message } =
        encoding === 'json' ? parseRejectedRecords(body) : decodeRejectedRecords(body);
      if (!(count > 0)) return;
      throw new OutletError(`the destination rejected ${count} lines: ${message}`, {
        isPermanent: true,
        refusedLines: { count: Math.min(count, shipment.count) },
      });
    },
  };
}

interface OtlpResponse {
  readonly partialSuccess?: {
    readonly rejectedLogRecords?: string | number;
    readonly errorMessage?: string;
  };
}

function parseRejectedRecords(body: Buffer): { count: number; message: string } {
  const { partialSuccess } = parseResponse(body.toString());
  return {
    count: Number(partialSuccess?.rejectedLogRecords ?? 0),
    message: partialSuccess?.errorMessage ?? '',
  };
}

function parseResponse(text: string): OtlpResponse {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {}; // an empty body is a full success as well
  }
}

/** One resource for each source, dyno and host, in the order of their first lines. */
function toExportRequest(
  lines: readonly LogRecord[],
  app: string,
  version: string,
  storedAtMs: number,
): OtlpRequest {
  const groups = new Map<string, LogRecord[]>();
  for (const line of lines) {
    const key = `${line.source} ${line.dyno} ${line.hostname}`;
    const group = groups.get(key);
    if (group) group.push(line);
    else groups.set(key, [line]);
  }
  return {
    resourceLogs: [...groups.values()].map((group) => ({
      resource: {
        attributes: [
          attribute('service.name', app),
          attribute('service.instance.id', group[0].dyno),
          attribute('host.name', group[0].hostname),
          attribute('tailrace.source', group[0].source),
        ],
      },
      scopeLogs: [
        {
          scope: { name: 'tailrace', version },
          logRecords: group.map((line) => toOtlpLogRecord(line, storedAtMs)),
        },
      ],
    })),
  };
}

function toOtlpLogRecord(line: LogRecord, storedAtMs: number) {
  const { priority, timestamp, message, msgid, structuredData } = line;
  const severity = priority & 7;
  const level = recordLevel(line);
  return {
    timeUnixNano: toUnixNanoseconds(timestamp),
    // Not the time of sending: a retry is the same request.
    observedTimeUnixNano: `${storedAtMs}000000`,
    severityNumber:
      severity === 5 || severity === 6 ? SEVERITY_NUMBER_BY_LEVEL[level] : SEVERITY_NUMBERS[severity],
    severityText: level,
    body: { stringValue: message },
    attributes: [
      { key: 'syslog.facility', value: { intValue: String(priority >> 3) } },
      ...(msgid === '-' ? [] : [attribute('syslog.msgid', msgid)]),
      ...(structuredData === '-' ? [] : [attribute('syslog.structured_data', structuredData)]),
    ],
  };
}

function attribute(key: string, value: string) {
  return { key, value: { stringValue: value } };
}
