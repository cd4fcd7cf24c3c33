/** What is in the address bar: the app, the filters, the line. So that a view can be bookmarked, linked and gone back to. */
import { parseRange } from './stream/counts/view-range.ts';
import type { Filters } from './stream/filters.ts';
import { LINE_LEVELS } from './stream/line.ts';

export interface ViewLocation {
  readonly app: string;
  readonly filters: Filters;
  /** The position of the selected line, or ''. */
  readonly at: string;
  /** What the histogram shows, as `parseRange` reads it, or ''. */
  readonly range: string;
}

/** The server takes 15 digits, also of the position behind. */
const POSITION_MAX = 999_999_999_999_999;

/** Reads the query part of an address. */
export function parseViewLocation(query: string): ViewLocation {
  const values = new URLSearchParams(query);
  const text = (name: string): string => values.get(name) ?? '';
  const at = text('at');
  return {
    app: text('app'),
    filters: {
      source: text('source'),
      dyno: text('dyno'),
      level: LINE_LEVELS.find((level) => level === text('level')) ?? '',
      q: text('q'),
    },
    at: /^\d{1,15}$/.test(at) && Number(at) < POSITION_MAX ? at : '',
    range: parseRange(text('range')) ? text('range') : '',
  };
}

/** The query part of an address that leads to a place; what isn't set is left out. */
export function formatViewLocation({ app, filters, at, range }: ViewLocation): string {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries({ app, ...filters, at, range }))
    if (value) values.set(name, value);
  const query = values.toString();
  return query === '' ? '' : `?${query}`;
}

/** Do they lead to the same lines? */
export function showSameLines(one: ViewLocation, other: ViewLocation): boolean {
  return formatViewLocation({ ...one, range: '' }) === formatViewLocation({ ...other, range: '' });
}
