/** What is in the address bar: the app, the filters, the line. So that a view can be bookmarked, linked and gone back to. */
import type { Filters } from './stream/filters.ts';
import { LINE_LEVELS } from './stream/line.ts';

export interface ViewLocation {
  readonly app: string;
  readonly filters: Filters;
  /** The position of the selected line, or ''. */
  readonly at: string;
}

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
    at: /^\d{1,16}$/.test(at) ? at : '',
  };
}

/** The query part of an address that leads to a place; what isn't set is left out. */
export function formatViewLocation({ app, filters, at }: ViewLocation): string {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries({ app, ...filters, at })) if (value) values.set(name, value);
  const query = values.toString();
  return query === '' ? '' : `?${query}`;
}
