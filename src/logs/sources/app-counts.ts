import type { AppId } from '../store/contract.ts';
import type { SourceCounters } from './counters.ts';

/** Lines and bytes that one app got. */
export interface AppCount {
  lines: number;
  bytes: number;
}

const byApp = new WeakMap<SourceCounters, Map<AppId, AppCount>>();

/** What each app got through a listener; apart from the counters, which are shown as they are. */
export function appCounts(counters: SourceCounters): Map<AppId, AppCount> {
  let counts = byApp.get(counters);
  if (!counts) {
    counts = new Map();
    byApp.set(counters, counts);
  }
  return counts;
}

/** Where to count the lines of one app. */
export function countFor(counters: SourceCounters, app: AppId): AppCount {
  const counts = appCounts(counters);
  let count = counts.get(app);
  if (!count) {
    count = { lines: 0, bytes: 0 };
    counts.set(app, count);
  }
  return count;
}
