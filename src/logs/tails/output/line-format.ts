import type { Sequence } from '../../store/contract.ts';
import type { RecordCursor } from '../../syslog/batch.ts';
import type { LogLevel } from '../../syslog/level.ts';
import { headerFieldEnd, lineLevel, linePriority } from '../line-filter.ts';
import { sanitize, terminalSafeJson } from './sanitize.ts';

/** How lines are written for a reader. `text` as Heroku displays them, `json` with every field. */
export type TailFormat = 'text' | 'json';

/** One line with its fields, as `json` readers get it. */
export interface LogRecordJson {
  /** Where it is in the stream: pass it as `after=` to go on behind it, as `before=` to see what was before. */
  readonly position: string;
  readonly timestamp: string;
  /** RFC 5424 section 6.2.1: facility 0 to 23, severity 0 (emergency) to 7 (debug). */
  readonly facility: number;
  readonly severity: number;
  /** From the severity or, where that says nothing, from the message. */
  readonly level: LogLevel;
  readonly hostname: string;
  readonly source: string;
  readonly dyno: string;
  readonly msgid?: string;
  readonly structured_data?: string;
  readonly message: string;
}

/** `2012-12-10T03:00:48.123456+00:00 app[web.1]: hello`; of a multi-line message the lines are within one text. */
export function formatTextLine(line: RecordCursor, bytes: Buffer): string {
  const timeStart = bytes.indexOf(0x20, line.textStart) + 1;
  const sourceEnd = headerFieldEnd(bytes, line.sourceStart, line.msgidStart);
  const time = bytes.toString('latin1', timeStart, line.hostStart - 1);
  const source = bytes.toString('utf8', line.sourceStart, sourceEnd);
  const dyno = bytes.toString('utf8', sourceEnd + 1, line.msgidStart - 1);
  const message = bytes.toString('utf8', line.messageStart, line.textEnd);
  return `${time} ${sanitize(source)}[${sanitize(dyno)}]: ${sanitize(message)}`;
}

/** The line as JSON, on one line. */
export function formatJsonLine(line: RecordCursor, bytes: Buffer, sequence: Sequence): string {
  return terminalSafeJson(toLogRecordJson(line, bytes, sequence));
}

function toLogRecordJson(line: RecordCursor, bytes: Buffer, sequence: Sequence): LogRecordJson {
  const timeStart = bytes.indexOf(0x20, line.textStart) + 1;
  const sourceEnd = headerFieldEnd(bytes, line.sourceStart, line.msgidStart);
  const msgidEnd = headerFieldEnd(bytes, line.msgidStart, line.messageStart);
  const priority = linePriority(line, bytes);
  const msgid = bytes.toString('utf8', line.msgidStart, msgidEnd);
  const structured = bytes.toString('utf8', msgidEnd + 1, line.messageStart - 1);
  return {
    position: String(sequence),
    timestamp: bytes.toString('latin1', timeStart, line.hostStart - 1),
    facility: priority >> 3,
    severity: priority & 7,
    level: lineLevel(line, bytes),
    hostname: bytes.toString('utf8', line.hostStart, line.sourceStart - 1),
    source: bytes.toString('utf8', line.sourceStart, sourceEnd),
    dyno: bytes.toString('utf8', sourceEnd + 1, line.msgidStart - 1),
    ...(msgid === '-' ? {} : { msgid }),
    ...(structured === '-' ? {} : { structured_data: structured }),
    message: bytes.toString('utf8', line.messageStart, line.textEnd),
  };
}
