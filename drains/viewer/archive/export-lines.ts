/** Lines as files of other tools have them. */

import { RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { readRecord } from '../../../src/logs/syslog/record.ts';
import type { FoundLine, LineSelection, LineStore, SearchLimits } from '../store/contract.ts';
import { ArchiveLineWriter } from './formats/archive-line.ts';
import { papertrailLine } from './formats/papertrail.ts';

export const EXPORT_FORMATS = ['papertrail', 'ndjson'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

const PAGE_LINES = 2_000;

/** All lines of a selection, the oldest first. */
export async function* exportLines(
  store: LineStore,
  selection: LineSelection,
  format: ExportFormat,
  streamName: (stream: string) => string,
  limits: SearchLimits,
): AsyncGenerator<Buffer> {
  const write = exporter(format, streamName);
  let cursor: string | undefined;
  do {
    const found = await store.search(
      { ...selection, direction: 'after', ...(cursor !== undefined && { cursor }), limit: PAGE_LINES },
      limits,
    );
    if (found.lines.length > 0) yield write(found.lines);
    cursor = found.cursor;
  } while (cursor !== undefined && limits.signal?.aborted !== true);
}

/** Writes lines in a format. */
export function exporter(
  format: ExportFormat,
  streamName: (stream: string) => string,
): (lines: readonly FoundLine[]) => Buffer {
  if (format === 'ndjson') {
    const writer = new ArchiveLineWriter();
    return (lines) => {
      for (const line of lines) writer.add(line, streamName(line.stream));
      return writer.take();
    };
  }
  return (lines) =>
    Buffer.from(
      lines
        .map((line) => {
          const cursor = new RecordCursor(line.record, 0);
          cursor.advance();
          const { stream, sequence: position, receivedAtMs } = line;
          const origin = { stream, streamName: streamName(stream), position, receivedAtMs };
          return papertrailLine(readRecord(cursor, line.record), origin);
        })
        .join(''),
    );
}
