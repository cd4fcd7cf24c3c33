/** Counts over many blocks: of lines in spans of time, of the values of a field. */
import { TailraceError } from '../../../../src/common/errors.ts';
import type { BlockEntry } from '../blocks/block-format.ts';
import { forEachMinute, MINUTE_MS } from '../blocks/minute-counts.ts';
import type {
  CountBucket,
  CountRequest,
  FieldRequest,
  FieldValues,
  LineSelection,
  SearchLimits,
} from '../contract.ts';
import { facetName } from '../fields/facet-counts.ts';
import type { CountsJob, JobReply, JobRunner, ScanJob, ValuesJob } from '../jobs/job.ts';
import type { Part } from '../parts/part.ts';
import type { BlockRun, ReportFault, StreamView, TailLines } from './stream-view.ts';

/** Blocks of a job, and jobs that are under way at the same time. */
const JOB_BLOCKS = 32;
const JOBS_MAX = 2;
/** Buckets of an answer: nobody can look at more. */
const BUCKETS_MAX = 100_000;

/** What all tallies need. */
export interface TallyContext {
  readonly runner: JobRunner;
  readonly limits: SearchLimits;
  readonly report: ReportFault;
}

interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

function rangeOf({
  fromMs = Number.NEGATIVE_INFINITY,
  toMs = Number.POSITIVE_INFINITY,
}: LineSelection): Range {
  return { fromMs, toMs };
}

/** Counts lines by time and level. */
export async function countLines(
  views: readonly StreamView[],
  request: CountRequest,
  context: TallyContext,
): Promise<CountBucket[]> {
  const { stepMs } = request;
  if (!(stepMs >= 1) || !Number.isInteger(stepMs))
    throw new TailraceError('invalid_params', 'step is a number of whole milliseconds, from 1.');
  const range = rangeOf(request);
  const buckets = new Map<number, [error: number, warning: number, other: number]>();
  const add = (startMs: number, error: number, warning: number, other: number): void => {
    const start = Math.floor(startMs / stepMs) * stepMs;
    let bucket = buckets.get(start);
    if (!bucket) {
      if (buckets.size >= BUCKETS_MAX)
        throw new TailraceError(
          'invalid_params',
          'There would be too many steps: take a larger step, or a shorter time.',
        );
      bucket = [0, 0, 0];
      buckets.set(start, bucket);
    }
    bucket[0] += error;
    bucket[1] += warning;
    bucket[2] += other;
  };
  const byMinutes = stepMs % MINUTE_MS === 0;
  const job = { kind: 'counts', stepMs } as const;
  await scanAll<CountsJob>(views, range, job, context, {
    takePart: ({ query }, part) => {
      const counts = query === undefined && byMinutes ? part.counts : undefined;
      if (!counts) return undefined;
      return (_block, i) => {
        forEachMinute(counts[i], add);
        return true;
      };
    },
    takeReply: ({ buckets: found }) => {
      for (let i = 0; i + 4 <= found.length; i += 4) add(found[i], found[i + 1], found[i + 2], found[i + 3]);
    },
  });
  return [...buckets]
    .sort(([a], [b]) => a - b)
    .map(([startMs, [error, warning, other]]) => ({ startMs, error, warning, other }));
}

/** Counts the values of a field. */
export async function countValues(
  views: readonly StreamView[],
  request: FieldRequest,
  context: TallyContext,
): Promise<FieldValues> {
  const { field, limit } = request;
  const values = new Map<string, number>();
  let missingCount = 0;
  let otherCount = 0;
  const add = (found: Readonly<Record<string, number>>, lines: number): void => {
    let having = 0;
    for (const [value, count] of Object.entries(found)) {
      values.set(value, (values.get(value) ?? 0) + count);
      having += count;
    }
    missingCount += lines - having;
  };
  const facet = facetName(field);
  const range = rangeOf(request);
  await scanAll<ValuesJob>(views, range, { kind: 'values', field }, context, {
    takePart: ({ query }, part) => {
      if (facet === undefined || query !== undefined) return undefined;
      const { contents } = part;
      const ofPart = isWithin(contents, range) ? part.facets?.[facet] : undefined;
      if (ofPart) {
        add(ofPart, contents.lines);
        return () => true;
      }
      const facets = part.readBlockFacets();
      return (block, i) => {
        const found = facets?.[i][facet];
        if (found) add(found, block.count);
        return found !== undefined;
      };
    },
    takeReply: (reply) => {
      missingCount += reply.missing;
      otherCount += reply.others;
      for (const [value, count] of reply.values) values.set(value, (values.get(value) ?? 0) + count);
    },
  });
  const all = [...values].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  for (const [, count] of all.slice(limit)) otherCount += count;
  return {
    values: all.slice(0, limit).map(([value, count]) => ({ value, count })),
    otherCount,
    missingCount,
  };
}

