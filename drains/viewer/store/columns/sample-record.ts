/** Lines that stand for all of an origin, to be asked what doesn't depend on their messages. */
import { RECORD_HEADER } from '../../../../src/logs/syslog/batch.ts';
import type { LogLevel } from '../../../../src/logs/syslog/level.ts';

/** A message of a level. */
export function levelSample(level: LogLevel): string {
  return `level=${level}`;
}

/** A record with this header, and a message. */
export function sampleRecord(
  { priority, header }: { readonly priority: number; readonly header: string },
  message = '',
): Buffer {
  const front = `<${priority}>1 - `;
  const text = Buffer.from(`${front}${header}- - ${message}`, 'latin1');
  const record = Buffer.alloc(RECORD_HEADER + text.length);
  text.copy(record, RECORD_HEADER);
  const msgid = front.length + header.length;
  record.writeUIntLE(text.length, 0, 3);
  record[4] = front.length;
  record.writeUInt16LE(front.length + header.indexOf(' ') + 1, 6);
  record.writeUInt16LE(msgid, 8);
  record.writeUInt16LE(msgid + 4, 10);
  return record;
}
