import type { AppId, Sequence, StoredBatch } from '../../../../src/logs/store/contract.ts';
import type { StreamReader } from '../../../../src/logs/store/stream-reader.ts';
import { HEADROOM, RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import type { LineStore } from '../../store/contract.ts';
import type { SearchSet } from '../matching/search-set.ts';
import type { CurrentLine, SearchedStream, WatchedAlert } from './watched-search.ts';

/** Searches of streams, each expression once, and the alerts on each. */
export interface SharedSearches {
  readonly set: SearchSet;
  readonly alerts: readonly (readonly WatchedAlert[])[];
}

/** A stream that is evaluated: how far it was read, and what looks at it. */
export class StreamWatch {
  readonly stream: SearchedStream;
  readonly reader: StreamReader;
  private readonly closeReader: () => void;
  private readonly unsubscribe: () => void;
  searches: SharedSearches;
  /** Lines up to here are counted. */
  cursor: Sequence;
  /** When the last line came that was counted, by the clock of alerts: up to then all lines are known, if there are more. */
  watchedMs = 0;
  isCursorDirty = false;

  constructor(
    stream: SearchedStream,
    cursor: Sequence,
    searches: SharedSearches,
    { reader, close }: { reader: StreamReader; close: () => void },
    onGrowth: (watch: StreamWatch) => void,
  ) {
    this.stream = stream;
    this.cursor = cursor;
    this.searches = searches;
    this.reader = reader;
    this.closeReader = close;
    this.unsubscribe = reader.onAppend(() => onGrowth(this));
  }

  /** Counts the lines of a batch that are behind the cursor; which alerts have counted some is added to `touched`. */
  evaluate(batch: StoredBatch, line: CurrentLine, touched: Set<WatchedAlert>): void {
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    const { set, alerts } = this.searches;
    const known = Math.max(0, this.cursor + 1 - batch.first);
    this.moveTo(batch.last);
    if (!set.startBatch(bytes)) return;
    const cursor = new RecordCursor(bytes, HEADROOM);
    cursor.skip(known);
    line.stream = this.stream;
    let sequence = batch.first + known - 1;
    const onMatch = (search: number): void => {
      for (const alert of alerts[search]) {
        if (!touched.has(alert)) {
          touched.add(alert);
          alert.startBatch();
        }
        alert.take(line);
      }
    };
    while (cursor.advance()) {
      line.set(cursor, bytes, ++sequence);
      set.match(cursor, bytes, onMatch);
    }
  }

  /** Lines up to here are done with, which has to be stored. */
  moveTo(sequence: Sequence): void {
    this.cursor = sequence;
    this.isCursorDirty = true;
  }

  close(): void {
    this.unsubscribe();
    this.closeReader();
  }
}

/** Lines that the stream holds no more, as batches, from what keeps them for long: those after a sequence and before another. */
export async function* keptBatches(
  lines: Pick<LineStore, 'read'>,
  stream: AppId,
  after: Sequence,
  before: Sequence,
): AsyncIterable<StoredBatch> {
  for await (const found of lines.read(stream, after)) {
    const wanted = found.filter(({ sequence }) => sequence > after && sequence < before);
    // A batch has no gap: each line is one of its own where there is one.
    for (let from = 0; from < wanted.length; ) {
      let to = from + 1;
      while (to < wanted.length && wanted[to].sequence === wanted[to - 1].sequence + 1) to++;
      const part = wanted.slice(from, to);
      const bytes = Buffer.concat([Buffer.alloc(HEADROOM), ...part.map(({ record }) => record)]);
      yield {
        bytes,
        count: part.length,
        first: part[0].sequence,
        last: part[part.length - 1].sequence,
        storedAtMs: part[0].receivedAtMs,
      };
      from = to;
    }
    if ((found.at(-1)?.sequence ?? 0) >= before - 1) return;
  }
}
