/** Daily backups: when the next one is due. */
import { TailraceError } from '../../../../common/errors.ts';

export interface BackupSchedule {
  readonly uuid: string;
  readonly addon: string;
  /** What Heroku's CLI shows and finds it by: the config var, `DATABASE_URL`. */
  readonly name: string;
  /** 0 to 23, in the time zone. */
  readonly hour: number;
  /** Of the IANA database: `Europe/Berlin`. */
  readonly timezone: string;
  /** When it was made, or a backup was last begun: ISO 8601. */
  readonly since: string;
}

const HOUR_MS = 3_600_000;
/** Zones may be off by a quarter of an hour. */
const STEP_MS = HOUR_MS / 4;
/** Longest day, with an hour that comes twice. */
const STEPS_MAX = (26 * HOUR_MS) / STEP_MS;

/** Has its hour begun since it was made or last done? One that was missed while no server ran is made up for, once. */
export function isDue({ hour, timezone, since }: BackupSchedule, now: Date): boolean {
  return lastBeginning(hour, timezone, now) > Date.parse(since);
}

/** When an hour of the day last began in a time zone, in milliseconds; a day that leaves it out has none. */
function lastBeginning(hour: number, timezone: string, now: Date): number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hour: 'numeric',
    minute: 'numeric',
    hourCycle: 'h23',
  });
  let at = now.getTime() - (now.getTime() % STEP_MS);
  for (let i = 0; i < STEPS_MAX; i++, at -= STEP_MS)
    if (format.format(at) === `${String(hour).padStart(2, '0')}:00`) return at;
  return Number.NEGATIVE_INFINITY;
}

/** @throws TailraceError `invalid_params` */
export function parseSchedule(
  hour: string | number,
  timezone: string,
): Pick<BackupSchedule, 'hour' | 'timezone'> {
  const number = Number(hour);
  if (!Number.isInteger(number) || number < 0 || number > 23)
    throw new TailraceError(
      'invalid_params',
      `An hour is a number from 0 to 23, not "${String(hour).slice(0, 20)}".`,
    );
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: timezone });
  } catch {
    throw new TailraceError(
      'invalid_params',
      `There is no time zone "${timezone.slice(0, 50)}": name one as Europe/Berlin or UTC.`,
    );
  }
  return { hour: number, timezone };
}
