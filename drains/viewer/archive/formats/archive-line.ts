/**
 * A line of an archive: JSON with the names that tails have (`src/logs/tails/output`), and with what says where it belongs: `app` (the
 * stream's name), `stream`, `position`, `received_at`. docs/viewer-archive.md has the columns.
 */

import { type JsonObject, parseJsonObject } from '../../../../src/common/json-object.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { ByteWriter } from '../../../../src/logs/tails/output/byte-writer.ts';
import { writeJsonLine } from '../../../../src/logs/tails/output/line-writer.ts';
import type { FoundLine } from '../../store/contract.ts';
import type { FileLine } from './record-writer.ts';

/** What a writer's buffer begins with, bytes. */
const CHUNK_BYTES = 262_144;

/** Where a line of an archive was. */
export interface ArchivedLine extends FileLine {
  readonly stream: string | undefined;
  readonly app: string | undefined;
  readonly position: number | undefined;
}

/** Writes lines as NDJSON; {@link take} gives what was written since the last time. */
export class ArchiveLineWriter {
  private writer = new ByteWriter(CHUNK_BYTES);
  private readonly tails = new Map<AppId, string>();

  /** Bytes that {@link take} would give. */
  get length(): number {
    return this.writer.length;
  }

  /** Adds a line with its newline. @param streamName of now: it is the column `app` */
  add(line: FoundLine, streamName: string): void {
    const { writer } = this;
    const { record } = line;
    const cursor = new RecordCursor(record, 0);
    if (!cursor.advance()) return;
    writeJsonLine(writer, cursor, record, line.sequence);
    // Within the object's last brace.
    writer.truncate(writer.length - 1);
    writer.writeLatin1(`,"received_at":"${new Date(line.receivedAtMs).toISOString()}"`);
    writer.writeUtf8(this.tail(line.stream, streamName));
  }

  /** What was added since the last time; the caller's from now on. */
  take(): Buffer {
    const bytes = this.writer.finish('');
    this.writer = new ByteWriter(CHUNK_BYTES);
    return bytes;
  }

  private tail(stream: AppId, name: string): string {
    let tail = this.tails.get(stream);
    if (tail === undefined) {
      tail = `,"app":${JSON.stringify(name)},"stream":${JSON.stringify(stream)}}\n`;
      this.tails.set(stream, tail);
    }
    return tail;
  }
}

/** Reads a line of an archive; undefined when it is none: no JSON, or other JSON. */
export function readArchiveLine(text: string): ArchivedLine | undefined {
  const value = parseJsonObject(text);
  return value && readArchivedObject(value);
}

/**
 * A line of an archive whose JSON is parsed already; undefined when timestamp, facility, severity, source or message are missing or no such
 * thing.
 */
export function readArchivedObject(value: JsonObject): ArchivedLine | undefined {
  const { timestamp, facility, severity, source, message, received_at: receivedAt } = value;
  const isLine =
    typeof timestamp === 'string' &&
    typeof message === 'string' &&
    typeof source === 'string' &&
    isWithin(facility, 23) &&
    isWithin(severity, 7);
  if (!isLine) return undefined;
  const receivedAtMs = typeof receivedAt === 'string' ? Date.parse(receivedAt) : Number.NaN;
  const position = Number(value.position);
  return {
    record: {
      timestamp,
      priority: Number(facility) * 8 + Number(severity),
      hostname: textOr(value.hostname, '-'),
      source,
      dyno: textOr(value.dyno, '-'),
      msgid: textOr(value.msgid, '-'),
      structuredData: textOr(value.structured_data, '-'),
      message,
    },
    receivedAtMs: Number.isNaN(receivedAtMs) ? undefined : receivedAtMs,
    stream: typeof value.stream === 'string' ? value.stream : undefined,
    app: typeof value.app === 'string' ? value.app : undefined,
    position: Number.isSafeInteger(position) ? position : undefined,
  };
}

function isWithin(value: unknown, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
}

function textOr(value: unknown, missing: string): string {
  return typeof value === 'string' && value !== '' ? value : missing;
}
