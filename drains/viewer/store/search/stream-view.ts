/** What of a stream can be searched at one moment; it stays until it is released. */
import { existsSync } from 'node:fs';
import type { QueryNode } from '../../../../src/logs/query/query-syntax.ts';
import type { AppId, Sequence, Store } from '../../../../src/logs/store/contract.ts';
import type { BlockEntry } from '../blocks/block-format.ts';
import type { FilterPlan } from '../filter/filter-plan.ts';
import type { StreamIndexer } from '../indexer/stream-indexer.ts';
import type { BlockFault, JobReply, JobRunner, ScanJob } from '../jobs/job.ts';
import { READ_BYTES, SharedReads } from '../jobs/shared-reads.ts';
import type { Part } from '../parts/part.ts';
import type { LinesToPack } from '../parts/part-writer.ts';

export type ReportFault = (path: string, stream: AppId, fault: BlockFault) => void;

/** What a view was made of isn't there any more: it has to be made anew. */
export class ViewOutdated extends Error {}

/** Blocks of one file. */
export interface BlockRun {
  readonly path: string;
  readonly blocks: readonly BlockEntry[];
  /** As in {@link ScanJob}. */
  readonly lines?: 'in-columns' | 'to-read';
}

/** Lines that are in no block, for a thread. */
export interface TailLines {
  readonly lines: readonly LinesToPack[];
  /** The last of them. */
  readonly last: Sequence;
  /** To be called when they aren't read any more. */
  release(): void;
}

/** A query, and by which of a part's blocks it can be passed. */
export interface PlannedQuery {
  readonly query: QueryNode;
  readonly plan: FilterPlan | undefined;
}

/** Its parts stay until {@link release}. Lines behind them are read from the stream; when these were packed and trimmed meanwhile, it is outdated. */
export class StreamView {
  readonly stream: AppId;
  /** What is asked of its lines; undefined: every line. */
  readonly query: QueryNode | undefined;
  private readonly plan: FilterPlan | undefined;
  readonly parts: readonly Part[];
  /** Blocks of the part that is being written. */
  readonly open: BlockRun | undefined;
  /** Lines behind it are read from the stream. */
  readonly tailAfter: Sequence;
  private readonly store: Store;
  private readonly indexer: StreamIndexer;

  constructor(stream: AppId, planned: PlannedQuery | undefined, indexer: StreamIndexer, store: Store) {
    this.stream = stream;
    this.query = planned?.query;
    this.plan = planned?.plan;
    this.indexer = indexer;
    this.store = store;
    this.parts = indexer.parts.all;
    const { open } = indexer;
    this.open = open && { path: open.path, blocks: [...open.blocks] };
    this.tailAfter = indexer.searchableThrough;
    for (const part of this.parts) part.retain();
  }

  /** Once, when nothing is read of it any more: parts that were removed meanwhile are removed with that. */
  release(): void {
    for (const part of this.parts) part.release();
  }

  /**
   * The next lines that were in no block when this view was made, behind a sequence; undefined when there are no more.
   * @throws ViewOutdated when they are packed by now, and have left the stream.
   */
  async readTail(after: Sequence): Promise<TailLines | undefined> {
    const reads = new SharedReads();
    let isRead = false;
    try {
      const batches = await this.store.read(this.stream, after, READ_BYTES, reads);
      const last = batches.at(-1)?.last;
      const isGap = last === undefined || batches[0].first > after + 1;
      if (isGap && this.indexer.parts.packedThrough > after) throw new ViewOutdated();
      if (last === undefined) return undefined;
      isRead = true;
      const lines = batches.map(({ first, storedAtMs, bytes }) => ({
        first,
        receivedAtMs: storedAtMs,
        bytes,
      }));
      return { lines, last, release: () => reads.release() };
    } finally {
      if (!isRead) reads.release();
    }
  }

  private isReplaced(path: string): boolean {
    const part = this.parts.find((one) => one.path === path);
    const now = this.indexer.parts.all.find((one) => one.path === path);
    return part !== undefined && now !== undefined && now !== part;
  }

  /** The blocks of a part in which a line may match. */
  async filtered(runner: JobRunner, part: Part): Promise<readonly BlockEntry[]> {
    const { blocks } = part.contents;
    const { plan } = this;
    if (!plan || !part.hasFilter) return blocks;
    const { blocks: bits } = await runner.run({ kind: 'filter', path: part.path, plan });
    return bits ? blocks.filter((_block, i) => (bits[i >> 3] >> (i & 7)) & 1) : blocks;
  }

  /** Scans blocks of a part, or of the one that was written when this view was made: it may have got its name since. */
  async scan<J extends ScanJob>(
    runner: JobRunner,
    job: Omit<J, 'source'>,
    { path, blocks, lines }: BlockRun,
    report: ReportFault,
  ): Promise<JobReply<J>> {
    const on = (at: string): Promise<JobReply<J>> =>
      runner.run({ ...job, source: { kind: 'file', path: at, blocks, lines } } as unknown as J);
    let reply = await on(path);
    if (reply && 'isGone' in reply && reply.isGone && path === this.open?.path) {
      await this.indexer.sealed;
      const [block] = blocks;
      const sealed = this.indexer.parts.all.find(
        ({ first, last }) => first <= block.first && block.first <= last,
      );
      const isSame = sealed?.contents.blocks.some(
        ({ first, offset }) => first === block.first && offset === block.offset,
      );
      // It was put together with others since.
      if (!sealed || !isSame) throw new ViewOutdated();
      reply = await on(sealed.path);
    }
    // Another file has its name since, from which lines were deleted.
    if (reply && 'faults' in reply && reply.faults.length > 0 && this.isReplaced(path))
      throw new ViewOutdated();
    // Nobody has lost what was dropped.
    if (reply && 'faults' in reply && existsSync(this.indexer.parts.folder))
      for (const fault of reply.faults) report(path, this.stream, fault);
    return reply;
  }
}
