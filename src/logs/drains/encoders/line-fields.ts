/** The lines of a shipment as fields, for receivers that don't speak syslog. */
import { RecordCursor } from '../../syslog/batch.ts';
import { type Level, levelOf as levelOfMessage } from '../../syslog/level.ts';
import { priorityOf } from '../filter/selection.ts';
import type { LossNotice } from '../outlet.ts';
import type { Shipment } from '../shipment.ts';

export interface LineFields {
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
export function linesOf(shipment: Shipment, notice?: LossNotice): LineFields[] {
  const lines: LineFields[] = notice ? [noticeLine(notice)] : [];
  for (const { batch, start, end } of shipment.parts) {
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    const cursor = new RecordCursor(bytes, start, end);
    while (cursor.advance()) lines.push(fieldsOf(cursor, bytes));
  }
  return lines;
}

function fieldsOf(line: RecordCursor, bytes: Buffer): LineFields {
  const { textStart, hostStart, sourceStart, msgidStart, messageStart, textEnd } = line;
  const timeStart = bytes.indexOf(0x20, textStart) + 1;
  const sourceEnd = bytes.indexOf(0x20, sourceStart);
  const msgidEnd = bytes.indexOf(0x20, msgidStart);
  return {
    timestamp: bytes.toString('latin1', timeStart, hostStart - 1),
    priority: priorityOf(line, bytes),
    hostname: bytes.toString('utf8', hostStart, sourceStart - 1),
    source: bytes.toString('utf8', sourceStart, sourceEnd),
    dyno: bytes.toString('utf8', sourceEnd + 1, msgidStart - 1),
    msgid: bytes.toString('utf8', msgidStart, msgidEnd),
    structuredData: bytes.toString('utf8', msgidEnd + 1, messageStart - 1),
    message: bytes.toString('utf8', messageStart, textEnd),
  };
}

/** L10 as a line: local5.warning. */
function noticeLine({ timestamp, message }: LossNotice): LineFields {
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
export function levelOf({ priority, message }: LineFields): Level {
  return levelOfMessage(priority & 7, message);
}

/** A line as an object for JSON, with the app's name; the names are those of the tails' JSON. */
export function asJson(line: LineFields, app: string): Record<string, unknown> {
  const { priority, msgid, structuredData } = line;
  return {
    timestamp: line.timestamp,
    facility: priority >> 3,
    severity: priority & 7,
    level: levelOf(line),
    hostname: line.hostname,
    app,
    source: line.source,
    dyno: line.dyno,
    ...(msgid === '-' ? {} : { msgid }),
    ...(structuredData === '-' ? {} : { structured_data: structuredData }),
    message: line.message,
  };
}

/** An RFC 3339 time as nanoseconds since 1970, in decimal digits. */
export function nanoseconds(timestamp: string): string {
  const ms = Date.parse(timestamp);
  if (Number.isNaN(ms)) return `${Date.now()}000000`;
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  // Whole seconds, then up to nine digits: a double can't hold all of them.
  return `${Math.floor(ms / 1_000)}${fraction.padEnd(9, '0').slice(0, 9)}`;
}
