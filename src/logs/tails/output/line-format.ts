import type { RecordCursor } from '../../syslog/batch.ts';
import {
  headerFieldEnd,
  type LogRecordJson,
  lineLevel,
  lineTimeStart,
  readRecord,
  toRecordJson,
} from '../../syslog/record.ts';
import { sanitize, terminalSafeJson } from './sanitize.ts';

/** How lines are written for a reader. `text` as Heroku displays them, `json` with every field. */
export type TailFormat = 'text' | 'json';

/** One line with its fields, as `json` tails get it. */
export interface TailRecordJson extends LogRecordJson {
  /** Where it is in the stream: pass it as `after=` to go on behind it, as `before=` to see what was before. */
  readonly position: string;
}

/** `2012-12-10T03:00:48.123456+00:00 app[web.1]: hello`; of a multi-line message the lines are within one text. */
export function formatTextLine(line: RecordCursor, bytes: Buffer): string {
  const sourceEnd = headerFieldEnd(bytes, line.sourceStart, line.msgidStart);
  const timestamp = bytes.toString('latin1', lineTimeStart(line, bytes), line.hostStart - 1);
  const source = bytes.toString('utf8', line.sourceStart, sourceEnd);
  const dyno = bytes.toString('utf8', sourceEnd + 1, line.msgidStart - 1);
  const message = bytes.toString('utf8', line.messageStart, line.textEnd);
  return `${sanitize(timestamp)} ${sanitize(source)}[${sanitize(dyno)}]: ${sanitize(message)}`;
}

/** The line as JSON, on one line. */
export function formatJsonLine(line: RecordCursor, bytes: Buffer, position: number): string {
  const record: TailRecordJson = {
    position: String(position),
    ...toRecordJson(readRecord(line, bytes), lineLevel(line, bytes)),
  };
  return terminalSafeJson(record);
}
