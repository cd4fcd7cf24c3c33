/** Which lines are looked at: of which streams, with what in them, and of what time. */

import { parseTime } from '../../../common/time-expression.ts';
import { zonedSearch } from '../../../logs/query/query-times.ts';
import { serverNowMs } from '../../stream/server-clock.ts';

export interface ViewerSelection {
  /** The id of a group, or ''. */
  readonly group: string;
  /** The id of a stream, or ''. Without either: all streams. */
  readonly stream: string;
  readonly q: string;
  /** Times as people write them, or ''. */
  readonly from: string;
  readonly to: string;
}

export const ALL_LINES: ViewerSelection = { group: '', stream: '', q: '', from: '', to: '' };

/** What is counted where nothing says since when: a day. */
export const SUMMARY_MS = 86_400_000;

/** Narrower in time: milliseconds since 1970, `toMs` not included. */
export interface TimeLimits {
  readonly fromMs?: number;
  readonly toMs?: number;
}

/** The server's parameters of a selection; what isn't set is left out. */
export function selectionParams(
  { group, stream, q, from, to }: ViewerSelection,
  limits: TimeLimits = {},
): URLSearchParams {
  const params = new URLSearchParams();
  if (stream) params.set('stream', stream);
  else if (group) params.set('group', group);
  const now = serverNowMs();
  if (q) params.set('q', zonedSearch(q, now));
  const [fromMs, toMs] = [from ? parseTime(from, now) : undefined, to ? parseTime(to, now) : undefined];
  const start = latest(fromMs, limits.fromMs);
  const end = earliest(toMs, limits.toMs);
  if (start !== undefined) params.set('from', new Date(start).toISOString());
  if (end !== undefined) params.set('to', new Date(end).toISOString());
  return params;
}

/** The same for whoever shows lines: a search finds events as a whole. */
export function lineParams(selection: ViewerSelection, limits?: TimeLimits): URLSearchParams {
  const params = selectionParams(selection, limits);
  if (params.has('q')) params.set('events', 'yes');
  return params;
}

/** Counts of fields go over the selection's time, or over a day when it has no beginning. */
export function summaryParams(selection: ViewerSelection): URLSearchParams {
  const params = selectionParams(selection);
  const to = params.get('to');
  if (!params.has('from'))
    params.set('from', new Date((to ? Date.parse(to) : serverNowMs()) - SUMMARY_MS).toISOString());
  return params;
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
