/** Lines as bytes into a block; what is unusual takes the way over strings, with the same result. */
import type { Sequence } from '../../store/contract.ts';
import type { RecordCursor } from '../../syslog/batch.ts';
import { LEVELS, type Level } from '../../syslog/level.ts';
import { fieldEnd, lineLevel, priorityOf } from '../filter.ts';
import type { Block, Manner } from './block.ts';
import { jsonLine, textLine } from './format.ts';

const DASH = 0x2d;
const SPACE = 0x20;

/**
 * Adds a line as it is displayed, see {@link textLine}.
 * @param lineFeed what stands for a line feed within it, unless it is quoted.
 */
export function putTextLine(
  block: Block,
  line: RecordCursor,
  bytes: Buffer,
  manner: 'shown' | 'quoted',
  lineFeed: string,
): void {
  const start = block.length;
  const sourceEnd = fieldEnd(bytes, line.sourceStart, line.msgidStart);
  const copied =
    block.copy(bytes, timeStart(line, bytes), line.hostStart, manner) &&
    block.copy(bytes, line.sourceStart, sourceEnd, manner) &&
    put(block, '[') &&
    block.copy(bytes, sourceEnd + 1, line.msgidStart - 1, manner) &&
    put(block, ']: ') &&
    block.copy(bytes, line.messageStart, line.textEnd, manner);
  if (copied) return;
  block.truncate(start);
  putFormatted(block, textLine(line, bytes), manner, lineFeed);
}

/** Adds a text that is formatted already. */
export function putFormatted(block: Block, text: string, manner: Manner, lineFeed: string): void {
  if (manner === 'quoted') block.putText(JSON.stringify(text).slice(1, -1));
  else block.putText(lineFeed === '\n' ? text : text.replaceAll('\n', lineFeed));
}

/** Adds a line as JSON, see {@link jsonLine}. */
export function putJsonLine(block: Block, line: RecordCursor, bytes: Buffer, sequence: Sequence): void {
  const start = block.length;
  const sourceEnd = fieldEnd(bytes, line.sourceStart, line.msgidStart);
  const msgidEnd = fieldEnd(bytes, line.msgidStart, line.messageStart);
  const hasMsgid = bytes[line.msgidStart] !== DASH || msgidEnd !== line.msgidStart + 1;
  const hasData = bytes[msgidEnd + 1] !== DASH || bytes[msgidEnd + 2] !== SPACE;
  const priority = priorityOf(line, bytes);
  const text = (from: number, end: number): boolean => block.copy(bytes, from, end, 'json');
  const copied =
    put(block, '{"position":"') &&
    put(block, String(sequence)) &&
    put(block, '","timestamp":"') &&
    text(timeStart(line, bytes), line.hostStart - 1) &&
    put(block, gravity(priority, lineLevel(line, bytes))) &&
    text(line.hostStart, line.sourceStart - 1) &&
    put(block, '","source":"') &&
    text(line.sourceStart, sourceEnd) &&
    put(block, '","dyno":"') &&
    text(sourceEnd + 1, line.msgidStart - 1) &&
    (!hasMsgid || (put(block, '","msgid":"') && text(line.msgidStart, msgidEnd))) &&
    (!hasData || (put(block, '","structured_data":"') && text(msgidEnd + 1, line.messageStart - 1))) &&
    put(block, '","message":"') &&
    text(line.messageStart, line.textEnd) &&
    put(block, '"}');
  if (copied) return;
  block.truncate(start);
  block.putText(jsonLine(line, bytes, sequence));
}

const gravities = new Map<Level, string[]>(LEVELS.map((level) => [level, []]));

/** What stands between the time and the host: the same few texts again and again. */
function gravity(priority: number, level: Level): string {
  const known = gravities.get(level)?.[priority];
  if (known !== undefined) return known;
  const text = `","facility":${priority >> 3},"severity":${priority & 7},"level":"${level}","hostname":"`;
  // Through a buffer: a text that was put together is slow to read character by character.
  const flat = Buffer.from(text).toString('latin1');
  const texts = gravities.get(level);
  if (texts) texts[priority] = flat;
  return flat;
}

function put(block: Block, text: string): true {
  block.put(text);
  return true;
}

function timeStart(line: RecordCursor, bytes: Uint8Array): number {
  return fieldEnd(bytes, line.textStart + 3, line.hostStart) + 1;
}
