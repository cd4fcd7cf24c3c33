/**
 * The one grammar of times and durations: of every command, flag, API parameter and setting, and of the web UI, which is why
 * nothing is imported here. docs/tails.md, "Times and durations", describes it for users.
 */

/** For help texts. */
export const TIME_FORMS = '10m, 1h30m, 2d ago; 03:00; yesterday; "2026-01-31 12:00"; 2026-01-31T12:00:00Z';
export const DURATION_FORMS = '90s, 30m, 12h, 7d, 2w, 1h30m';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const WEEK_MS = 604_800_000;
/** No months and years, which have no fixed length; no capitals, since `M` is a month for some tools. */
const UNIT_MS: Readonly<Record<string, number>> = {
  ...unit(1, 'ms', 'millisecond', 'milliseconds'),
  ...unit(SECOND_MS, 's', 'sec', 'secs', 'second', 'seconds'),
  ...unit(MINUTE_MS, 'm', 'min', 'mins', 'minute', 'minutes'),
  ...unit(HOUR_MS, 'h', 'hr', 'hrs', 'hour', 'hours'),
  ...unit(DAY_MS, 'd', 'day', 'days'),
  ...unit(WEEK_MS, 'w', 'week', 'weeks'),
};
const DURATION = /^(?:\d{1,9}(?:\.\d{1,3})? ?[a-z]{1,12} ?)+$/;
/** From one part to the next, of what is a duration. */
const DURATION_PART = /([\d.]+) ?([a-z]+) ?/gy;
const AGO = /^(?:-(?<minus>.+)|(?<plain>.+?)(?: ago)?)$/s;
const CLOCK = /^(\d{1,2})(?::(\d\d)(?::(\d\d))?)?(?: ?([ap])\.?m\.?)?$/i;
const DAY_WORD = /^(today|yesterday)(?: (?:at )?(.+))?$/i;
/**
 * ISO 8601 in its extended form, as RFC 3339 (section 5.6) narrows it, with a space or a `T`; the time, its seconds and the zone
 * may be left out. An unescaped `+` in a URL arrives as a space.
 */
const DATE =
  /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)(?:[T ](?<time>\d\d:\d\d(?::\d\d)?)(?:(?<=:\d\d:\d\d)[.,](?<fraction>\d{1,9}))?(?: ?(?<zone>Z|UTC|GMT)| ?(?<sign>[+-]| )(?<offsetHours>\d\d):?(?<offsetMinutes>\d\d))?)?$/i;
/** Seconds from 2001-09-09 to 2286-11-20, which is where their count has ten digits, and the same in milliseconds. */
const UNIX_TIME = /^@?(?:(\d{10}(?:\.\d{1,9})?)|(\d{13}))$/;

function unit(ms: number, ...names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, ms]));
}

/**
 * Milliseconds of a duration: `90s`, `500ms`, `1.5h`, `1h30m`, `2w`, `2 hours 5 min`. Undefined when it is none, as a number
 * without a unit.
 */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unitName] of text.matchAll(DURATION_PART)) {
    if (!Object.hasOwn(UNIT_MS, unitName)) return undefined;
    ms += Number(count) * UNIT_MS[unitName];
  }
  return Math.round(ms);
}

/** Milliseconds of how long ago something was: a duration, also written `10m ago` or `-10m`. Undefined when it isn't that. */
export function parseAgo(text: string): number | undefined {
  const { minus, plain } = AGO.exec(text.trim())?.groups ?? {};
  return parseDuration(minus ?? plain ?? '');
}

/**
 * A point in time as people write it: how long ago, a time of day (the last such time), `now`, `today`, `yesterday` (their
 * midnight, or with a time of day), a date with or without time and zone, Unix time in seconds or milliseconds.
 * What names no zone is in that of this process.
 * @returns milliseconds since 1970, undefined when it is none of these
 */
export function parseTime(text: string, nowMs: number): number | undefined {
  const trimmed = text.trim();
  const ago = parseAgo(trimmed);
  if (ago !== undefined) return nowMs - ago;
  if (/^now$/i.test(trimmed)) return nowMs;
  const unix = UNIX_TIME.exec(trimmed);
  if (unix) return unix[2] === undefined ? Math.round(Number(unix[1]) * SECOND_MS) : Number(unix[2]);
  return parseTimeOfDay(trimmed, nowMs) ?? parseDayWord(trimmed, nowMs) ?? parseDate(trimmed);
}