interface Takers<J extends ScanJob> {
  /**
   * Takes what is known of a part without unpacking it: the function does so for one of its blocks, all of whose lines are in the range; false when
   * it has to be scanned. Undefined when all have to be.
   */
  readonly takePart: (
    view: StreamView,
    part: Part,
  ) => ((block: BlockEntry, index: number) => boolean) | undefined;
  readonly takeReply: (reply: JobReply<J>) => void;
}

/** Looks at all lines of a selection, or at as many as there is time for. */
async function scanAll<J extends CountsJob | ValuesJob>(
  views: readonly StreamView[],
  { fromMs, toMs }: Range,
  job: Omit<J, 'source' | 'selection'>,
  { runner, limits, report }: TallyContext,
  { takePart, takeReply }: Takers<J>,
): Promise<void> {
  const endMs = performance.now() + (limits.timeoutMs ?? Number.POSITIVE_INFINITY);
  const work = workOf(views, { fromMs, toMs }, takePart, (view, part) => view.filtered(runner, part));
  // What columns didn't tell.
  const toRead: Work[] = [];
  const nextWork = async (): Promise<Work | undefined> => {
    const left = toRead.shift();
    if (left) return left;
    const next = await work.next();
    return next.done ? undefined : next.value;
  };
  const lane = async (): Promise<void> => {
    for (let next = await nextWork(); next; next = await nextWork()) {
      limits.signal?.throwIfAborted();
      if (performance.now() >= endMs) {
        limits.onTimeout?.();
        return;
      }
      const { view, run, tail, after } = next;
      const selection = { stream: view.stream, query: view.query, fromMs, toMs };
      const whole = { ...job, selection } as unknown as Omit<J, 'source'>;
      if (run) {
        const reply = await view.scan<J>(runner, whole, run, report);
        takeReply(reply);
        if (reply.toRead) toRead.push(...runsOf(view, run.path, reply.toRead, 'to-read'));
      } else if (tail) {
        const source = { kind: 'batches', batches: tail.lines, after };
        takeReply(await runner.run({ ...whole, source } as unknown as J).finally(tail.release));
      }
    }
  };
  await Promise.all(Array.from({ length: JOBS_MAX }, lane));
}

interface Work {
  readonly view: StreamView;
  readonly run?: BlockRun;
  readonly tail?: TailLines;
  readonly after?: number;
}

/** What has to be scanned, newest first. */
async function* workOf(
  views: readonly StreamView[],
  range: Range,
  takePart: Takers<ScanJob>['takePart'],
  filtered: (view: StreamView, part: Part) => Promise<readonly BlockEntry[]>,
): AsyncGenerator<Work> {
  for (const view of views) {
    let after = view.tailAfter;
    for (;;) {
      const tail = await view.readTail(after);
      if (!tail) break;
      yield { view, tail, after };
      after = tail.last;
    }
    if (view.open)
      yield* runsOf(
        view,
        view.open.path,
        view.open.blocks.filter((block) => overlaps(block, range)),
      );
    for (const part of view.parts.toReversed()) {
      const { contents } = part;
      if (!overlaps(contents, range)) continue;
      const take = takePart(view, part);
      const taken = new Set(
        take && contents.blocks.filter((block, i) => isWithin(block, range) && take(block, i)),
      );
      if (taken.size === contents.blocks.length) continue;
      if (part.hasColumns) {
        const blocks = contents.blocks.filter((block) => overlaps(block, range) && !taken.has(block));
        if (blocks.length > 0) yield { view, run: { path: part.path, blocks, lines: 'in-columns' } };
        continue;
      }
      const rest = (await filtered(view, part)).filter(
        (block) => overlaps(block, range) && !taken.has(block),
      );
      yield* runsOf(view, part.path, rest);
    }
  }
}

interface Times {
  readonly minMs: number;
  readonly maxMs: number;
}

function overlaps({ minMs, maxMs }: Times, { fromMs, toMs }: Range): boolean {
  return maxMs >= fromMs && minMs < toMs;
}

function isWithin({ minMs, maxMs }: Times, { fromMs, toMs }: Range): boolean {
  return minMs >= fromMs && maxMs < toMs;
}

function* runsOf(
  view: StreamView,
  path: string,
  blocks: readonly BlockEntry[],
  lines?: 'to-read',
): Generator<Work> {
  for (let i = 0; i < blocks.length; i += JOB_BLOCKS)
    yield { view, run: { path, blocks: blocks.slice(i, i + JOB_BLOCKS), ...(lines && { lines }) } };
}
