/** Which lines of a stream are shown. The server applies them, to the past and to live lines. */
import { zonedSearch } from '../../logs/query/query-times.ts';
import type { LineLevel } from './line.ts';
import { serverNowMs } from './server-clock.ts';

/** '' is any. Of names there may be several, with commas between them. */
export interface Filters {
  readonly source: string;
  /** Dynos, or types of dynos (`web` is `web.1`, `web.2` …), with commas between them. */
  readonly dyno: string;
  /** This level and those that are more serious. */
  readonly level: LineLevel | '';
  /** A search expression as `?q=` takes it. */
  readonly q: string;
}

export const NO_FILTERS: Filters = { source: '', dyno: '', level: '', q: '' };

/** Is any of them set, so that an empty list may be theirs? */
export function isFiltered(filters: Filters): boolean {
  return Object.values(filters).some((value) => value !== '');
}

/** The filters as the server's parameters, with times of the browser's zone; what isn't set is left out. */
export function filterParams(filters: Filters): URLSearchParams {
  const params = new URLSearchParams();
  const asked = { ...filters, q: zonedSearch(filters.q, serverNowMs()) };
  for (const [name, value] of Object.entries(asked)) if (value) params.set(name, value);
  return params;
}

/** The names of a filter. */
export function splitNames(names: string): string[] {
  return names.split(',').filter((name) => name !== '');
}
