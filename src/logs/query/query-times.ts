import { printQuery } from './query-printer.ts';
import { readQuery } from './read-query.ts';

/**
 * A search with its times written in another way: for another time zone, or to be read later.
 * @throws TailraceError `invalid_params` when it can't be read.
 */
export function withTimes(text: string, write: (time: string) => string): string {
  const { expression, since, until } = readQuery(text);
  if (since === undefined && until === undefined) return text;
  const printed = printQuery({
    expression,
    ...(since !== undefined && { since: write(since) }),
    ...(until !== undefined && { until: write(until) }),
  });
  // What has quotes of both kinds can't be written in every place.
  const isSame = JSON.stringify(readQuery(printed).expression) === JSON.stringify(expression);
  return isSame ? printed : text;
}
