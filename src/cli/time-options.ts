/** Times and durations of options, for commander: in the grammar of common/time-expression.ts. */
import { InvalidArgumentError } from 'commander';
import {
  explainDuration,
  explainTime,
  parseAgo,
  parseDuration,
  parseTime,
} from '../common/time-expression.ts';

/**
 * A time in a form that means the same to a server in another time zone: how long ago as it is, so that the server's clock counts,
 * and anything else in RFC 3339.
 * @throws InvalidArgumentError
 */
export function parseTimeOption(text: string): string {
  return parseAgo(text) === undefined ? parseInstantOption(text) : text;
}

/** The same, reckoned by this machine's clock: RFC 3339 always. @throws InvalidArgumentError */
export function parseInstantOption(text: string): string {
  const ms = parseTime(text, Date.now());
  if (ms === undefined) throw new InvalidArgumentError(explainTime(text));
  return new Date(ms).toISOString();
}

/** A duration in milliseconds. @throws InvalidArgumentError */
export function parseDurationOption(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError(explainDuration(text));
  return ms;
}
