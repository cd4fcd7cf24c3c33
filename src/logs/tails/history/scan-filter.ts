/** The filters of jobs, in the thread that scans. */
import { LruCache } from '../../../common/lru-cache.ts';
import { scannedLineLevel } from '../../query/prefilter/wasm-search.ts';
import { QueryMatcher } from '../../query/query-matcher.ts';
import { LineFilter } from '../../syslog/line-filter.ts';
import type { FilterData } from './scan-job.ts';

/** Searches that take turns: each is many jobs. */
const FILTERS_MAX = 64;
const filters = new LruCache<string, LineFilter>(FILTERS_MAX);

export function filterOf({
  sources,
  dynos,
  level,
  query,
  queryKey,
  wholeEvents,
  key,
}: FilterData): LineFilter {
  let filter = filters.get(key);
  if (!filter) {
    const matcher = query && new QueryMatcher(query, queryKey);
    filter = new LineFilter({ sources, dynos, level, matcher, wholeEvents, levelOf: scannedLineLevel });
    filters.set(key, filter);
  }
  return filter;
}
