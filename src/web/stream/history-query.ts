/** Which lines of the past are read at once. */
import { type Filters, filterParams } from './filters.ts';

export interface HistoryQuery {
  /** The last lines before this position … */
  readonly before?: number;
  /** … or before this time, milliseconds since 1970 … */
  readonly untilMs?: number;
  /** … or the first ones behind this position. */
  readonly after?: number;
  /** How many, at the most. */
  readonly lines: number;
}

/** The parameters of `GET /apps/:app/logs` for it. */
export function historyParams(
  filters: Filters,
  { before, untilMs, after, lines }: HistoryQuery,
): URLSearchParams {
  const params = filterParams(filters);
  params.set('format', 'json');
  params.set('tail', 'false');
  params.set(after === undefined ? 'lines' : 'first', String(lines));
  if (before !== undefined) params.set('before', String(before));
  if (after !== undefined) params.set('after', String(after));
  if (untilMs !== undefined) params.set('until', new Date(untilMs).toISOString());
  return params;
}
