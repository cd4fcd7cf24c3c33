import type { StoredBatch } from '../../store/contract.ts';
import { RecordCursor } from '../../syslog/batch.ts';
import type { LineRange, ScanResult } from '../line-scan.ts';
import type { ByteWriter } from './byte-writer.ts';
import { writeTextLine } from './line-writer.ts';
import { writeTextLinesWasm } from './wasm-text.ts';

/** What is written around lines. */
export interface TextDelimiters {
  /** Before and after each line; `separator` only between two of them. */
  readonly open: string;
  readonly close: string;
  readonly separator: string;
  /** Texts are within a JSON string. */
  readonly quoted: boolean;
  /** Written for a line feed within a line (only in texts). */
  readonly lineFeed: string;
}

/** Adds all lines of a range as text: whole batches on the WebAssembly fast path, only lines that it doesn't support one by one. */
export function writeAllLines(
  writer: ByteWriter,
  batches: readonly StoredBatch[],
  range: LineRange,
  delimiters: TextDelimiters,
): ScanResult {
  const { open, close, separator, quoted, lineFeed } = delimiters;
  const mode = quoted ? 'terminal-quoted' : 'terminal';
  const affixes = { prefix: separator + open, suffix: close, quoted };
  let count = 0;
  let last = range.after;
  const onText = (text: Uint8Array, lines: number): void => {
    // No separator before the first line.
    writer.writeBytes(count === 0 ? text.subarray(separator.length) : text);
    count += lines;
  };
  for (const batch of batches) {
    const skipped = Math.max(0, range.after + 1 - batch.first);
    const wanted = Math.min(batch.last, range.through) - batch.first + 1 - skipped;
    const lines = Math.min(wanted, range.count - count);
    if (lines <= 0) continue;
    if (batch.count === 0) {
      last = batch.first + skipped + wanted - 1;
      continue;
    }
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    const cursor = new RecordCursor(bytes);
    cursor.skip(skipped);
    let at = cursor.nextStart;
    cursor.skip(lines);
    const end = cursor.nextStart;
    const until = count + lines;
    while (count < until) {
      at = writeTextLinesWasm(bytes, at, end, until - count, affixes, onText);
      if (count === until) break;
      const line = new RecordCursor(bytes, at, end);
      line.advance();
      if (count > 0) writer.writeLatin1(separator);
      writer.writeLatin1(open);
      writeTextLine(writer, line, bytes, mode, lineFeed);
      writer.writeLatin1(close);
      count++;
      at = line.nextStart;
    }
    last = batch.first + skipped + lines - 1;
  }
  return { count, last };
}
