import { InvalidArgumentError } from 'commander';
import { parseTimeOrAgo } from '../../common/time-expression.ts';

const LOCAL_TIME = /^(?:(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?|(\d{1,2}:\d\d(?::\d\d)?))$/;

/**
 * A time as people type it, in the form that the server understands: `10m` and RFC 3339 as they are; `2012-12-10 03:00`,
 * `2012-12-10` and `03:00` (the last one there was) are times of this machine's zone.
 */
export function parseTimeOption(text: string): string {
  if (parseTimeOrAgo(text, 0) !== undefined) return text;
  const match = LOCAL_TIME.exec(text);
  const time = match && localTime(match[1], match[2] ?? match[3]);
  if (time && !Number.isNaN(time.getTime())) return time.toISOString();
  throw new InvalidArgumentError(
    'It must be a time such as 2012-12-10T03:00:48Z, "2012-12-10 03:00" or 03:00, or how long ago, such as 10m, 2h or 1d.',
  );
}

function localTime(date: string | undefined, clock = '00:00'): Date {
  // Without a zone, and with a time behind it, a date is read as local time (ECMA-262, Date Time String Format).
  if (date) return new Date(`${date}T${clock}`);
  const [hours, minutes, seconds = 0] = clock.split(':').map(Number);
  const time = new Date();
  time.setHours(hours, minutes, seconds, 0);
  if (hours > 23 || minutes > 59 || seconds > 59) return new Date(Number.NaN);
  if (time.getTime() > Date.now()) time.setDate(time.getDate() - 1);
  return time;
}
