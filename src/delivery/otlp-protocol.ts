/** OTLP/HTTP logs in JSON (OpenTelemetry protocol specification 1.x, "OTLP/HTTP" and "Partial Success"). */
import { type LineFields, levelOf, linesOf, nanoseconds } from './line-fields.ts';
import { OutletError } from './outlet.ts';
import type { HttpProtocol } from './protocol.ts';

/** SeverityNumber for each severity of RFC 5424, from emergency to debug (logs data model, appendix B). */
const SEVERITY = [21, 19, 18, 17, 13, 10, 9, 5];

export function otlpProtocol(app: string, version: string): HttpProtocol {
  return {
    contentType: 'application/json',
    shipmentBytes: 262_144,
    answerBytes: 16_384,
    path: (url) => (url.pathname === '/' ? '/v1/logs' : url.pathname) + url.search,
    encode: (shipment, notice) =>
      Buffer.from(JSON.stringify(request(linesOf(shipment, notice), app, version))),
    accepted(answer, shipment) {
      const { partialSuccess } = parse(answer);
      const rejected = Number(partialSuccess?.rejectedLogRecords ?? 0);
      if (!(rejected > 0)) return;
      throw new OutletError(
        `the destination rejected ${rejected} lines: ${partialSuccess?.errorMessage ?? ''}`,
        {
          refused: true,
          refusedLines: { count: Math.min(rejected, shipment.count) },
        },
      );
    },
  };
}

interface Answer {
  readonly partialSuccess?: {
    readonly rejectedLogRecords?: string | number;
    readonly errorMessage?: string;
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
function request(lines: readonly LineFields[], app: string, version: string) {
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
  return {
    timeUnixNano: nanoseconds(timestamp),
    observedTimeUnixNano: `${Date.now()}000000`,
    severityNumber: SEVERITY[priority & 7],
    severityText: levelOf(line),
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
