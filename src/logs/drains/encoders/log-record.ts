/** The lines of a shipment as fields, for receivers that don't speak syslog. */
import { RecordCursor } from '../../syslog/batch.ts';
import { type LogLevel, logLevelOf as levelOfMessage } from '../../syslog/level.ts';
import { recordPriority } from '../filter/drain-filter.ts';
import type { LossNotice } from '../outlet.ts';
import type { Shipment } from '../shipment.ts';

export interface LogRecord {
  readonly timestamp: string;
  /** PRIVAL: facility * 8 + severity. */
  readonly priority: number;
  readonly hostname: string;
  readonly source: string;
  readonly dyno: string;
  /** `-` when there is none. */
  readonly msgid: string;
  readonly structuredData: string;
  readonly message: string;
}

/** All lines of a shipment, the notice of a loss in front when there is one. */
export function readRecords(shipment: Shipment, notice?: LossNotice): LogRecord[] {
  const records: LogRecord[] = notice ? [lossNoticeRecord(notice)] : [];
  for (const { batch, start, end } of shipment.slices) {
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    const cursor = new RecordCursor(bytes, start, end);
    while (cursor.advance()) records.push(readRecord(cursor, bytes));
  }
  return records;
}

function readRecord(line: RecordCursor, bytes: Buffer): LogRecord {
  const { textStart, hostStart, sourceStart, msgidStart, messageStart, textEnd } = line;
  const timeStart = bytes.indexOf(0x20, textStart) + 1;
  const sourceEnd = bytes.indexOf(0x20, sourceStart);
  const msgidEnd = bytes.indexOf(0x20, msgidStart);
  return {
    timestamp: bytes.toString('latin1', timeStart, hostStart - 1),
    priority: recordPriority(line, bytes),
    hostname: bytes.toString('utf8', hostStart, sourceStart - 1),
    source: bytes.toString('utf8', sourceStart, sourceEnd),
    dyno: bytes.toString('utf8', sourceEnd + 1, msgidStart - 1),
    msgid: bytes.toString('utf8', msgidStart, msgidEnd),
    structuredData: bytes.toString('utf8', msgidEnd + 1, messageStart - 1),
    message: bytes.toString('utf8', messageStart, textEnd),
  };
}

/** L10 as a line: local5.warning. */
function lossNoticeRecord({ timestamp, message }: LossNotice): LogRecord {
  return {
    timestamp,
    priority: 172,
    hostname: 'host',
    source: 'heroku',
    dyno: 'logplex',
    msgid: '-',
    structuredData: '-',
    message,
  };
}

/** How serious a line is; see `syslog/level.ts`. */
export function recordLevel({ priority, message }: LogRecord): LogLevel {
  return levelOfMessage(priority & 7, message);
}

/** A line as an object for JSON, with the app's name; the names are those of the tails' JSON. */
export function toJsonRecord(record: LogRecord, app: string): Record<string, unknown> {
  const { priority, msgid, structuredData } = record;
  return {
    timestamp: record.timestamp,
    facility: priority >> 3,
    severity: priority & 7,
    level: recordLevel(record),
    hostname: record.hostname,
    app,
    source: record.source,
    dyno: record.dyno,
    ...(msgid === '-' ? {} : { msgid }),
    ...(structuredData === '-' ? {} : { structured_data: structuredData }),
    message: record.message,
  };
}

/** An RFC 3339 time as nanoseconds since 1970, in decimal digits. */
export function toUnixNanoseconds(timestamp: string): string {
  const ms = Date.parse(timestamp);
  if (Number.isNaN(ms)) return `${Date.now()}000000`;
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  // Whole seconds, then up to nine digits: a double can't hold all of them.
  return `${Math.floor(ms / 1_000)}${fraction.padEnd(9, '0').slice(0, 9)}`;
}
