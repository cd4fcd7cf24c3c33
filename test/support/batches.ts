/** Batches for tests of stores: lines of any text, without a router. */
import { randomUUID } from 'node:crypto';
import type { AppId, StoredBatch } from '../../src/logs/store/contract.ts';
import { type Batch, HEADROOM, RECORD_HEADER, RecordCursor } from '../../src/logs/syslog/batch.ts';

export function newAppId(): AppId {
  return randomUUID() as AppId;
}

/** A batch with one line a text. */
export function batchOf(...texts: (string | Uint8Array)[]): Batch {
  const lines = texts.map((text) => (typeof text === 'string' ? Buffer.from(text) : text));
  const size = lines.reduce((sum, line) => sum + RECORD_HEADER + line.length, HEADROOM);
  const bytes = Buffer.alloc(size);
  let at = HEADROOM;
  for (const line of lines) {
    bytes.writeUInt32LE(line.length, at);
    bytes.set(line, at + RECORD_HEADER);
    at += RECORD_HEADER + line.length;
  }
  return { bytes, count: lines.length };
}

/** The lines of a batch. */
export function textsOf(batch: Batch): Buffer[] {
  const cursor = new RecordCursor(batch.bytes);
  const lines: Buffer[] = [];
  while (cursor.advance()) lines.push(Buffer.from(batch.bytes.subarray(cursor.textStart, cursor.textEnd)));
  return lines;
}

/** The lines of several batches, as text. */
export function linesOf(batches: readonly StoredBatch[]): string[] {
  return batches.flatMap((batch) => textsOf(batch).map(String));
}
