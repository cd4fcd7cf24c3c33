/**
 * The fields of a stored record: of the line under a cursor (batch.ts), or read out of it as text. A record is complete, whatever its
 * sender left out: the batch builder has filled it in.
 */
import type { RecordCursor } from './batch.ts';
import {
  LEVEL_SEARCHED_MAX,
  type LogLevel,
  leadingLevel,
  logLevelOf,
  messageLevel,
  severityLevel,
} from './level.ts';

const SPACE = 0x20;
const ZERO = 0x30;
const GREATER_THAN = 0x3e;

/** One line as text, field by field (RFC 5424 section 6). */
export interface LogRecord {
  /** RFC 3339, as the sender wrote it. */
  readonly timestamp: string;
  /** PRIVAL: facility * 8 + severity. */
  readonly priority: number;
  readonly hostname: string;
  /** APP-NAME: the name of the token that the line came with. */
  readonly source: string;
  /** PROCID. */
  readonly dyno: string;
  /** `-` when there is none. */
  readonly msgid: string;
  /** `-` when there is none. */
  readonly structuredData: string;
  readonly message: string;
}

/** One line as JSON, as tails and drains write it. */
export interface LogRecordJson {
  readonly timestamp: string;
  /** RFC 5424 section 6.2.1: facility 0 to 23, severity 0 (emergency) to 7 (debug). */
  readonly facility: number;
  readonly severity: number;
  /** From the severity or, where that says nothing, from the message. */
  readonly level: LogLevel;
  readonly hostname: string;
  readonly app?: string;
  readonly source: string;
  readonly dyno: string;
  readonly msgid?: string;
  readonly structured_data?: string;
  readonly message: string;
}

/** All fields of the line under the cursor. */
export function readRecord(line: RecordCursor, bytes: Buffer): LogRecord {
  const sourceEnd = headerFieldEnd(bytes, line.sourceStart, line.msgidStart);
  const msgidEnd = headerFieldEnd(bytes, line.msgidStart, line.messageStart);
  return {
    timestamp: bytes.toString('latin1', lineTimeStart(line, bytes), line.hostStart - 1),
    priority: linePriority(line, bytes),
    hostname: bytes.toString('utf8', line.hostStart, line.sourceStart - 1),
    source: bytes.toString('utf8', line.sourceStart, sourceEnd),
    dyno: bytes.toString('utf8', sourceEnd + 1, line.msgidStart - 1),
    msgid: bytes.toString('utf8', line.msgidStart, msgidEnd),
    structuredData: bytes.toString('utf8', msgidEnd + 1, line.messageStart - 1),
    message: bytes.toString('utf8', line.messageStart, line.textEnd),
  };
}

/** A warning of the platform itself, as Logplex writes its own (`heroku[logplex]`, local5). */
export function platformRecord(timestamp: string, message: string): LogRecord {
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

/** The level of a record; see {@link logLevelOf}. */
export function recordLevel({ priority, message }: LogRecord): LogLevel {
  return logLevelOf(priority & 7, message);
}

/** A record for JSON; fields without a value are left out, and so is `app` when none is given. */
export function toRecordJson(record: LogRecord, level: LogLevel, app?: string): LogRecordJson {
  const { priority, msgid, structuredData } = record;
  return {
    timestamp: record.timestamp,
    facility: priority >> 3,
    severity: priority & 7,
    level,
    hostname: record.hostname,
    ...(app === undefined ? {} : { app }),
    source: record.source,
    dyno: record.dyno,
    ...(msgid === '-' ? {} : { msgid }),
    ...(structuredData === '-' ? {} : { structured_data: structuredData }),
    message: record.message,
  };
}

/** PRIVAL of the line under the cursor. */
export function linePriority(line: RecordCursor, bytes: Uint8Array): number {
  let i = line.textStart + 1;
  let priority = bytes[i] - ZERO;
  while (bytes[++i] !== GREATER_THAN) priority = priority * 10 + bytes[i] - ZERO;
  return priority;
}

/** The level of the line under the cursor; see {@link logLevelOf}. */
export function lineLevel(line: RecordCursor, bytes: Buffer): LogLevel {
  const level = severityLevel(linePriority(line, bytes) & 7);
  if (level) return level;
  const leading = leadingLevel(bytes, line.messageStart, line.textEnd);
  if (leading) return leading;
  const end = Math.min(line.textEnd, line.messageStart + LEVEL_SEARCHED_MAX);
  return messageLevel(bytes.toString('latin1', line.messageStart, end)) ?? 'info';
}

/** The dyno (PROCID) of the line under the cursor. */
export function lineDyno(line: RecordCursor, bytes: Buffer): string {
  const sourceEnd = headerFieldEnd(bytes, line.sourceStart, line.msgidStart);
  return bytes.toString('utf8', sourceEnd + 1, line.msgidStart - 1);
}

/** Where the timestamp of the line under the cursor starts: after `<PRI>1 `, whose shortest form has four bytes and a space. */
export function lineTimeStart(line: RecordCursor, bytes: Uint8Array): number {
  return headerFieldEnd(bytes, line.textStart + 3, line.hostStart) + 1;
}

/** Where the header field that starts at `start` ends: at the next space, or at `limit`. */
export function headerFieldEnd(bytes: Uint8Array, start: number, limit: number): number {
  let i = start;
  while (i < limit && bytes[i] !== SPACE) i++;
  return i;
}
