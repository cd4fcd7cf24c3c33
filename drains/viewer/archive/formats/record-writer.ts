/** Makes records of lines that come from files, as they are made of lines that are received: what is stored is clean, whatever the file says. */

import { HEADROOM, RECORD_HEADER } from '../../../../src/logs/syslog/batch.ts';
import { BatchBuilder } from '../../../../src/logs/syslog/batch-builder.ts';
import { APP_NAME_BYTES_MAX, storedHeaderField } from '../../../../src/logs/syslog/fields/header-field.ts';
import { SyslogHeader, scanHeader } from '../../../../src/logs/syslog/header.ts';
import type { LogRecord } from '../../../../src/logs/syslog/record.ts';
import { formatTimestamp, isTimestamp } from '../../../../src/logs/syslog/timestamp.ts';
import type { ImportedLine } from '../../store/contract.ts';

/** Most lines fit into it; it grows for the others. */
const BUILDER_BYTES = 16_384;
const SOURCES_CACHED_MAX = 1_000;
/** What is written where a file names no host or source, as a line of a sender that names none has it. */
const UNKNOWN_HOST = Buffer.from('host');
const UNKNOWN_SOURCE = 'app';

/** A line of a file. */
export interface FileLine {
  readonly record: LogRecord;
  /** When it was received then, milliseconds since 1970; undefined: at its own time. */
  readonly receivedAtMs: number | undefined;
}

export class RecordWriter {
  private readonly builder = new BatchBuilder(BUILDER_BYTES);
  private readonly header = new SyslogHeader();
  private readonly sources = new Map<string, Uint8Array>();

  /**
   * The line as it is kept: several lines when its message is longer than one may be, none when it can't be read.
   * @param timeMs the line's own time, which stands in its record when the record's isn't one (RFC 3339); where that is of a clock that wasn't
   *   set, as 1970 is, the time at which the line was received, as of a line that comes
   */
  write({ record, receivedAtMs }: FileLine, timeMs: number): ImportedLine[] {
    const { priority, hostname, source, dyno, msgid, structuredData, message } = record;
    let [atMs, timestamp] = [timeMs, record.timestamp];
    if (!isTimestampText(timestamp)) {
      const isUsable = (ms: number): boolean => isTimestampText(formatTimestamp(ms));
      if (receivedAtMs !== undefined && !isUsable(timeMs) && isUsable(receivedAtMs)) atMs = receivedAtMs;
      timestamp = formatTimestamp(atMs);
    }
    const text = Buffer.from(
      `<${priority}>1 ${timestamp} ${word(hostname)} ${word(source)} ${word(dyno)} ${word(msgid)} ${structuredData} ${message}`,
    );
    return this.take(text, source, atMs, receivedAtMs ?? atMs);
  }

  /** The same of a line in RFC 5424 form. */
  take(text: Buffer, source: string | undefined, timeMs: number, receivedAtMs: number): ImportedLine[] {
    const { builder, header } = this;
    if (!scanHeader(text, 0, text.length, header)) return [];
    const name = source ?? text.toString('utf8', header.sourceStart, header.dynoStart - 1);
    builder.add(text, 0, text.length, header, this.storedSource(name), UNKNOWN_HOST);
    const batch = builder.takeBatch();
    if (!batch) return [];
    const lines: ImportedLine[] = [];
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    for (let at = HEADROOM; at < bytes.length; ) {
      const end = at + RECORD_HEADER + bytes.readUIntLE(at, 3);
      lines.push({ timeMs, receivedAtMs, record: Buffer.from(bytes.subarray(at, end)) });
      at = end;
    }
    batch.memory?.release();
    return lines;
  }

  private storedSource(name: string): Uint8Array {
    let stored = this.sources.get(name);
    if (!stored) {
      const text = name === '' || name === '-' ? UNKNOWN_SOURCE : name.replace(/\s+/g, '_');
      stored = Uint8Array.from(storedHeaderField(text, APP_NAME_BYTES_MAX));
      if (this.sources.size >= SOURCES_CACHED_MAX) this.sources.clear();
      this.sources.set(name, stored);
    }
    return stored;
  }
}

/** A header field has no spaces. */
function word(text: string): string {
  return text.replace(/\s+/g, '_') || '-';
}

function isTimestampText(text: string): boolean {
  const bytes = Buffer.from(text);
  return isTimestamp(bytes, 0, bytes.length);
}
