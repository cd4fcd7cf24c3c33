/** Times and durations of options, for commander: in the grammar of common/time-expression.ts. */
import { InvalidArgumentError } from 'commander';
import {
  explainDuration,
  explainTime,
  parseDuration,
  parseTime,
  zonedTime,
} from '../common/time-expression.ts';

/** A time for a server that may be in another time zone. @throws InvalidArgumentError */
export function parseTimeOption(text: string): string {
  const zoned = zonedTime(text, Date.now());
  if (zoned === undefined) throw new InvalidArgumentError(explainTime(text));
  return zoned;
}

/** A time, reckoned by this machine's clock: RFC 3339 always. @throws InvalidArgumentError */
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
