import type { AppId } from '../store/contract.ts';

/** Lines and bytes that one app got. */
export interface AppCount {
  lines: number;
  bytes: number;
}

/** What a listener took and what it turned away, since the start. */
export interface SourceCounters {
  readonly protocol: string;
  lines: number;
  /** Bytes of the lines that were taken. */
  bytes: number;
  malformed: number;
  unknownToken: number;
  /** Lines turned away because too much waited to be stored. */
  lost: number;
  /** Lines turned away because their token or app had sent more than it may. */
  limited: number;
  /** Frames that had been stored before. */
  duplicates: number;
  connections: number;
  /** Connections that were ended because they were too many, idle, or too slow. */
  cut: number;
}

const byApp = new WeakMap<SourceCounters, Map<AppId, AppCount>>();

export function sourceCounters(protocol: string): SourceCounters {
  const counters = {
    protocol,
    lines: 0,
    bytes: 0,
    malformed: 0,
    unknownToken: 0,
    lost: 0,
    limited: 0,
    duplicates: 0,
    connections: 0,
    cut: 0,
  };
  byApp.set(counters, new Map());
  return counters;
}

/** What each app got through a listener; apart from the counters, which are shown as they are. */
export function appCounts(counters: SourceCounters): Map<AppId, AppCount> {
  return byApp.get(counters) ?? new Map();
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
