/** What drains' formats are, in the plainest way: records as objects, and `JSON.stringify`. The encoders are held to these. */
import type { LossNotice } from '../../../../src/logs/drains/outlet.ts';
import { frameId, type Shipment } from '../../../../src/logs/drains/shipment.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import {
  type LogRecord,
  lineTimeStart,
  platformRecord,
  readRecord,
  recordLevel,
  toRecordJson,
} from '../../../../src/logs/syslog/record.ts';
import { formatTimestamp, isReadableTimestamp } from '../../../../src/logs/syslog/timestamp.ts';
import { encodeOtlpProtobuf } from './simple-otlp-protobuf.ts';

type Encode = (shipment: Shipment, notice: LossNotice | undefined) => Buffer;

export const SIMPLE_FORMATS: Readonly<Record<string, (app: string) => Encode>> = {
  'json lines': (app) => (shipment, notice) => frameAll(recordTexts(shipment, notice, app), 'newline'),
  'json in octets': (app) => (shipment, notice) => frameAll(recordTexts(shipment, notice, app), 'octet'),
  webhook: (app) => (shipment, notice) => Buffer.from(`[${recordTexts(shipment, notice, app).join(',')}]`),
  'rfc5424 in octets': () => (shipment, notice) =>
    frameAll(readRecords(shipment, notice).map(formatRfc5424), 'octet'),
  'rfc5424 in newlines': () => (shipment, notice) =>
    frameAll(
      readRecords(shipment, notice).map((line) => formatRfc5424({ ...line, hostname: 'd.1' })),
      'newline',
    ),
  'rfc5424 over HTTP': () => (shipment, notice) =>
    frameAll(readRecords(shipment, notice).flatMap(splitMessage).map(formatRfc5424), 'octet'),
  loki: (app) => (shipment, notice) => Buffer.from(JSON.stringify(lokiPush(shipment, notice, app))),
  elasticsearch: (app) => (shipment, notice) => {
    const batchId = frameId('d.1', shipment.first, shipment.last);
    const from = notice ? -1 : 0;
    return Buffer.from(
      readRecords(shipment, notice)
        .map((line, i) => {
          const id = from + i < 0 ? `${batchId}-notice-${notice?.count}` : `${batchId}-${from + i}`;
          return `${JSON.stringify({ create: { _index: 'logs', _id: id } })}\n${JSON.stringify(toEcsDocument(line, app))}\n`;
        })
        .join(''),
    );
  },
  'otlp json': (app) => (shipment, notice) =>
    Buffer.from(
      JSON.stringify(toExportRequest(readRecords(shipment, notice), app, '1', shipment.storedAtMs)),
    ),
  'otlp protobuf': (app) => (shipment, notice) =>
    encodeOtlpProtobuf(toExportRequest(readRecords(shipment, notice), app, '1', shipment.storedAtMs), 1_000),
};

function recordTexts(shipment: Shipment, notice: LossNotice | undefined, app: string): string[] {
  return readRecords(shipment, notice).map((line) =>
    JSON.stringify(toRecordJson(line, recordLevel(line), app)),
  );
}

function lokiPush(shipment: Shipment, notice: LossNotice | undefined, app: string) {
  const streams = new Map<string, { stream: Record<string, string>; values: [string, string][] }>();
  for (const line of readRecords(shipment, notice)) {
    const { source, dyno, timestamp, message } = line;
    const stream = { job: 'tailrace', app, source, dyno, level: recordLevel(line) };
    const key = JSON.stringify(stream);
    const entry = streams.get(key) ?? { stream, values: [] as [string, string][] };
    streams.set(key, entry);
    entry.values.push([toUnixNanoseconds(timestamp), message]);
  }
  return { streams: [...streams.values()] };
}

