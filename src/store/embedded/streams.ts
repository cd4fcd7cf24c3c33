import type { Database, RootDatabase } from 'lmdb';
import { TailraceError } from '../../errors.ts';
import type { Batch } from '../../syslog/batch.ts';
import type { AppId, Retention, Sequence, StoredBatch, StreamBounds } from '../contract.ts';
import { batchKey, type Placement, readPlacement, storedBatch, writePlacement } from './layout.ts';

/** One app's stream as it stands, in memory from its first use on. */
interface Stream {
  next: Sequence;
  /** First sequence that is held; equal to `next` when the stream is empty. */
  first: Sequence;
  bytesSoFar: number;
  /** Bytes of the stream up to the batches that are held. */
  bytesBefore: number;
  /** The oldest batch that is held, without its lines, once it was looked at. */
  oldest: (Omit<StoredBatch, 'bytes'> & { bytesSoFar: number }) | undefined;
  /** Appends that aren't committed yet. */
  underWay: number;
  /** A commit failed: sequences that were given out are void, so the stream is read anew when nothing is under way. */
  failed: boolean;
}

/**
 * The streams in LMDB: appends, trims, reads. Sequence numbers are given out from memory, since one process
 * owns the data folder; the order of puts is the order of commits.
 */
export class Streams {
  private readonly db: Database<Buffer, Buffer>;
  private readonly retention: Retention;
  private readonly streams = new Map<AppId, Stream>();

  constructor(root: RootDatabase, retention: Retention) {
    this.db = root.openDB<Buffer, Buffer>({ name: 'streams', encoding: 'binary', keyEncoding: 'binary' });
    this.retention = retention;
  }

  /**
   * Puts the batch at the end of the stream; `committed` resolves when it is durable.
   * @throws TailraceError `unavailable` while an append before this one is failing.
   */
  append(app: AppId, batch: Batch): { stored: StoredBatch; committed: Promise<void> } {
    const stream = this.stream(app);
    if (stream.failed)
      throw new TailraceError('unavailable', 'The store is recovering from a failed write: try again.');
    const first = stream.next;
    const last = first + batch.count - 1;
    const storedAtMs = Date.now();
    const bytesSoFar = stream.bytesSoFar + batch.bytes.length;
    writePlacement(batch.bytes, { count: batch.count, storedAtMs, bytesSoFar, first });
    stream.underWay++;
    const committed = this.db.put(batchKey(app, last), asBuffer(batch.bytes)).then(
      () => this.committed(app, stream, false),
      (error: unknown) => {
        this.committed(app, stream, true);
        throw error;
      },
    );
    stream.next = last + 1;
    stream.bytesSoFar = bytesSoFar;
    this.trim(app, stream, storedAtMs);
    return { stored: { ...batch, first, last, storedAtMs }, committed };
  }

  read(app: AppId, after: Sequence, bytes: number): StoredBatch[] {
    const found: StoredBatch[] = [];
    let size = 0;
    const range = { start: batchKey(app, after + 1), end: batchKey(app, Number.MAX_SAFE_INTEGER) };
    for (const { value } of this.db.getRange(range)) {
      found.push(storedBatch(value));
      size += value.length;
      if (size >= bytes) break;
    }
    return found;
  }

  readBefore(app: AppId, before: Sequence, bytes: number): StoredBatch[] {
    const found: StoredBatch[] = [];
    if (before <= 1) return found;
    let size = 0;
    // The batch that holds line before - 1 is the first one whose last line is at or above it; when that line
    // was trimmed, it is a batch after it.
    const newest = this.firstAt(app, before - 1);
    if (newest && newest.first >= before) return found;
    if (newest) {
      found.push(newest);
      size = newest.bytes.length;
    }
    const start = batchKey(app, newest ? newest.first - 1 : before - 1);
    if (size >= bytes && newest) return found;
    for (const { value } of this.db.getRange({ start, end: batchKey(app, 0), reverse: true })) {
      found.push(storedBatch(value));
      size += value.length;
      if (size >= bytes) break;
    }
    return found;
  }

  bounds(app: AppId): StreamBounds {
    const stream = this.stream(app);
    return {
      first: stream.first,
      last: stream.next - 1,
      bytes: stream.bytesSoFar - stream.bytesBefore,
    };
  }

