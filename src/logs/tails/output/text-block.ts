import type { StoredBatch } from '../../store/contract.ts';
import { RecordCursor } from '../../syslog/batch.ts';
import type { Range, Reached } from '../range.ts';
import type { Block } from './block.ts';
import { showLines } from './express.ts';
import { putTextLine } from './line-writer.ts';

/** What stands around lines. */
export interface TextMarks {
  /** In front of each line and behind it; `between` only between two of them. */
  readonly open: string;
  readonly close: string;
  readonly between: string;
  /** Texts stand within a JSON string. */
  readonly quoted: boolean;
  /** A line feed within a line (only in texts). */
  readonly lineFeed: string;
}

/** Adds all lines of a range as they are displayed: whole batches on the express lane, only unusual lines one by one. */
export function putAllLines(
  block: Block,
  batches: readonly StoredBatch[],
  range: Range,
  marks: TextMarks,
): Reached {
  const { open, close, between, quoted, lineFeed } = marks;
  const manner = quoted ? 'quoted' : 'shown';
  const express = { front: between + open, back: close, quoted };
  let count = 0;
  let last = range.after;
  const take = (text: Uint8Array, lines: number): void => {
    // Nothing stands between the first line and what is in front of it.
    block.putBytes(count === 0 ? text.subarray(between.length) : text);
    count += lines;
  };
  for (const batch of batches) {
    const skipped = Math.max(0, range.after + 1 - batch.first);
    const wanted = Math.min(batch.last, range.through) - batch.first + 1 - skipped;
    const lines = Math.min(wanted, range.count - count);
    if (lines <= 0) continue;
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    const cursor = new RecordCursor(bytes);
    cursor.skip(skipped);
    let at = cursor.nextStart;
    cursor.skip(lines);
    const end = cursor.nextStart;
    const until = count + lines;
    while (count < until) {
      at = showLines(bytes, at, end, until - count, express, take);
      if (count === until) break;
      const line = new RecordCursor(bytes, at, end);
      line.advance();
      if (count > 0) block.put(between);
      block.put(open);
      putTextLine(block, line, bytes, manner, lineFeed);
      block.put(close);
      count++;
      at = line.nextStart;
    }
    last = batch.first + skipped + lines - 1;
  }
  return { count, last };
}
