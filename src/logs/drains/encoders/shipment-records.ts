/** The lines of a shipment as records, for destinations that don't speak syslog. */
import { RecordCursor } from '../../syslog/batch.ts';
import { type LogRecord, lineTimeStart, platformRecord, readRecord } from '../../syslog/record.ts';
import { formatTimestamp, isReadableTimestamp } from '../../syslog/timestamp.ts';
import type { LossNotice } from '../outlet.ts';
import type { Shipment } from '../shipment.ts';

/** All lines of a shipment, the notice of a loss in front when there is one. */
export function readRecords(shipment: Shipment, notice?: LossNotice): LogRecord[] {
  const records: LogRecord[] = notice ? [platformRecord(notice.timestamp, notice.message)] : [];
  for (const { batch, start, end } of shipment.slices) {
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    const cursor = new RecordCursor(bytes, start, end);
    while (cursor.advance()) {
      const record = readRecord(cursor, bytes);
      const isReadable = isReadableTimestamp(bytes, lineTimeStart(cursor, bytes), cursor.hostStart - 1);
      // Of an older version's line: destinations would refuse it.
      records.push(isReadable ? record : { ...record, timestamp: formatTimestamp(batch.storedAtMs) });
    }
  }
  return records;
}

/** An RFC 3339 time as nanoseconds since 1970, in decimal digits. */
export function toUnixNanoseconds(timestamp: string): string {
  const ms = Date.parse(timestamp);
  if (Number.isNaN(ms)) return `${Date.now()}000000`;
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  // Whole seconds, then up to nine digits: a double can't hold all of them.
  return `${Math.floor(ms / 1_000)}${fraction.padEnd(9, '0').slice(0, 9)}`;
}
