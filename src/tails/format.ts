import type { Sequence, StoredBatch } from '../store/contract.ts';
import { RecordCursor } from '../syslog/batch.ts';
import { type Filter, fieldEnd } from './filter.ts';
import { harmlessJson, sanitize } from './sanitize.ts';

/** How lines are written for a reader. `text` as Heroku displays them, `json` with every field. */
export type FormatName = 'text' | 'json';

/** One line with its fields, as `json` readers get it. */
export interface LineFields {
  /** Where it is in the stream: pass it as `after=` to go on behind it. */
  readonly position: string;
  readonly timestamp: string;
  /** RFC 5424 section 6.2.1: facility 0 to 23, severity 0 (emergency) to 7 (debug). */
  readonly facility: number;
  readonly severity: number;
  readonly hostname: string;
  readonly source: string;
  readonly dyno: string;
  readonly msgid?: string;
  readonly structured_data?: string;
  readonly message: string;
}

/** Lines of one batch, written in one format. */
export interface Formatted {
  /** One entry a line, without line ends; of a multi-line message the lines are within one entry. */
  readonly lines: readonly string[];
  /** The position of the last line looked at, whether it matched or not. */
  readonly last: Sequence;
}

const cache = new WeakMap<StoredBatch, Map<string, Formatted>>();

/**
 * The lines of a batch after a sequence that a filter lets through. Written once for all readers who want the
 * same: most look at whole batches.
 */
export function formatBatch(
  batch: StoredBatch,
  after: Sequence,
  filter: Filter,
  format: FormatName,
): Formatted {
  if (after >= batch.first) return write(batch, after, filter, format);
  const key = format + filter.key;
  let formats = cache.get(batch);
  if (!formats) {
    formats = new Map();
    cache.set(batch, formats);
  }
  let formatted = formats.get(key);
  if (!formatted) {
    formatted = write(batch, after, filter, format);
    formats.set(key, formatted);
  }
  return formatted;
}

function write(batch: StoredBatch, after: Sequence, filter: Filter, format: FormatName): Formatted {
  const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
  const cursor = new RecordCursor(bytes);
  const skipped = Math.max(0, after + 1 - batch.first);
  cursor.skip(skipped);
  const lines: string[] = [];
  for (let sequence = batch.first + skipped; cursor.advance(); sequence++) {
    if (!filter.matches(cursor, bytes)) continue;
    lines.push(format === 'text' ? asText(cursor, bytes) : harmlessJson(asFields(cursor, bytes, sequence)));
  }
  return { lines, last: batch.last };
}

/** `2012-12-10T03:00:48.123456+00:00 app[web.1]: hello` */
function asText(line: RecordCursor, bytes: Buffer): string {
  const timeStart = bytes.indexOf(0x20, line.textStart) + 1;
  const sourceEnd = fieldEnd(bytes, line.sourceStart, line.msgidStart);
  const time = bytes.toString('latin1', timeStart, line.hostStart - 1);
  const source = bytes.toString('utf8', line.sourceStart, sourceEnd);
  const dyno = bytes.toString('utf8', sourceEnd + 1, line.msgidStart - 1);
  const message = bytes.toString('utf8', line.messageStart, line.textEnd);
  return `${time} ${sanitize(source)}[${sanitize(dyno)}]: ${sanitize(message)}`;
}

function asFields(line: RecordCursor, bytes: Buffer, sequence: Sequence): LineFields {
  const timeStart = bytes.indexOf(0x20, line.textStart) + 1;
  const sourceEnd = fieldEnd(bytes, line.sourceStart, line.msgidStart);
  const msgidEnd = fieldEnd(bytes, line.msgidStart, line.messageStart);
  const priority = Number.parseInt(bytes.toString('latin1', line.textStart + 1, line.textStart + 4), 10);
  const msgid = bytes.toString('utf8', line.msgidStart, msgidEnd);
  const structured = bytes.toString('utf8', msgidEnd + 1, line.messageStart - 1);
  return {
    position: String(sequence),
    timestamp: bytes.toString('latin1', timeStart, line.hostStart - 1),
    facility: priority >> 3,
    severity: priority & 7,
    hostname: bytes.toString('utf8', line.hostStart, line.sourceStart - 1),
    source: bytes.toString('utf8', line.sourceStart, sourceEnd),
    dyno: bytes.toString('utf8', sourceEnd + 1, line.msgidStart - 1),
    ...(msgid === '-' ? {} : { msgid }),
    ...(structured === '-' ? {} : { structured_data: structured }),
    message: bytes.toString('utf8', line.messageStart, line.textEnd),
  };
}
