import { reasonOf } from '../../../../src/common/errors.ts';
import type { AppId, Store } from '../../../../src/logs/store/contract.ts';
import { placeholderBatch } from '../../../../src/logs/store/placeholder-batch.ts';
import { BLOCK_TARGET_BYTES } from '../blocks/block-builder.ts';
import type { JobRunner } from '../jobs/job.ts';
import type { Part } from '../parts/part.ts';
import type { StreamParts } from '../parts/stream-parts.ts';
import { StreamIndexer } from './stream-indexer.ts';

/** How often somebody looks for lines that have waited long enough. */
const LOOK_MS = 5_000;
/** After a failure (a full disk) it is tried again. */
const RETRY_MS = 2_000;
/** Parts that are written at the same time: each takes memory. */
const OPEN_PARTS_MAX = 32;
/** So many small parts are made one. */
const MERGE_PARTS = 8;
/** Parts of more records than this stay as they are. */
const MERGED_BYTES_MAX = 32 * 1_048_576;

export interface IndexerOptions {
  readonly store: Store;
  readonly runner: JobRunner;
  /** Lines are in a part after this time, also when they are few. */
  readonly sealAfterMs: number;
  readonly onProblem: (message: string) => void;
}

interface FollowedStream {
  readonly indexer: StreamIndexer;
  readonly unsubscribe: () => void;
  newBytes: number;
  queued: boolean;
  sealWanted: boolean;
  isDropped: boolean;
}

/** Packs all streams, one after the other: what has waited longest first. */
export class Indexer {
  private readonly options: IndexerOptions;
  private readonly streams = new Map<AppId, FollowedStream>();
  private readonly queue: FollowedStream[] = [];
  /** Why lines can't be packed now: a sentence. */
  trouble: string | undefined;
  private running: Promise<void> | undefined;
  private readonly timer: NodeJS.Timeout;
  private isClosed = false;

  constructor(options: IndexerOptions) {
    this.options = options;
    this.timer = setInterval(() => this.lookForWaiting(), LOOK_MS).unref();
  }

  /** Packs a stream from now on; resolves when lines may be added to it. */
  async follow(parts: StreamParts): Promise<void> {
    const { store, runner } = this.options;
    const { stream } = parts;
    const indexer = new StreamIndexer(parts, store, runner);
    const followed: FollowedStream = {
      indexer,
      unsubscribe: store.subscribe(stream, (batch) => {
        followed.newBytes += batch?.bytes.length ?? BLOCK_TARGET_BYTES;
        indexer.noteLines(performance.now());
        if (followed.newBytes >= BLOCK_TARGET_BYTES) this.enqueue(followed);
      }),
      newBytes: 0,
      queued: false,
      sealWanted: false,
      isDropped: false,
    };
    this.streams.set(stream, followed);
    const through = parts.packedThrough;
    const { last } = await store.bounds(stream);
    if (last > through) {
      indexer.noteLines(performance.now());
      this.enqueue(followed);
    }
    // Parts were synced, and a power cut may have taken the end of the stream: its numbers mustn't be given anew.
    if (last < through)
      await store.restore(
        stream,
        placeholderBatch(through, 'What was before is packed, and left the stream'),
      );
  }

  /** Undefined for a stream that isn't followed. */
  get(stream: AppId): StreamIndexer | undefined {
    return this.streams.get(stream)?.indexer;
  }

  /** The streams that are followed, in no order. */
  followed(): readonly AppId[] {
    return [...this.streams.keys()];
  }

  /** Packs everything that a stream has now, and closes its part. */
  async seal(stream: AppId): Promise<void> {
    const followed = this.streams.get(stream);
    if (!followed) return;
    followed.sealWanted = true;
    this.enqueue(followed);
    while (followed.sealWanted && this.running) await this.running;
  }

