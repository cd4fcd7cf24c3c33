/** Searches streams line by line: stands in until lines are packed. */

import { QueryMatcher } from '../../../src/logs/query/query-matcher.ts';
import type { AppId, Sequence, Store } from '../../../src/logs/store/contract.ts';
import { RECORD_HEADER, RecordCursor } from '../../../src/logs/syslog/batch.ts';
import { lineLevel, readRecord } from '../../../src/logs/syslog/record.ts';
import type {
  CountBucket,
  CountRequest,
  FieldRequest,
  FieldValues,
  FoundLine,
  LineRef,
  LineSelection,
  LineStore,
  PartDamage,
  SearchRequest,
  SearchResult,
  StreamSummary,
} from '../store/contract.ts';

export class RecentLines implements LineStore {
  private readonly records: Store;
  private readonly known = new Set<AppId>();

  constructor(records: Store) {
    this.records = records;
  }

  private async select({ streams, query, fromMs, toMs }: LineSelection): Promise<FoundLine[]> {
    const found: FoundLine[] = [];
    const matcher = query && new QueryMatcher(query, '');
    for (const stream of streams)
      for await (const lines of this.read(stream, 0))
        for (const line of lines) {
          const cursor = new RecordCursor(line.record, 0);
          cursor.advance();
          if ((fromMs ?? 0) > line.timeMs || (toMs ?? Infinity) <= line.timeMs) continue;
          if (matcher && !(matcher.mayMatch(line.record) && matcher.matches(cursor, line.record))) continue;
          found.push(line);
        }
    return found.sort(
      (a, b) =>
        a.timeMs - b.timeMs || (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : a.sequence - b.sequence),
    );
  }

  async search(request: SearchRequest): Promise<SearchResult> {
    const all = await this.select(request);
    const goesBack = request.direction === 'before';
    if (goesBack) all.reverse();
    const key = (line: FoundLine): string => `${line.timeMs} ${line.stream} ${line.sequence}`;
    const from = request.cursor === undefined ? 0 : all.findIndex((line) => key(line) === request.cursor) + 1;
    const lines = all.slice(from, from + request.limit);
    const last = lines.at(-1);
    const cursor = last && from + request.limit < all.length ? key(last) : undefined;
    return { lines, cursor, searchedToMs: undefined };
  }

  async counts(request: CountRequest): Promise<readonly CountBucket[]> {
    const buckets = new Map<number, { startMs: number; error: number; warning: number; other: number }>();
    for (const line of await this.select(request)) {
      const startMs = Math.floor(line.timeMs / request.stepMs) * request.stepMs;
      const bucket = buckets.get(startMs) ?? { startMs, error: 0, warning: 0, other: 0 };
      buckets.set(startMs, bucket);
      const cursor = new RecordCursor(line.record, 0);
      cursor.advance();
      const level = lineLevel(cursor, line.record);
      bucket[level === 'error' ? 'error' : level === 'warn' ? 'warning' : 'other']++;
    }
    return [...buckets.values()];
  }

  async fieldValues(request: FieldRequest): Promise<FieldValues> {
    return { values: [], otherCount: 0, missingCount: (await this.select(request)).length };
  }

  async fieldNames(): Promise<readonly string[]> {
    return ['source', 'dyno', 'level'];
  }

  async context({ stream, sequence }: LineRef, before: number, after: number): Promise<readonly FoundLine[]> {
    const found: FoundLine[] = [];
    for await (const lines of this.read(stream, sequence - before - 1))
      found.push(...lines.filter((line) => line.sequence <= sequence + after));
    return found;
  }

  async *read(stream: AppId, after: Sequence): AsyncIterable<readonly FoundLine[]> {
    this.known.add(stream);
    for (let from = after; ; ) {
      const batches = await this.records.read(stream, from, 1_048_576);
      if (batches.length === 0) return;
      for (const batch of batches) {
        const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
        const cursor = new RecordCursor(bytes);
        const lines: FoundLine[] = [];
        for (let sequence = batch.first; cursor.advance(); sequence++)
          if (sequence > from)
            lines.push({
              stream,
              sequence,
              timeMs: Date.parse(readRecord(cursor, bytes).timestamp),
              receivedAtMs: batch.storedAtMs,
              record: bytes.subarray(cursor.textStart - RECORD_HEADER, cursor.textEnd),
            });
        from = batch.last;
        yield lines;
      }
    }
  }

  async importLines(): Promise<number> {
    return 0;
  }
  async removeBefore(): Promise<number> {
    return 0;
  }
  async shrinkTo(): Promise<number> {
    return 0;
  }
  async dropStream(stream: AppId): Promise<void> {
    this.known.delete(stream);
  }

  async summaries(): Promise<readonly StreamSummary[]> {
    return Promise.all(
      [...this.known].map(async (stream) => {
        const { first, last, bytes } = await this.records.bounds(stream);
        return {
          stream,
          lines: last - first + 1,
          rawBytes: bytes,
          diskBytes: bytes,
          firstMs: undefined,
          lastMs: undefined,
        };
      }),
    );
  }

  damage(): readonly PartDamage[] {
    return [];
  }
  async close(): Promise<void> {}
}