  sequenceAt(app: AppId, ms: number): Sequence {
    const stream = this.stream(app);
    // Binary search over sequences; every probe reads one batch.
    let low = stream.first - 1;
    let high = stream.next - 1;
    while (low < high) {
      const middle = Math.floor((low + high + 1) / 2);
      const batch = this.firstAt(app, middle);
      if (!batch || batch.storedAtMs >= ms) high = (batch?.first ?? middle) - 1;
      else low = batch.last;
    }
    return Math.max(low, stream.first - 1);
  }

  /** Removes all of an app's batches. */
  async drop(app: AppId): Promise<void> {
    this.streams.delete(app);
    let last: Promise<boolean> = Promise.resolve(true);
    const range = { start: batchKey(app, 0), end: batchKey(app, Number.MAX_SAFE_INTEGER) };
    for (const key of this.db.getKeys(range)) last = this.db.remove(key);
    await last;
  }

  /** Removes what has grown too old, in the streams that were used since the start. */
  trimAged(): void {
    const now = Date.now();
    for (const [app, stream] of this.streams) this.trim(app, stream, now);
  }

  private committed(app: AppId, stream: Stream, failed: boolean): void {
    stream.underWay--;
    stream.failed ||= failed;
    if (stream.failed && stream.underWay === 0 && this.streams.get(app) === stream) this.streams.delete(app);
  }

  private firstAt(app: AppId, sequence: Sequence): StoredBatch | undefined {
    const range = { start: batchKey(app, sequence), end: batchKey(app, Number.MAX_SAFE_INTEGER), limit: 1 };
    for (const { value } of this.db.getRange(range)) return storedBatch(value);
    return undefined;
  }

  private stream(app: AppId): Stream {
    let stream = this.streams.get(app);
    if (!stream) {
      stream = this.load(app);
      this.streams.set(app, stream);
    }
    return stream;
  }

  private load(app: AppId): Stream {
    const all = { start: batchKey(app, 0), end: batchKey(app, Number.MAX_SAFE_INTEGER) };
    const oldest = this.placement(all);
    const newest = this.placement({ start: all.end, end: all.start, reverse: true });
    if (!oldest || !newest)
      return {
        next: 1,
        first: 1,
        bytesSoFar: 0,
        bytesBefore: 0,
        oldest: undefined,
        underWay: 0,
        failed: false,
      };
    return {
      next: newest.first + newest.count,
      first: oldest.first,
      bytesSoFar: newest.bytesSoFar,
      bytesBefore: oldest.bytesSoFar - oldest.size,
      oldest: undefined,
      underWay: 0,
      failed: false,
    };
  }

  private placement(range: {
    start: Buffer;
    end: Buffer;
    reverse?: boolean;
  }): (Placement & { size: number }) | undefined {
    for (const { value } of this.db.getRange({ ...range, limit: 1 }))
      return { ...readPlacement(value), size: value.length };
    return undefined;
  }

  /** Removes the oldest batches until the stream is within its bounds; the newest batch always stays. */
  private trim(app: AppId, stream: Stream, now: number): void {
    const { lines, bytes, ageMs } = this.retention;
    for (;;) {
      const tooMany = stream.next - stream.first > lines;
      const tooLarge = stream.bytesSoFar - stream.bytesBefore > bytes;
      // The oldest batch is read once: that costs less than remembering every batch of every stream.
      const recent = stream.oldest && now - stream.oldest.storedAtMs <= ageMs;
      if (recent && !tooMany && !tooLarge) return;
      stream.oldest ??= this.lookAtOldest(app, stream);
      const oldest = stream.oldest;
      if (!oldest || oldest.last === stream.next - 1) return;
      if (!tooMany && !tooLarge && now - oldest.storedAtMs <= ageMs) return;
      this.db.remove(batchKey(app, oldest.last));
      stream.first = oldest.last + 1;
      stream.bytesBefore = oldest.bytesSoFar;
      stream.oldest = undefined;
    }
  }

  private lookAtOldest(app: AppId, stream: Stream): Stream['oldest'] {
    const batch = this.firstAt(app, stream.first);
    if (!batch) return undefined; // not committed yet
    const { bytes, ...rest } = batch;
    return { ...rest, bytesSoFar: readPlacement(bytes).bytesSoFar };
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
