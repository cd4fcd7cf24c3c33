/**
 * The tail of many streams for one reader: a tail session for each, all into one connection. Lines that aren't in a stream any more, since
 * the reader was away for long, are read from where they are kept.
 */
import type { AppId, Sequence, Store } from '../../../../src/logs/store/contract.ts';
import type { StreamReaders } from '../../../../src/logs/store/stream-reader.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import type { LineFilter } from '../../../../src/logs/syslog/line-filter.ts';
import type { TailEncoding } from '../../../../src/logs/tails/output/encodings.ts';
import { TailSession, type TailSink } from '../../../../src/logs/tails/tail-session.ts';
import type { LogStreamRecord } from '../../groups/group-records.ts';
import type { FoundLine, LineStore } from '../../store/contract.ts';
import { foundLineJson } from '../lines/line-json.ts';
import { type StreamPositions, writePositions } from '../lines/positions.ts';

/** Where a tail's messages go. */
export interface TailConnection {
  /** @param after the position to go on from, when the message was read */
  send(message: string, after: string): void;
  /** Can it take more? When not, it calls what {@link onReady} was given, later. */
  canWrite(): boolean;
  onReady(listener: () => void): void;
  end(): void;
}

export interface MergedTailParts {
  readonly store: Pick<LineStore, 'read'>;
  readonly records: Pick<Store, 'bounds'>;
  readonly readers: StreamReaders;
  /** Shared by all tails of a stream. */
  readonly encodingOf: (stream: AppId) => TailEncoding<string>;
}

interface StreamTail {
  readonly stream: LogStreamRecord;
  position: () => Sequence;
  isLive: boolean;
  resume: () => void;
  close: () => void;
}

export class MergedTail {
  private readonly parts: MergedTailParts;
  private readonly filterOf: (stream: LogStreamRecord) => LineFilter;
  private readonly connection: TailConnection;
  private readonly tails = new Map<AppId, StreamTail>();
  private readonly abort = new AbortController();
  private saidLive = false;
  private sentPositions = '';

  constructor(
    parts: MergedTailParts,
    filterOf: (stream: LogStreamRecord) => LineFilter,
    connection: TailConnection,
  ) {
    this.parts = parts;
    this.filterOf = filterOf;
    this.connection = connection;
    connection.onReady(() => {
      for (const tail of this.tails.values()) tail.resume();
    });
  }

  /** @param after undefined: only what comes from now on */
  async start(streams: readonly LogStreamRecord[], after: StreamPositions | undefined): Promise<void> {
    const positions = new Map<AppId, Sequence>();
    for (const { id } of streams)
      positions.set(id, after ? (after.get(id) ?? 0) : (await this.parts.records.bounds(id)).last);
    if (this.abort.signal.aborted) return;
    for (const stream of streams) this.hold(stream, positions.get(stream.id) ?? 0);
    this.send('');
    for (const stream of streams) this.open(stream, positions.get(stream.id) ?? 0);
    this.noteLive();
  }

  /** The streams that it is of have changed: those that are new are read from their beginning. */
  setStreams(streams: readonly LogStreamRecord[]): void {
    const ids = new Set(streams.map(({ id }) => id));
    for (const [id, tail] of this.tails) {
      if (ids.has(id)) continue;
      tail.close();
      this.tails.delete(id);
    }
    for (const stream of streams) {
      if (this.tails.has(stream.id)) continue;
      this.hold(stream, 0);
      this.open(stream, 0);
    }
  }

  /** Where it is, when that has moved on since the last message. */
  newPosition(): string | undefined {
    const positions = this.positions();
    return positions === this.sentPositions ? undefined : positions;
  }

  close(): void {
    this.abort.abort();
    for (const tail of this.tails.values()) tail.close();
    this.tails.clear();
  }

  /** Until it is opened, its position is where it will begin. */
  private hold(stream: LogStreamRecord, after: Sequence): void {
    this.tails.set(stream.id, {
      stream,
      position: () => after,
      isLive: false,
      resume: () => {},
      close: () => {},
    });
  }

  private open(stream: LogStreamRecord, after: Sequence): void {
    const tail = this.tails.get(stream.id);
    if (!tail) return;
    this.run(tail, after).catch(() => {
      if (!this.abort.signal.aborted) this.connection.end();
    });
  }

  private async run(tail: StreamTail, after: Sequence): Promise<void> {
    const { id } = tail.stream;
    const filter = this.filterOf(tail.stream);
    let isClosed = false;
    tail.close = () => {
      isClosed = true;
    };
    const { first } = await this.parts.records.bounds(id);
    let position = after;
    if (after + 1 < first) {
      tail.position = () => position;
      for await (const lines of this.parts.store.read(id, after, { signal: this.abort.signal })) {
        await this.untilReady(tail);
        if (isClosed || this.abort.signal.aborted) return;
        position = lines.at(-1)?.sequence ?? position;
        const matching = lines.filter((line) => matches(line, filter));
        if (matching.length > 0) this.send(matching.map(foundLineJson).join(','), tail, position);
      }
    }
    if (isClosed || this.abort.signal.aborted) return;
    this.follow(tail, position, filter);
  }

  private follow(tail: StreamTail, after: Sequence, filter: LineFilter): void {
    const { reader, close } = this.parts.readers.open(tail.stream.id);
    const sink: TailSink<string> = {
      encoding: this.parts.encodingOf(tail.stream.id),
      write: (lines, last) => this.send(lines, tail, last),
      reportPosition: ({ live }) => {
        if (!live) return;
        tail.isLive = true;
        this.noteLive();
      },
      notice: (message) => this.sendNotice(message),
      canWrite: () => this.connection.canWrite(),
      end: () => this.connection.end(),
    };
    const session = new TailSession(reader, { tail: true, after, filter }, sink);
    session.onFailure = () => this.connection.end();
    // Until it has started it is at none.
    tail.position = () => Math.max(after, session.position);
    tail.resume = () => session.resume();
    tail.close = () => {
      session.close();
      close();
    };
    session.start().catch(() => this.connection.end());
  }

  private untilReady(tail: StreamTail): Promise<void> | undefined {
    if (this.connection.canWrite()) return undefined;
    return new Promise((resolve) => {
      tail.resume = () => {
        tail.resume = () => {};
        resolve();
      };
      this.abort.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  private noteLive(): void {
    if (this.saidLive) return;
    for (const { isLive } of this.tails.values()) if (!isLive) return;
    this.saidLive = true;
    this.send('', undefined, 0, ',"live":true');
  }

  private sendNotice(message: string): void {
    this.send('', undefined, 0, `,"notice":${JSON.stringify(message)}`);
  }

  /** @param last of `tail`, whose session may be further already */
  private send(lines: string, tail?: StreamTail, last: Sequence = 0, more = ''): void {
    const after = this.positions(tail, last);
    this.sentPositions = after;
    this.connection.send(`{"after":"${after}"${more},"lines":[${lines}]}`, after);
  }

  private positions(of?: StreamTail, last: Sequence = 0): string {
    const tails = [...this.tails.values()];
    const positions = new Map(
      tails.map((tail) => [tail.stream.id, tail === of ? last : tail.position()] as const),
    );
    return writePositions(
      positions,
      tails.map(({ stream }) => stream),
    );
  }
}

function matches({ record }: FoundLine, filter: LineFilter): boolean {
  if (filter.matchesAll) return true;
  if (!filter.mayMatch(record)) return false;
  const cursor = new RecordCursor(record, 0);
  return cursor.advance() && filter.matches(cursor, record);
}
