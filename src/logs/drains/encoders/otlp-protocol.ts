/** OTLP/HTTP logs in JSON and in protobuf (OpenTelemetry protocol specification 1.x, "OTLP/HTTP" and "Partial Success"). */

import { OutletError } from '../outlet.ts';
import type { HttpProtocol } from '../protocol.ts';
import { type LineFields, levelOf, linesOf, nanoseconds } from './line-fields.ts';
import { type OtlpRequest, otlpBytes, rejectedIn } from './otlp-protobuf.ts';

/** SeverityNumber for each severity of RFC 5424, from emergency to debug (logs data model, appendix B). */
const SEVERITY = [21, 19, 18, 17, 13, 10, 9, 5];
/** For lines whose message says how serious they are. */
const BY_LEVEL = { error: 17, warn: 13, info: 9, debug: 5 };

/** @param encoding how requests are written; answers are read as they say they are. */
export function otlpProtocol(app: string, version: string, encoding: 'json' | 'protobuf'): HttpProtocol {
  return {
    contentType: encoding === 'json' ? 'application/json' : 'application/x-protobuf',
    shipmentBytes: 262_144,
    answerBytes: 16_384,
    path: (url) => (url.pathname === '/' ? '/v1/logs' : url.pathname) + url.search,
    encode(shipment, notice) {
      const wanted = request(linesOf(shipment, notice), app, version);
      return encoding === 'json'
        ? Buffer.from(JSON.stringify(wanted))
        : otlpBytes(wanted, shipment.bytes * 2);
    },
    accepted(answer, shipment) {
      const { count, message } = encoding === 'json' ? rejectedInJson(answer) : rejectedIn(answer);
      if (!(count > 0)) return;
      throw new OutletError(`the destination rejected ${count} lines: ${message}`, {
        refused: true,
        refusedLines: { count: Math.min(count, shipment.count) },
      });
    },
  };
}

interface Answer {
  readonly partialSuccess?: {
    readonly rejectedLogRecords?: string | number;
    readonly errorMessage?: string;
  };
}

function rejectedInJson(answer: Buffer): { count: number; message: string } {
  const { partialSuccess } = parse(answer.toString());
  return {
    count: Number(partialSuccess?.rejectedLogRecords ?? 0),
    message: partialSuccess?.errorMessage ?? '',
  };
}

function parse(answer: string): Answer {
  try {
    const value: unknown = JSON.parse(answer);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {}; // an empty body is a full success as well
  }
}

/** One resource for each source and dyno, in the order in which they first speak. */
function request(lines: readonly LineFields[], app: string, version: string): OtlpRequest {
  const groups = new Map<string, LineFields[]>();
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
      scopeLogs: [{ scope: { name: 'tailrace', version }, logRecords: group.map(record) }],
    })),
  };
}

function record(line: LineFields) {
  const { priority, timestamp, message, msgid, structuredData } = line;
  const severity = priority & 7;
  const level = levelOf(line);
  return {
    timeUnixNano: nanoseconds(timestamp),
    observedTimeUnixNano: `${Date.now()}000000`,
    severityNumber: severity === 5 || severity === 6 ? BY_LEVEL[level] : SEVERITY[severity],
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
