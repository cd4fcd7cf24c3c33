import { TailraceError } from '../../errors.ts';
import type { Batch } from '../../syslog/batch.ts';
import type { AppId, Sequence, StoredBatch } from '../contract.ts';
import { pastRestored } from '../restoring.ts';
import { readPlacement, writePlacement } from './layout.ts';

/** Where a stream ends. */
interface End {
  /** The next sequence. */
  readonly next: Sequence;
  /** Bytes of all batches ever appended. */
  readonly bytesSoFar: number;
}

/** What trimming has to know of the oldest batch. */
export interface Oldest {
  readonly last: Sequence;
  readonly storedAtMs: number;
  readonly bytesSoFar: number;
}

/** One app's stream as it stands, in memory from its first use on. */
export interface Stream {
  /** First sequence that is held; equal to the next one when the stream is empty. */
  first: Sequence;
  /** Bytes of the stream up to the batches that are held. */
  bytesBefore: number;
  oldest: Oldest | undefined;
  /** Where the sequences that were given out end. */
  placed: End;
  /** Where what was acknowledged ends. */
  acknowledged: End;
  /** Acknowledged, but not yet in LMDB, oldest first. */
  onTheWay: StoredBatch[];
  /** Placed, but not yet acknowledged. */
  underWay: number;
  /** One of those has failed: the sequences behind it are void. */
  failed: boolean;
}

/**
 * Gives out sequence numbers, from memory, since one process owns the data folder, and keeps track of what has become of
 * them: placed, acknowledged, committed, trimmed.
 */
export class StreamTable {
  private readonly streams = new Map<AppId, Stream>();
  private readonly ends: (app: AppId) => { oldest: StoredBatch; newest: StoredBatch } | undefined;

  /** @param ends reads an app's oldest and newest batch from the disk. */
  constructor(ends: (app: AppId) => { oldest: StoredBatch; newest: StoredBatch } | undefined) {
    this.ends = ends;
  }

  get(app: AppId): Stream {
    let stream = this.streams.get(app);
    if (!stream) {
      stream = this.load(app);
      this.streams.set(app, stream);
    }
    return stream;
  }

  all(): Iterable<[AppId, Stream]> {
    return this.streams;
  }

  forget(app: AppId): void {
    this.streams.delete(app);
  }

  /**
   * Gives a batch its place at the end of the stream, written into its headroom.
   * @throws TailraceError `unavailable` while an append before this one is failing.
   */
  place(app: AppId, batch: Batch): StoredBatch {
    return this.placeAt(app, batch, this.get(app).placed.next, Date.now());
  }

  /**
   * Gives a batch of another store the place that it had there.
   * @throws TailraceError `conflict` when the stream is already past it.
   */
  restore(app: AppId, batch: StoredBatch): StoredBatch {
    const stream = this.get(app);
    if (stream.placed.next > batch.first) throw pastRestored(batch.first);
    if (stream.first === stream.placed.next) stream.first = batch.first;
    return this.placeAt(app, batch, batch.first, batch.storedAtMs);
  }

  private placeAt(app: AppId, batch: Batch, first: Sequence, storedAtMs: number): StoredBatch {
    const stream = this.get(app);
    if (stream.failed) throw recovering();
    const last = first + batch.count - 1;
    const bytesSoFar = stream.placed.bytesSoFar + batch.bytes.length;
    writePlacement(batch.bytes, { count: batch.count, storedAtMs, bytesSoFar, first });
    stream.placed = { next: last + 1, bytesSoFar };
    stream.underWay++;
    return { bytes: batch.bytes, count: batch.count, first, last, storedAtMs };
  }

  /** The write of a placed batch failed. When nothing is under way any more, its sequences are given out again. */
  displace(app: AppId): void {
    const stream = this.get(app);
    stream.underWay--;
    stream.failed = stream.underWay > 0;
    if (!stream.failed) stream.placed = stream.acknowledged;
  }

  acknowledged(stream: Stream, stored: StoredBatch): void {
    const { bytesSoFar } = readPlacement(stored.bytes);
    stream.acknowledged = { next: stored.last + 1, bytesSoFar };
    if (stream.placed.next < stream.acknowledged.next) stream.placed = stream.acknowledged;
    stream.onTheWay.push(stored);
    if (stream.underWay > 0) stream.underWay--;
  }

  committed(app: AppId, stored: StoredBatch): void {
    const stream = this.streams.get(app);
    if (stream?.onTheWay[0]?.last === stored.last) stream.onTheWay.shift();
  }

  trimmed(stream: Stream, oldest: Oldest): void {
    stream.first = oldest.last + 1;
    stream.bytesBefore = oldest.bytesSoFar;
    stream.oldest = undefined;
  }

  describe(batch: StoredBatch | undefined): Oldest | undefined {
    if (!batch) return undefined;
    const { last, storedAtMs } = batch;
    return { last, storedAtMs, bytesSoFar: readPlacement(batch.bytes).bytesSoFar };
  }

  private load(app: AppId): Stream {
    const ends = this.ends(app);
    const newest = ends && readPlacement(ends.newest.bytes);
    const end: End =
      ends && newest
        ? { next: ends.newest.last + 1, bytesSoFar: newest.bytesSoFar }
        : { next: 1, bytesSoFar: 0 };
    return {
      first: ends?.oldest.first ?? 1,
      bytesBefore: ends ? readPlacement(ends.oldest.bytes).bytesSoFar - ends.oldest.bytes.length : 0,
      oldest: undefined,
      placed: end,
      acknowledged: end,
      onTheWay: [],
      underWay: 0,
      failed: false,
    };
  }
}

/** An append before this one is failing: the sequences it would get are void. */
export function recovering(): TailraceError {
  return new TailraceError('unavailable', 'The store is recovering from a failed write: try again.');
}
