/** Reads lines of a stream in the order of their sequences. */
import type { Sequence } from '../../../../src/logs/store/contract.ts';
import type { FoundLine } from '../contract.ts';
import type { JobRunner, ReadJob } from '../jobs/job.ts';
import { foundLines } from './search-lines.ts';
import type { BlockRun, ReportFault, StreamView } from './stream-view.ts';

/** Lines `from` to `to`, in pieces of about a block. */
export async function* readLines(
  view: StreamView,
  from: Sequence,
  to: Sequence,
  runner: JobRunner,
  report: ReportFault,
): AsyncGenerator<FoundLine[]> {
  const { stream } = view;
  const selection = {
    stream,
    query: undefined,
    fromMs: Number.NEGATIVE_INFINITY,
    toMs: Number.POSITIVE_INFINITY,
  };
  const job = { kind: 'read', selection, from, to } as const;
  for (const run of runsBetween(view, from, to)) {
    const { hits } = await view.scan<ReadJob>(runner, job, run, report);
    if (hits.times.length > 0) yield foundLines(stream, hits);
  }
  for (let after = Math.max(view.tailAfter, from - 1); after < to; ) {
    const tail = await view.readTail(after);
    if (!tail) return;
    const source = { kind: 'batches', batches: tail.lines, after } as const;
    const { hits } = await runner.run<ReadJob>({ ...job, source }).finally(tail.release);
    if (hits.times.length > 0) yield foundLines(stream, hits);
    after = tail.last;
  }
}

function* runsBetween({ parts, open }: StreamView, from: Sequence, to: Sequence): Generator<BlockRun> {
  for (const part of parts) {
    if (part.last < from || part.first > to) continue;
    for (const block of part.contents.blocks)
      if (block.first + block.count > from && block.first <= to) yield { path: part.path, blocks: [block] };
  }
  for (const block of open?.blocks ?? [])
    if (block.first + block.count > from && block.first <= to) yield { path: open!.path, blocks: [block] };
}
