import { TailraceError } from '../../../../src/common/errors.ts';
import type { Sequence } from '../../../../src/logs/store/contract.ts';
import type { BlockEntry } from '../blocks/block-format.ts';
import type { FoundLine, SearchLimits, SearchRequest, SearchResult } from '../contract.ts';
import type { HitsJob, HitsReply, JobRunner, PackedHits } from '../jobs/job.ts';
import type { Part } from '../parts/part.ts';
import { compareRanks, type LineRank, rankBefore, readCursor, writeCursor } from '../scan/line-rank.ts';
import { MaxHeap } from './max-heap.ts';
import type { ReportFault, StreamView } from './stream-view.ts';

/** Jobs that are under way at the same time. */
const JOBS_MAX = 2;
/** Blocks of a job: few at first, so that what is common is found at once. */
const FIRST_BLOCKS = 1;
const BLOCKS_MAX = 32;

/** Something to be looked at; no line in it comes before `bound` in the direction. */
type Candidate =
  | { readonly bound: number; readonly kind: 'part'; readonly view: StreamView; readonly part: Part }
  | { readonly bound: number; readonly kind: 'tail'; readonly view: StreamView; readonly after: Sequence }
  | {
      readonly bound: number;
      readonly kind: 'block';
      readonly view: StreamView;
      readonly path: string;
      readonly block: BlockEntry;
    };

/**
 * Finds lines in the order of their times: looks at blocks in the order of the first line that may be in each, and ends when no block can have a
 * line that comes before those that were found.
 */
export async function searchLines(
  views: readonly StreamView[],
  request: SearchRequest,
  limits: SearchLimits,
  runner: JobRunner,
  report: ReportFault,
): Promise<SearchResult> {
  const search = new LineSearch(request, limits, runner, report);
  for (const view of views) search.addView(view);
  return search.run();
}

class LineSearch {
  private readonly request: SearchRequest;
  private readonly limits: SearchLimits;
  private readonly runner: JobRunner;
  private readonly report: ReportFault;
  private readonly cursor: LineRank | undefined;
  private readonly fromMs: number;
  private readonly toMs: number;
  /** Of times, so that what comes first has the larger number. */
  private readonly sign: 1 | -1;
  private readonly candidates = new MaxHeap<Candidate>();
  private readonly running = new Map<Promise<void>, number>();
  private found: FoundLine[] = [];
  private blocksNext = FIRST_BLOCKS;
  private failure: unknown;
  /** The first {@link frontier} that was known. */
  private beganAt: number | undefined;

  constructor(request: SearchRequest, limits: SearchLimits, runner: JobRunner, report: ReportFault) {
    this.request = request;
    this.limits = limits;
    this.runner = runner;
    this.report = report;
    this.cursor = request.cursor === undefined ? undefined : readCursor(request.cursor);
    const before = request.direction === 'before';
    this.sign = before ? 1 : -1;
    const { fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY } = request;
    this.fromMs = before ? fromMs : Math.max(fromMs, this.cursor?.timeMs ?? fromMs);
    // A cursor's own time may have lines on both sides of it.
    this.toMs = before ? Math.min(toMs, this.cursor ? this.cursor.timeMs + 1 : toMs) : toMs;
  }

  addView(view: StreamView): void {
    for (const part of view.parts)
      this.candidates.push({ bound: Number.POSITIVE_INFINITY, kind: 'part', view, part });
    if (view.open) this.addBlocks(view, view.open.path, view.open.blocks);
    this.candidates.push({ bound: Number.POSITIVE_INFINITY, kind: 'tail', view, after: view.tailAfter });
  }

  async run(): Promise<SearchResult> {
    const { limits } = this;
    const endMs = performance.now() + (limits.timeoutMs ?? Number.POSITIVE_INFINITY);
    while (!this.isDone()) {
      limits.signal?.throwIfAborted();
      if (performance.now() >= endMs && this.hasProgressed()) return this.early();
      while (this.running.size < JOBS_MAX && this.mayHelp(this.candidates.top)) this.startNext();
      if (this.running.size > 0) await Promise.race(this.running.keys());
      if (this.failure !== undefined) throw this.failure;
    }
    return this.result();
  }

  private bound({ minMs, maxMs }: { readonly minMs: number; readonly maxMs: number }): number {
    return this.sign === 1 ? maxMs : -minMs;
  }

  private isInRange({ minMs, maxMs }: { readonly minMs: number; readonly maxMs: number }): boolean {
    return maxMs >= this.fromMs && minMs < this.toMs;
  }

  private addBlocks(view: StreamView, path: string, blocks: readonly BlockEntry[]): void {
    for (const block of blocks)
      if (this.isInRange(block))
        this.candidates.push({ bound: this.bound(block), kind: 'block', view, path, block });
  }

  /** Can something with this bound have a line that belongs to the result? */
  private mayHelp(bound: number): boolean {
    if (bound === Number.NEGATIVE_INFINITY) return false;
    const { limit } = this.request;
    return this.found.length < limit || bound >= this.found[limit - 1].timeMs * this.sign;
  }

