/** What a thread that scans files runs. */
import { answerJobs } from '../../../common/limits/job-thread.ts';
import { scannedLineLevel } from '../../query/prefilter/wasm-search.ts';
import { QueryMatcher } from '../../query/query-matcher.ts';
import { LineFilter } from '../../syslog/line-filter.ts';
import { scanFile } from './scan-file.ts';
import type { FilterData, ScanJob, ScanReply } from './scan-job.ts';

/** The filter of the job before: a search is many jobs. */
let filter = new LineFilter();

answerJobs(
  (job: ScanJob) => scanFile(job, filterOf(job.filter)),
  (reply: ScanReply) =>
    reply
      ? [reply.sequences.buffer, reply.counts.buffer, ...(reply.found ? [reply.found.bytes.buffer] : [])]
      : [],
);

function filterOf({ sources, dynos, level, query, key }: FilterData): LineFilter {
  if (filter.key !== key)
    filter = new LineFilter({
      sources,
      dynos,
      level,
      matcher: query && new QueryMatcher(query, matcherKey(key)),
      levelOf: scannedLineLevel,
    });
  return filter;
}

/** See {@link LineFilter.key}. */
function matcherKey(key: string): string {
  const parts = JSON.parse(key) as readonly unknown[];
  return String(parts.at(-1));
}
