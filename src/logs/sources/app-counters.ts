import type { AppId } from '../store/contract.ts';
import type { ListenerCounters } from './listener-counters.ts';

/** Accepted lines and bytes of one app. */
export interface AppCounters {
  lines: number;
  bytes: number;
}

const appCounters = new WeakMap<ListenerCounters, Map<AppId, AppCounters>>();

/** The counters of a listener's apps; apart from {@link ListenerCounters}, which the API shows as they are. */
export function countersByApp(counters: ListenerCounters): Map<AppId, AppCounters> {
  let counts = appCounters.get(counters);
  if (!counts) {
    counts = new Map();
    appCounters.set(counters, counts);
  }
  return counts;
}

/** Where to count the lines of one app. @param counts see {@link countersByApp} */
export function countersForApp(counts: Map<AppId, AppCounters>, app: AppId): AppCounters {
  let count = counts.get(app);
  if (!count) {
    count = { lines: 0, bytes: 0 };
    counts.set(app, count);
  }
  return count;
}
