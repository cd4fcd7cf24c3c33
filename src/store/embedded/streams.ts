import type { Database, RootDatabase } from 'lmdb';
import type { AppId, Retention, Sequence, StoredBatch, StreamBounds } from '../contract.ts';
import { batchKey, storedBatch } from './layout.ts';
import { type Stream, StreamTable } from './stream-table.ts';

/**
 * The streams as readers see them: what is in LMDB, and behind it what was acknowledged and is still on its way there. The
 * oldest batches disappear from view at once when a bound is exceeded; LMDB forgets them with the next transaction.
 */
export class Streams {
  private readonly db: Database<Buffer, Buffer>;
  private readonly retention: Retention;
  /** Keys of batches that LMDB has to forget. */
  private removals: Buffer[] = [];
  readonly table: StreamTable;

  constructor(root: RootDatabase, retention: Retention) {
    this.db = root.openDB<Buffer, Buffer>({ name: 'streams', encoding: 'binary', keyEncoding: 'binary' });
    this.retention = retention;
    this.table = new StreamTable((app) => this.ends(app));
  }

  /** The batch is acknowledged: from now on it can be read. */
  acknowledge(app: AppId, stored: StoredBatch): void {
    const stream = this.table.get(app);
    this.table.acknowledged(stream, stored);
    this.trim(app, stream, stored.storedAtMs);
  }

  /** Puts batches into LMDB, and removes what was trimmed, in the transaction of this turn; resolves when it is committed. */
  put(batches: readonly { readonly app: AppId; readonly stored: StoredBatch }[]): Promise<unknown> {
    let committed: Promise<unknown> = Promise.resolve();
    for (const { app, stored } of batches)
      committed = this.db.put(batchKey(app, stored.last), asBuffer(stored.bytes));
    for (const key of this.removals) committed = this.db.remove(key);
    const removed = this.removals;
    this.removals = [];
    return committed.catch((error: unknown) => {
      this.removals.unshift(...removed);
      throw error;
    });
  }

  /** The batches are in LMDB. */
  committed(batches: readonly { readonly app: AppId; readonly stored: StoredBatch }[]): void {
    for (const { app, stored } of batches) this.table.committed(app, stored);
  }

  read(app: AppId, after: Sequence, bytes: number): StoredBatch[] {
    const stream = this.table.get(app);
    const from = Math.max(after + 1, stream.first);
    const found: StoredBatch[] = [];
    let size = 0;
    for (const { value } of this.db.getRange({ start: batchKey(app, from), end: afterAll(app) })) {
      found.push(storedBatch(value));
      size += value.length;
      if (size >= bytes) return found;
    }
    const behind = found.at(-1)?.last ?? from - 1;
    for (const batch of stream.onTheWay) {
      if (batch.last <= behind) continue;
      found.push(batch);
      size += batch.bytes.length;
      if (size >= bytes) break;
    }
    return found;
  }

  readBefore(app: AppId, before: Sequence, bytes: number): StoredBatch[] {
    const stream = this.table.get(app);
    const found: StoredBatch[] = [];
    let size = 0;
    let next = before;
    const take = (batch: StoredBatch): boolean => {
      if (batch.first >= next || batch.last < stream.first) return size < bytes;
      found.push(batch);
      next = batch.first;
      size += batch.bytes.length;
      return size < bytes;
    };
    for (let i = stream.onTheWay.length - 1; i >= 0; i--) if (!take(stream.onTheWay[i])) return found;
    if (next <= stream.first) return found;
    // The batch that holds line next - 1 is the first one whose last line is at or above it.
    const newest = this.inLmdb(app, next - 1);
    if (newest && !take(newest)) return found;
    const range = { start: batchKey(app, next - 1), end: batchKey(app, stream.first - 1), reverse: true };
    if (next > stream.first)
      for (const { value } of this.db.getRange(range)) if (!take(storedBatch(value))) break;
    return found;
  }

  bounds(app: AppId): StreamBounds {
    const { first, acknowledged, bytesBefore } = this.table.get(app);
    return { first, last: acknowledged.next - 1, bytes: acknowledged.bytesSoFar - bytesBefore };
  }

  sequenceAt(app: AppId, ms: number): Sequence {
    const { first, acknowledged } = this.table.get(app);
    // Binary search over sequences; every probe reads one batch.
    let low = first - 1;
    let high = acknowledged.next - 1;
    while (low < high) {
      const middle = Math.floor((low + high + 1) / 2);
      const batch = this.firstAt(app, middle);
      // Between two batches there may be a gap: then the one above is found again and again.
      if (!batch || batch.storedAtMs >= ms) high = Math.min(middle, batch?.first ?? middle) - 1;
      else low = batch.last;
    }
    return Math.max(low, first - 1);
  }

  /** Removes all of an app's batches from LMDB. */
  async drop(app: AppId): Promise<void> {
    this.table.forget(app);
    let last: Promise<boolean> = Promise.resolve(true);
    for (const key of this.db.getKeys({ start: batchKey(app, 0), end: afterAll(app) }))
      last = this.db.remove(key);
    await last;
  }

  /** Removes what has grown too old, in the streams that were used since the start. */
  async trimAged(): Promise<void> {
    const now = Date.now();
    for (const [app, stream] of this.table.all()) this.trim(app, stream, now);
    await this.forgetTrimmed();
  }

  /** Lets LMDB forget what was trimmed, without waiting for the next batches. */
  async forgetTrimmed(): Promise<void> {
    if (this.removals.length > 0) await this.put([]).catch(() => {}); // again with the next batches
  }

  private firstAt(app: AppId, sequence: Sequence): StoredBatch | undefined {
    return this.inLmdb(app, sequence) ?? this.table.get(app).onTheWay.find((batch) => batch.last >= sequence);
  }

  private inLmdb(app: AppId, sequence: Sequence): StoredBatch | undefined {
    const range = { start: batchKey(app, sequence), end: afterAll(app), limit: 1 };
    for (const { value } of this.db.getRange(range)) return storedBatch(value);
    return undefined;
  }

  /** The oldest and the newest batch that LMDB holds of an app. */
  private ends(app: AppId): { oldest: StoredBatch; newest: StoredBatch } | undefined {
    const oldest = this.inLmdb(app, 0);
    if (!oldest) return undefined;
    const range = { start: afterAll(app), end: batchKey(app, 0), reverse: true, limit: 1 };
    for (const { value } of this.db.getRange(range)) return { oldest, newest: storedBatch(value) };
    return undefined;
  }

  /** Takes the oldest batches out of sight until the stream is within its bounds; the newest batch always stays. */
  private trim(app: AppId, stream: Stream, now: number): void {
    const { lines, bytes, ageMs } = this.retention;
    for (;;) {
      const { next, bytesSoFar } = stream.acknowledged;
      const tooMuch = next - stream.first > lines || bytesSoFar - stream.bytesBefore > bytes;
      // The oldest batch is read once: that costs less than remembering every batch of every stream.
      if (!tooMuch && stream.oldest && now - stream.oldest.storedAtMs <= ageMs) return;
      stream.oldest ??= this.table.describe(this.firstAt(app, stream.first));
      const { oldest } = stream;
      if (!oldest || oldest.last === next - 1) return;
      if (!tooMuch && now - oldest.storedAtMs <= ageMs) return;
      this.removals.push(batchKey(app, oldest.last));
      this.table.trimmed(stream, oldest);
    }
  }
}

function afterAll(app: AppId): Buffer {
  return batchKey(app, Number.MAX_SAFE_INTEGER);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