  /** Does something while no part is written, and none is put together with others. */
  async whileIdle<T>(work: () => Promise<T>): Promise<T> {
    while (this.running) await this.running;
    const done = work();
    this.running = done
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        this.running = undefined;
        if (this.queue.length > 0 && !this.isClosed) this.running ??= this.run();
      });
    return done;
  }

  /** Stops packing a stream; resolves when nothing is written to it any more. */
  async forget(stream: AppId): Promise<void> {
    const followed = this.streams.get(stream);
    if (!followed) return;
    followed.isDropped = true;
    followed.unsubscribe();
    this.streams.delete(stream);
    await this.running;
    await followed.indexer.abandon();
  }

  /** Follows nothing any more, and waits for what is being packed: what isn't packed is read from the stream at the next start. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    for (const { unsubscribe } of this.streams.values()) unsubscribe();
    await this.running;
  }

  private enqueue(followed: FollowedStream): void {
    if (!followed.queued && !followed.isDropped) {
      followed.queued = true;
      this.queue.push(followed);
    }
    if (!this.isClosed) this.running ??= this.run();
  }

  private async run(): Promise<void> {
    await undefined;
    try {
      for (let next = this.queue.shift(); next && !this.isClosed; next = this.queue.shift()) {
        next.queued = false;
        if (!next.isDropped) await this.pack(next);
      }
    } finally {
      this.running = undefined;
    }
  }

  private async pack(followed: FollowedStream): Promise<void> {
    const { indexer } = followed;
    const all = followed.sealWanted;
    followed.newBytes = 0;
    try {
      if (await indexer.pack(all)) this.enqueue(followed);
      else if (all) followed.sealWanted = false;
      await this.merge(indexer.parts);
      this.limitOpenParts(followed);
      this.trouble = undefined;
    } catch (error) {
      if (this.isClosed) return;
      followed.sealWanted = false;
      const trouble = `Lines can't be packed (${reasonOf(error)}): they stay in their stream, and it is tried again.`;
      if (trouble !== this.trouble) this.options.onProblem(trouble);
      this.trouble = trouble;
      setTimeout(() => this.enqueue(followed), RETRY_MS).unref();
    }
  }

  private lookForWaiting(): void {
    const dueMs = performance.now() - this.options.sealAfterMs;
    for (const followed of this.streams.values()) {
      const { waitingSince } = followed.indexer;
      if (waitingSince === undefined || waitingSince > dueMs) continue;
      followed.sealWanted = true;
      this.enqueue(followed);
    }
  }

  private limitOpenParts(newest: FollowedStream): void {
    const open = [...this.streams.values()].filter((one) => one.indexer.isWriting && one !== newest);
    if (open.length < OPEN_PARTS_MAX) return;
    const [largest] = open.sort(
      (a, b) => (b.indexer.open?.blocks.length ?? 0) - (a.indexer.open?.blocks.length ?? 0),
    );
    largest.sealWanted = true;
    this.enqueue(largest);
  }

  /** Makes one part of neighbors that are small, so that files stay few. */
  private async merge(parts: StreamParts): Promise<void> {
    const small = smallNeighbors(parts.all);
    if (small.length < MERGE_PARTS) return;
    for (const one of small) one.retain();
    try {
      const sources = small.map(({ path, contents }) => ({ path, blocks: contents.blocks }));
      const { part } = await this.options.runner.run({
        kind: 'merge',
        path: parts.unfinishedPath(),
        sources,
      });
      if (part) parts.replace(small, part);
    } finally {
      for (const one of small) one.release();
    }
  }
}

/** The newest run of parts beside each other that are small enough together to be one; none is much larger than those behind it. */
function smallNeighbors(parts: readonly Part[]): readonly Part[] {
  let bytes = 0;
  let from = parts.length;
  while (from > 0) {
    const part = parts[from - 1];
    // Imported lines stay by themselves, and so does what is damaged.
    if (part.first < 1 || part.isDamaged) break;
    const { rawBytes } = part.contents;
    const isLarge = rawBytes > Math.max(bytes * 2, MERGED_BYTES_MAX / 64);
    if (isLarge || bytes + rawBytes > MERGED_BYTES_MAX) break;
    bytes += rawBytes;
    from--;
  }
  return parts.slice(from);
}