  /** Where the first line may be of what wasn't looked at. */
  private get frontier(): number {
    return Math.max(this.candidates.top, ...this.running.values());
  }

  /** Has it come further than it was when it began? Else whoever goes on from its end would never come anywhere. */
  private hasProgressed(): boolean {
    const { frontier } = this;
    if (!Number.isFinite(frontier)) return false;
    this.beganAt ??= frontier;
    return frontier < this.beganAt;
  }

  private isDone(): boolean {
    return this.running.size === 0 && !this.mayHelp(this.candidates.top);
  }

  private startNext(): void {
    const next = this.candidates.pop();
    if (!next) return;
    if (next.kind === 'part') {
      const { contents } = next.part;
      if (!this.isInRange(contents)) return;
      const bound = this.bound(contents);
      // Its first line may come later than what else there is.
      if (bound < next.bound && bound < this.candidates.top) this.candidates.push({ ...next, bound });
      else this.start(next.bound, this.expand(next.view, next.part));
    } else if (next.kind === 'tail') this.start(next.bound, this.scanTail(next.view, next.after));
    else {
      const blocks = [next.block];
      while (blocks.length < this.blocksNext) {
        const other = this.candidates.peek();
        if (other?.kind !== 'block' || other.path !== next.path) break;
        this.candidates.pop();
        blocks.push(other.block);
      }
      if (this.blocksNext < BLOCKS_MAX) this.blocksNext *= 2;
      this.start(next.bound, this.scanBlocks(next.view, next.path, blocks));
    }
  }

  private start(bound: number, work: Promise<void>): void {
    const tracked: Promise<void> = work
      .catch((error: unknown) => {
        this.failure ??= error;
      })
      .finally(() => this.running.delete(tracked));
    this.running.set(tracked, bound);
  }

  private async expand(view: StreamView, part: Part): Promise<void> {
    this.addBlocks(view, part.path, await view.filtered(this.runner, part));
  }

  private job(view: StreamView): Omit<HitsJob, 'source'> {
    const { direction, limit } = this.request;
    const { fromMs, toMs, cursor } = this;
    return {
      kind: 'hits',
      selection: { stream: view.stream, query: view.query, fromMs, toMs },
      direction,
      cursor,
      limit,
    };
  }

  private async scanBlocks(view: StreamView, path: string, blocks: readonly BlockEntry[]): Promise<void> {
    const { hits } = await view.scan<HitsJob>(this.runner, this.job(view), { path, blocks }, this.report);
    this.addHits(view, hits);
  }

  private async scanTail(view: StreamView, after: Sequence): Promise<void> {
    const tail = await view.readTail(after);
    if (!tail) return;
    // Other threads look at it meanwhile.
    this.candidates.push({ bound: Number.POSITIVE_INFINITY, kind: 'tail', view, after: tail.last });
    const source = { kind: 'batches', batches: tail.lines, after };
    const job = { ...this.job(view), source } as HitsJob;
    const reply: HitsReply = await this.runner.run(job).finally(tail.release);
    this.addHits(view, reply.hits);
  }

  private addHits({ stream }: StreamView, hits: PackedHits): void {
    if (hits.times.length === 0) return;
    const { sign, found } = this;
    found.push(...foundLines(stream, hits));
    found.sort((a, b) => compareRanks(b, a) * sign);
    if (found.length > this.request.limit) found.length = this.request.limit;
  }

  private result(): SearchResult {
    const { found, request } = this;
    const last = found.at(-1);
    const isMore = last !== undefined && found.length >= request.limit;
    return { lines: found, cursor: isMore ? writeCursor(last) : undefined, searchedToMs: undefined };
  }

  /** What is certain when the time is up: lines that come before everything that wasn't looked at. */
  private early(): SearchResult {
    const { sign, found, frontier } = this;
    if (!this.mayHelp(frontier)) return this.result();
    const lines = found.filter(({ timeMs }) => timeMs * sign > frontier);
    const searchedToMs = frontier * sign;
    return {
      lines,
      cursor: writeCursor(rankBefore(sign === 1 ? searchedToMs + 1 : searchedToMs)),
      searchedToMs,
    };
  }
}

/** Lines as they are handed out. */
export function foundLines(stream: FoundLine['stream'], hits: PackedHits): FoundLine[] {
  const records = Buffer.from(hits.records.buffer, hits.records.byteOffset, hits.records.length);
  let start = 0;
  return Array.from(hits.times, (timeMs, i) => {
    const record = records.subarray(start, hits.ends[i]);
    start = hits.ends[i];
    return { stream, sequence: hits.sequences[i], timeMs, receivedAtMs: hits.received[i], record };
  });
}

/** @throws TailraceError `invalid_params` when a limit isn't a number of lines. */
export function assertLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1)
    throw new TailraceError('invalid_params', 'limit is a number of lines, from 1.');
}
