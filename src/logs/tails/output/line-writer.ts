/** Writes lines as bytes; what can't be copied is formatted as a string, with the same result. */
import type { RecordCursor } from '../../syslog/batch.ts';
import { LOG_LEVELS, type LogLevel } from '../../syslog/level.ts';
import { headerFieldEnd, lineLevel, linePriority, lineTimeStart } from '../../syslog/record.ts';
import type { ByteWriter, EscapeMode } from './byte-writer.ts';
import { formatJsonLine, formatTextLine } from './line-format.ts';

const DASH = 0x2d;
const SPACE = 0x20;

/**
 * Adds a line as it is displayed, see {@link formatTextLine}.
 * @param lineFeed written for a line feed within it, unless it is quoted
 */
export function writeTextLine(
  writer: ByteWriter,
  line: RecordCursor,
  bytes: Buffer,
  mode: 'terminal' | 'terminal-quoted',
  lineFeed: string,
): void {
  const start = writer.length;
  const sourceEnd = headerFieldEnd(bytes, line.sourceStart, line.msgidStart);
  const copied =
    writer.writeEscaped(bytes, lineTimeStart(line, bytes), line.hostStart, mode) &&
    writer.writeEscaped(bytes, line.sourceStart, sourceEnd, mode) &&
    write(writer, '[') &&
    writer.writeEscaped(bytes, sourceEnd + 1, line.msgidStart - 1, mode) &&
    write(writer, ']: ') &&
    writer.writeEscaped(bytes, line.messageStart, line.textEnd, mode);
  if (copied) return;
  writer.truncate(start);
  writeFormatted(writer, formatTextLine(line, bytes), mode, lineFeed);
}

/** Adds a text that is formatted already. */
export function writeFormatted(writer: ByteWriter, text: string, mode: EscapeMode, lineFeed: string): void {
  if (mode === 'terminal-quoted') writer.writeUtf8(JSON.stringify(text).slice(1, -1));
  else writer.writeUtf8(lineFeed === '\n' ? text : text.replaceAll('\n', lineFeed));
}

/** Adds a line as JSON, see {@link formatJsonLine}. */
export function writeJsonLine(writer: ByteWriter, line: RecordCursor, bytes: Buffer, position: number): void {
  const start = writer.length;
  const sourceEnd = headerFieldEnd(bytes, line.sourceStart, line.msgidStart);
  const msgidEnd = headerFieldEnd(bytes, line.msgidStart, line.messageStart);
  const hasMsgid = bytes[line.msgidStart] !== DASH || msgidEnd !== line.msgidStart + 1;
  const hasData = bytes[msgidEnd + 1] !== DASH || bytes[msgidEnd + 2] !== SPACE;
  const priority = linePriority(line, bytes);
  const text = (from: number, end: number): boolean => writer.writeEscaped(bytes, from, end, 'json');
  const copied =
    write(writer, '{"position":"') &&
    write(writer, String(position)) &&
    write(writer, '","timestamp":"') &&
    text(lineTimeStart(line, bytes), line.hostStart - 1) &&
    write(writer, priorityJson(priority, lineLevel(line, bytes))) &&
    text(line.hostStart, line.sourceStart - 1) &&
    write(writer, '","source":"') &&
    text(line.sourceStart, sourceEnd) &&
    write(writer, '","dyno":"') &&
    text(sourceEnd + 1, line.msgidStart - 1) &&
    (!hasMsgid || (write(writer, '","msgid":"') && text(line.msgidStart, msgidEnd))) &&
    (!hasData || (write(writer, '","structured_data":"') && text(msgidEnd + 1, line.messageStart - 1))) &&
    write(writer, '","message":"') &&
    text(line.messageStart, line.textEnd) &&
    write(writer, '"}');
  if (copied) return;
  writer.truncate(start);
  writer.writeUtf8(formatJsonLine(line, bytes, position));
}

const priorityJsonCache = new Map<LogLevel, string[]>(LOG_LEVELS.map((level) => [level, []]));

/** What is between the time and the host: there are few different texts. */
function priorityJson(priority: number, level: LogLevel): string {
  const cached = priorityJsonCache.get(level)?.[priority];
  if (cached !== undefined) return cached;
  const text = `","facility":${priority >> 3},"severity":${priority & 7},"level":"${level}","hostname":"`;
  // Through a buffer: a concatenated string is slow to read character by character.
  const flat = Buffer.from(text).toString('latin1');
  const texts = priorityJsonCache.get(level);
  if (texts) texts[priority] = flat;
  return flat;
}

function write(writer: ByteWriter, text: string): true {
  writer.writeLatin1(text);
  return true;
}