/** All lines of a shipment, the notice of a loss in front when there is one. */
function readRecords(shipment: Shipment, notice?: LossNotice): LogRecord[] {
  const records: LogRecord[] = notice ? [platformRecord(notice.timestamp, notice.message)] : [];
  for (const { batch, start, end } of shipment.slices) {
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    const cursor = new RecordCursor(bytes, start, end);
    while (cursor.advance()) {
      const record = readRecord(cursor, bytes);
      const isReadable = isReadableTimestamp(bytes, lineTimeStart(cursor, bytes), cursor.hostStart - 1);
      // Of an older version's line: destinations would refuse it.
      records.push(isReadable ? record : { ...record, timestamp: formatTimestamp(batch.storedAtMs) });
    }
  }
  return records;
}

/** An RFC 3339 time as nanoseconds since 1970, in decimal digits. */
function toUnixNanoseconds(timestamp: string): string {
  const ms = Date.parse(timestamp);
  if (Number.isNaN(ms)) return `${Date.now()}000000`;
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  // Whole seconds, then up to nine digits: a double can't hold all of them.
  return `${Math.floor(ms / 1_000)}${fraction.padEnd(9, '0').slice(0, 9)}`;
}

function formatRfc5424(line: LogRecord): string {
  const { priority, structuredData, message } = line;
  // TIME-SECFRAC has six digits at the most.
  const timestamp = line.timestamp.replace(/(\.\d{6})\d+/, '$1');
  const host = printable(line.hostname, 255);
  const source = printable(line.source, 48);
  const dyno = printable(line.dyno, 128);
  const msgid = printable(line.msgid, 32);
  const text = message === '' ? '' : ` ${message}`;
  return `<${priority}>1 ${timestamp} ${host} ${source} ${dyno} ${msgid} ${structuredData}${text}`;
}

/** PRINTUSASCII of RFC 5424 section 6, truncated; a NILVALUE when nothing is left. */
function printable(text: string, length: number): string {
  return text.replace(/[^\x21-\x7e]/g, '?').slice(0, length) || '-';
}

function frameAll(lines: readonly string[], framing: 'octet' | 'newline'): Buffer {
  if (framing === 'octet')
    return Buffer.from(lines.map((line) => `${Buffer.byteLength(line)} ${line}`).join(''));
  // A newline within a message would end it: escaped as rsyslog does (RFC 6587 section 3.4.2 leaves it open).
  return Buffer.from(lines.map((line) => `${line.replace(/\n/g, '#012')}\n`).join(''));
}

/** A record for each line of a message; the first has the structured data. */
function splitMessage(record: LogRecord): LogRecord[] {
  if (!record.message.includes('\n')) return [record];
  return record.message.split('\n').map((message, i) => ({
    ...record,
    structuredData: i === 0 ? record.structuredData : '-',
    message,
  }));
}

/** A line as a document of the Elastic Common Schema. */
function toEcsDocument(line: LogRecord, app: string) {
  const { timestamp, priority, hostname, source, dyno, msgid, structuredData, message } = line;
  return {
    '@timestamp': timestamp,
    message,
    log: {
      level: recordLevel(line),
      syslog: {
        priority,
        facility: { code: priority >> 3 },
        severity: { code: priority & 7 },
        appname: source,
        procid: dyno,
        ...(msgid === '-' ? {} : { msgid }),
        ...(structuredData === '-' ? {} : { structured_data: structuredData }),
      },
    },
    service: { name: app, node: { name: dyno } },
    host: { hostname },
    event: { dataset: source },
  };
}

/** SeverityNumber for each severity of RFC 5424, from emergency to debug (logs data model, appendix B). */
const SEVERITY_NUMBERS = [21, 19, 18, 17, 13, 10, 9, 5];
/** For lines whose level is in the message. */
const SEVERITY_NUMBER_BY_LEVEL = { error: 17, warn: 13, info: 9, debug: 5 };