/**
 * A time in a form that means the same where another zone is: how long ago as it is, so that the reader's clock counts, and anything
 * else in RFC 3339. Undefined for what {@link parseTime} can't read.
 */
export function zonedTime(text: string, nowMs: number): string | undefined {
  if (parseAgo(text) !== undefined) return text;
  const ms = parseTime(text, nowMs);
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** Why a text is no time, and what to write: one sentence, the same wherever a time is asked for. */
export function explainTime(text: string): string {
  if (isBareNumber(text))
    return `"${text}" has no unit: write ${text}s, ${text}m, ${text}h or ${text}d for how long ago, or a time such as 03:00, yesterday or 2026-01-31T12:00:00Z.`;
  return `"${text}" is no time: write how long ago (90s, 10m, 1h30m, 7d, 2w), a time of day (03:00, 3:04 pm), yesterday, a date ("2026-01-31 12:00", 2026-01-31T12:00:00Z) or Unix time (1769860800).`;
}

/** Why a text is no duration, and what to write: one sentence, the same wherever a duration is asked for. */
export function explainDuration(text: string): string {
  if (isBareNumber(text))
    return `"${text}" has no unit: write ${text}s, ${text}m, ${text}h or ${text}d for how long.`;
  return `"${text}" is no duration: write a number with its unit, such as ${DURATION_FORMS}.`;
}

function isBareNumber(text: string): boolean {
  return /^\d{1,9}$/.test(text);
}

/** The last time that a clock here showed this; undefined for what is no time of day, as `3` alone. */
function parseTimeOfDay(text: string, nowMs: number): number | undefined {
  const clock = parseClock(text);
  if (!clock) return undefined;
  const date = new Date(nowMs);
  date.setHours(clock.hours, clock.minutes, clock.seconds, 0);
  if (date.getTime() > nowMs) {
    date.setDate(date.getDate() - 1);
    // The day before may have been one on which the clocks were changed.
    date.setHours(clock.hours, clock.minutes, clock.seconds, 0);
  }
  return date.getTime();
}

function parseDayWord(text: string, nowMs: number): number | undefined {
  const match = DAY_WORD.exec(text);
  if (!match) return undefined;
  const clock = match[2] === undefined ? { hours: 0, minutes: 0, seconds: 0 } : parseClock(match[2]);
  if (!clock) return undefined;
  const date = new Date(nowMs);
  if (match[1].toLowerCase() === 'yesterday') date.setDate(date.getDate() - 1);
  return date.setHours(clock.hours, clock.minutes, clock.seconds, 0);
}

interface Clock {
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
}

function parseClock(text: string): Clock | undefined {
  const match = CLOCK.exec(text);
  if (!match) return undefined;
  const [, hourText, minuteText, secondText = '0', half] = match;
  if (minuteText === undefined && half === undefined) return undefined;
  const [hours, minutes, seconds] = [hourText, minuteText ?? '0', secondText].map(Number);
  if (minutes > 59 || seconds > 59) return undefined;
  if (half === undefined) return hours > 23 ? undefined : { hours, minutes, seconds };
  if (hours < 1 || hours > 12) return undefined;
  return { hours: (hours % 12) + (half.toLowerCase() === 'p' ? 12 : 0), minutes, seconds };
}

function parseDate(text: string): number | undefined {
  const match = DATE.exec(text)?.groups;
  if (!match) return undefined;
  const { year, month, day, time = '00:00', fraction = '', zone, sign, offsetHours, offsetMinutes } = match;
  // A day that its month doesn't have would be read as one of the next.
  if (Number(day) > daysIn(Number(year), Number(month))) return undefined;
  if (Number(time.slice(0, 2)) > 23) return undefined;
  const local = `${year}-${month}-${day}T${time.padEnd(8, ':00')}.${fraction.slice(0, 3).padEnd(3, '0')}`;
  // Without a zone, a date with a time is local (ECMA-262, Date Time String Format).
  const offset = zone ? 'Z' : sign ? `${sign === '-' ? '-' : '+'}${offsetHours}:${offsetMinutes}` : '';
  const ms = Date.parse(local + offset);
  return Number.isNaN(ms) ? undefined : ms;
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}
