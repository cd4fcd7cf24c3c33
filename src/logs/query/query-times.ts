import { zonedTime } from '../../common/time-expression.ts';
import { parseQuery, timesInText } from './query-parser.ts';
import { printPhrase } from './query-printer.ts';

/**
 * A search with its times written in another way: for another time zone, or to be read later.
 * @throws QuerySyntaxError when it can't be read.
 */
export function withTimes(text: string, write: (time: string) => string): string {
  const query = parseQuery(text);
  let written = '';
  let end = 0;
  for (const { name, from, to } of timesInText(query)) {
    written += `${text.slice(end, from)}${name}:${printPhrase(write(query[name] ?? ''))}`;
    end = to;
  }
  return written + text.slice(end);
}

/**
 * A search for a server in another time zone, whose times mean what they mean here.
 * @param nowMs of the clock by which `today` and `03:00` are reckoned
 * @returns the text itself when it can't be read: the server says why
 */
export function zonedSearch(text: string, nowMs: number): string {
  try {
    return withTimes(text, (time) => zonedTime(time, nowMs) ?? time);
  } catch {
    return text;
  }
}