/** One resource for each source, dyno and host, in the order of their first lines. */
function toExportRequest(lines: readonly LogRecord[], app: string, version: string, storedAtMs: number) {
  const groups = new Map<string, LogRecord[]>();
  for (const line of lines) {
    const key = `${line.source} ${line.dyno} ${line.hostname} ${JSON.stringify(ofOtlp(line)?.scope)}`;
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
          scope: ofOtlp(group[0])?.scope ?? { name: 'tailrace', version },
          logRecords: group.map((line) => toOtlpLogRecord(line, storedAtMs)),
        },
      ],
    })),
  };
}

/** What a line that came as OTLP was there, of the parameters in its structured data. */
function ofOtlp({ structuredData, priority, msgid }: LogRecord) {
  const inner = /^\[otlp@32473((?: [^ ="\]]{1,32}="(?:\\.|[^"\\\]])*")+)\]$/s.exec(structuredData)?.[1];
  if (inner === undefined) return undefined;
  const all = [...inner.matchAll(/ ([^ ="\]]+)="((?:\\.|[^"\\\]])*)"/gs)].map(
    ([, name, value]) => [name, value.replaceAll(/\\(["\\\]])/g, '$1')] as const,
  );
  const take = (list: (readonly [string, string])[], name: string, shape: RegExp): string | undefined => {
    const at = list.findIndex(([own, value]) => own === name && shape.test(value));
    return at === -1 ? undefined : list.splice(at, 1)[0][1];
  };
  const scoped = all.flatMap(([name, value]) =>
    name.startsWith('otel.scope.') ? [[name.slice('otel.scope.'.length), value] as const] : [],
  );
  const hasScope = scoped.length > 0;
  const own = all.filter(([name]) => !name.startsWith('otel.scope.'));
  const name = take(scoped, 'name', /./s) ?? '';
  const version = take(scoped, 'version', /./s) ?? '';
  const droppedOfScope = take(scoped, 'dropped_attributes', /^[1-9]\d{0,8}$/);
  const number = take(own, 'severity_number', /^([1-9]|1\d|2[0-4])$/);
  const severityNumber = Number(number ?? SEVERITY_NUMBERS[priority & 7]);
  const texts = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
  const severityText = take(own, 'severity_text', /./s) ?? texts[Math.ceil(severityNumber / 4) - 1];
  const traceId = take(own, 'trace_id', /^[\da-f]{32}$/);
  const spanId = take(own, 'span_id', /^[\da-f]{16}$/);
  const flags = Number.parseInt(take(own, 'trace_flags', /^[\da-f]{2}$/) ?? '0', 16);
  const dropped = take(own, 'dropped_attributes_count', /^[1-9]\d{0,8}$/);
  return {
    scope: hasScope
      ? {
          name,
          version,
          ...(scoped.length > 0 ? { attributes: scoped.map(([key, value]) => attribute(key, value)) } : {}),
          ...(droppedOfScope ? { droppedAttributesCount: Number(droppedOfScope) } : {}),
        }
      : undefined,
    severityNumber,
    severityText,
    attributes: [
      ...(priority >> 3 === 23 ? [] : [attribute('syslog.facility', String(priority >> 3))]),
      ...own.map(([key, value]) => attribute(key, value)),
    ],
    others: {
      ...(dropped ? { droppedAttributesCount: Number(dropped) } : {}),
      ...(flags ? { flags } : {}),
      ...(traceId ? { traceId } : {}),
      ...(spanId ? { spanId } : {}),
      ...(msgid === '-' || msgid === '' ? {} : { eventName: msgid }),
    },
  };
}

function toOtlpLogRecord(line: LogRecord, storedAtMs: number) {
  const { priority, timestamp, message, msgid, structuredData } = line;
  const severity = priority & 7;
  const level = recordLevel(line);
  const restored = ofOtlp(line);
  if (restored)
    return {
      timeUnixNano: toUnixNanoseconds(timestamp),
      observedTimeUnixNano: `${storedAtMs}000000`,
      severityNumber: restored.severityNumber,
      severityText: restored.severityText,
      body: { stringValue: message },
      attributes: restored.attributes,
      ...restored.others,
    };
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
