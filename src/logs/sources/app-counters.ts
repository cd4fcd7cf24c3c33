import type { AppId } from '../store/contract.ts';
import type { ListenerCounters } from './listener-counters.ts';

/** Lines and bytes that one app got. */
export interface AppCounters {
  lines: number;
  bytes: number;
}

const appCounters = new WeakMap<ListenerCounters, Map<AppId, AppCounters>>();

/** What each app got through a listener; apart from the counters, which are shown as they are. */
export function countersByApp(counters: ListenerCounters): Map<AppId, AppCounters> {
  let counts = appCounters.get(counters);
  if (!counts) {
    counts = new Map();
    appCounters.set(counters, counts);
  }
  return counts;
}

/** Where to count the lines of one app. */
export function countersForApp(counters: ListenerCounters, app: AppId): AppCounters {
  const counts = countersByApp(counters);
  let count = counts.get(app);
  if (!count) {
    count = { lines: 0, bytes: 0 };
    counts.set(app, count);
  }
  return count;
}
