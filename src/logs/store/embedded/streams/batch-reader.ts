import { systemCode } from '../../../../common/errors.ts';
import type { AppId, ReadMemory, Sequence, StoredBatch } from '../../contract.ts';
import type { FolderIdentity } from '../folder-identity.ts';
import { isHoled, splitHoled } from '../segments/entry-format.ts';
import type { Segment } from '../segments/segment.ts';
import type { AppStream } from './app-stream.ts';

export interface BatchReaderOptions {
  readonly place: FolderIdentity;
  /** The app's stream, opened. */
  readonly streamOf: (app: AppId) => AppStream;
  /** Called when a segment can't be read because its file is gone, while the data folder is in its place. */
  readonly onGone: (app: AppId, segment: Segment) => void;
}

/** Reads batches of streams: from segments, and behind them what is in the commit log alone. */
export class BatchReader {
  private readonly options: BatchReaderOptions;

  constructor(options: BatchReaderOptions) {
    this.options = options;
  }

  /** As {@link Store.read}. */
  async read(app: AppId, after: Sequence, bytes: number, memory?: ReadMemory): Promise<StoredBatch[]> {
    const stream = this.options.streamOf(app);
    const from = Math.max(after + 1, stream.first);
    const found: StoredBatch[] = [];
    let size = 0;
    // As they are now: meanwhile they may be written to a segment.
    const unwritten = stream.readUnwritten(from);
    const segments = stream.segments.filter(
      (_, i) => i === stream.segments.length - 1 || stream.segments[i + 1].first > from,
    );
    for (const segment of segments) {
      const batches = segment.batchesFrom(from, bytes - size, memory);
      for (const batch of await this.emptyIfGone(app, segment, batches)) {
        found.push(batch);
        size += batch.bytes.length;
      }
      if (size >= bytes) return found;
    }
    const next = (found.at(-1)?.last ?? 0) + 1;
    for (const stored of unwritten) {
      if (stored.first < next || size >= bytes) continue;
      if (isHoled(stored.bytes)) found.push(...splitHoled(stored.bytes, stored));
      else found.push(stored);
      size += stored.bytes.length;
    }
    return found;
  }

  /** As {@link Store.readBefore}. */
  async readBefore(app: AppId, before: Sequence, bytes: number): Promise<StoredBatch[]> {
    const stream = this.options.streamOf(app);
    const found: StoredBatch[] = [];
    let size = 0;
    for (const stored of stream.readUnwritten(0, before).reverse()) {
      if (size >= bytes) break;
      if (isHoled(stored.bytes)) found.push(...splitHoled(stored.bytes, stored).reverse());
      else found.push(stored);
      size += stored.bytes.length;
    }
    if (size >= bytes) return found;
    const end = found.at(-1)?.first ?? before;
    for (const segment of stream.segments.filter(({ first }) => first < end).reverse()) {
      for (const batch of await this.emptyIfGone(app, segment, segment.batchesBefore(end, bytes - size))) {
        if (batch.last < stream.first) return found;
        found.push(batch);
        size += batch.bytes.length;
      }
      if (size >= bytes) break;
    }
    return found;
  }

  /** As {@link Store.sequenceAt}. */
  async sequenceAt(app: AppId, ms: number): Promise<Sequence> {
    const stream = this.options.streamOf(app);
    let found = stream.lastUnwrittenBefore(ms);
    for (const segment of [...stream.segments].reverse()) {
      if (found !== undefined) break;
      found = await segment.sequenceAt(ms);
    }
    return Math.max(found ?? 0, stream.first - 1);
  }

  /** A segment that was trimmed while it was read gives nothing; one that is gone for another reason is a loss. */
  private async emptyIfGone(
    app: AppId,
    segment: Segment,
    batches: Promise<StoredBatch[]>,
  ): Promise<StoredBatch[]> {
    try {
      return await batches;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      this.options.place.requireNow();
      this.options.onGone(app, segment);
      return [];
    }
  }
}
