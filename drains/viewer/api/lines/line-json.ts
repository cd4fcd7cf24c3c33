/** A line as the API gives it: as tails of the log router do, with its stream. */
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { formatJsonLine, formatTextLine } from '../../../../src/logs/tails/output/line-format.ts';
import type { FoundLine } from '../../store/contract.ts';
import type { EventLine } from './whole-events.ts';

/** JSON, in which nothing stands that a terminal would obey. */
export function foundLineJson({ stream, sequence, record }: FoundLine): string {
  return withStream(stream, formatJsonLine(cursorOf(record), record, sequence));
}

/** The same; one that is there for its event alone has `"matches": false`. */
export function eventLineJson({ line, isMatch }: EventLine): string {
  const json = foundLineJson(line);
  return isMatch ? json : `{"matches":false,${json.slice(1)}`;
}

/** `TIME source[dyno]: message`, on one line or with its further lines indented. */
export function foundLineText({ record }: FoundLine): string {
  return formatTextLine(cursorOf(record), record);
}

/** @param json of a line, an object */
export function withStream(stream: string, json: string): string {
  return `{"stream":${JSON.stringify(stream)},${json.slice(1)}`;
}

/** The array of lines as {@link foundLineJson} writes them, oldest or newest first as they are given. */
export function linesJson(lines: readonly FoundLine[]): string {
  return `[${lines.map(foundLineJson).join(',')}]`;
}

function cursorOf(record: Buffer): RecordCursor {
  const cursor = new RecordCursor(record, 0);
  cursor.advance();
  return cursor;
}
