/** What a thread that scans files runs. */

import { answerJobs } from '../../../common/limits/job-thread.ts';
import { LruCache } from '../../../common/lru-cache.ts';
import { scannedLineLevel } from '../../query/prefilter/wasm-search.ts';
import { QueryMatcher } from '../../query/query-matcher.ts';
import { LineFilter } from '../../syslog/line-filter.ts';
import { scanFile } from './scan-file.ts';
import type { FilterData, ScanJob, ScanReply } from './scan-job.ts';

/** Searches that take turns: each is many jobs. */
const FILTERS_MAX = 64;
const filters = new LruCache<string, LineFilter>(FILTERS_MAX);

answerJobs(
  (job: ScanJob) => scanFile(job, filterOf(job.filter)),
  (reply: ScanReply) =>
    reply
      ? [reply.sequences.buffer, reply.counts.buffer, ...(reply.found ? [reply.found.bytes.buffer] : [])]
      : [],
);

function filterOf({ sources, dynos, level, query, key }: FilterData): LineFilter {
  let filter = filters.get(key);
  if (!filter) {
    const matcher = query && new QueryMatcher(query, matcherKey(key));
    filter = new LineFilter({ sources, dynos, level, matcher, levelOf: scannedLineLevel });
    filters.set(key, filter);
  }
  return filter;
}

/** See {@link LineFilter.key}. */
function matcherKey(key: string): string {
  const parts = JSON.parse(key) as readonly unknown[];
  return String(parts.at(-1));
}
