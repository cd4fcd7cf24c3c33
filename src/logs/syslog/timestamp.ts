/** RFC 3339 timestamps as RFC 5424 section 6.2.3 uses them: microseconds, and an offset. */

const encoder = new TextEncoder();
let stampedAtMs = -1;
let stamped: Uint8Array = new Uint8Array(0);
let textAtMs = -1;
let text = '';

/** `2012-12-10T03:00:48.123000+00:00` for a time in milliseconds since 1970. */
export function formatTimestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000+00:00`;
}

/** {@link formatTimestamp}, with the last result cached. */
export function timestampText(ms: number): string {
  if (ms !== textAtMs) {
    text = formatTimestamp(ms);
    textAtMs = ms;
  }
  return text;
}

/** The bytes of {@link formatTimestamp}; the last result is cached, since many lines come in one millisecond. */
export function timestampBytes(ms: number): Uint8Array {
  if (ms !== stampedAtMs) {
    stamped = encoder.encode(timestampText(ms));
    stampedAtMs = ms;
  }
  return stamped;
}

/** Timestamps before this day are of clocks that weren't set: machines without one start in 1970, 1980 or 1999. */
const DATE_MIN = 20_000_101;
/** The last whole year whose nanoseconds since 1970 fit into 64 bits with a sign. */
const DATE_MAX = 22_611_231;
const DAY_MS = 86_400_000;
let latest = 0;
let latestUntilMs = -1;

/**
 * The last day (as the number 20121210) that a sender may claim it is: tomorrow in UTC, since offsets reach 14 hours
 * into it. A later one can't be right, and the time of arrival is stamped instead.
 */
export function latestDate(nowMs: number = Date.now()): number {
  if (nowMs >= latestUntilMs || nowMs < latestUntilMs - DAY_MS) {
    const tomorrow = new Date(nowMs + DAY_MS);
    latest = tomorrow.getUTCFullYear() * 10_000 + (tomorrow.getUTCMonth() + 1) * 100 + tomorrow.getUTCDate();
    latestUntilMs = (Math.floor(nowMs / DAY_MS) + 1) * DAY_MS;
  }
  return latest;
}

/** Days of each month, of a year that is no leap year. */
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** TIME-SECFRAC has up to six digits; the nanoseconds of many senders are kept. */
const FRACTION_DIGITS_MAX = 9;

/** `2012-12-10T03:00:48` with an offset, `+0100`, `+01:00`, `+01` or `Z`; without one it is a time of this machine's zone. */
export function withOffset(exact: string, offset: string | undefined): string {
  if (offset === undefined) {
    const ms = Date.parse(exact);
    return exact + formatOffset(-new Date(Number.isNaN(ms) ? 0 : ms).getTimezoneOffset());
  }
  return (
    exact + offset.replace(/^([+-]\d{2})(\d{2})?$/, (_all, hours, minutes = '00') => `${hours}:${minutes}`)
  );
}

/** `+05:30` for 330 minutes. */
export function formatOffset(minutes: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const all = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(all / 60))}:${two(all % 60)}`;
}

/** 330 for `+05:30` and `+0530`. */
export function offsetMinutes(offset: string): number {
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(-2));
  return offset[0] === '-' ? -minutes : minutes;
}

/** RFC 3339 as many write it: without an offset, or without its colon or minutes, with a comma, in small letters. */
const ALMOST_RFC3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?([Zz]|[+-]\d\d(?::?\d\d)?)?$/;
/** Seconds since 1970. */
const EPOCH = /^(\d{10})(?:\.(\d{1,9}))?$/;

/**
 * What the time `bytes[start, end)` of a header must have been meant to be, as RFC 5424 has it; undefined when that can't be right
 * either. For what {@link isTimestamp} refuses.
 */
export function repairTimestamp(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
  if (end - start < 10 || end - start > 64) return undefined;
  const written = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  const epoch = EPOCH.exec(written);
  const match = epoch
    ? [undefined, ...new Date(Number(epoch[1]) * 1_000).toISOString().slice(0, 19).split('T'), epoch[2], 'Z']
    : ALMOST_RFC3339.exec(written);
  if (!match) return undefined;
  const [, date, clock, fraction, offset] = match;
  const exact = `${date}T${clock}${fraction ? `.${fraction}` : ''}`;
  const mended = encoder.encode(withOffset(exact, offset?.toUpperCase()));
  return isTimestamp(mended, 0, mended.length) ? mended : undefined;
}

/** Is there such a day? `month` is from 1 to 12. */
export function isCalendarDay(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= (month === 2 && isLeapYear ? 29 : MONTH_DAYS[month - 1]);
}

/**
 * Is `bytes[start, end)` a timestamp of a clock that was set? It decides between keeping the sender's text and stamping the time
 * of arrival.
 */
export function isTimestamp(bytes: Uint8Array, start: number, end: number): boolean {
  const date = timestampDate(bytes, start, end);
  return date >= DATE_MIN && date <= latestDate();
}

/**
 * Is `bytes[start, end)` a time that every reader can make a date of? All that are stored are; lines of older versions may have
 * others.
 */
export function isReadableTimestamp(bytes: Uint8Array, start: number, end: number): boolean {
  const date = timestampDate(bytes, start, end);
  return date >= DATE_MIN && date <= DATE_MAX;
}

/**
 * The day, as the number 20121210, of the timestamp `bytes[start, end)`; -1 when it is none that RFC 5424 section 6.2.3 allows:
 * RFC 3339 in capitals, on a day and at a time that exist, without leap seconds. Beyond that, up to nine digits of a second may be
 * there.
 */
function timestampDate(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length < 20 || length > 35) return -1;
  if (
    bytes[start + 4] !== 0x2d ||
    bytes[start + 7] !== 0x2d ||
    bytes[start + 10] !== 0x54 ||
    bytes[start + 13] !== 0x3a ||
    bytes[start + 16] !== 0x3a
  )
    return -1;
  const month = pair(bytes, start + 5);
  const day = pair(bytes, start + 8);
  const hour = pair(bytes, start + 11);
  const minute = pair(bytes, start + 14);
  const second = pair(bytes, start + 17);
  const century = pair(bytes, start);
  const yearOfCentury = pair(bytes, start + 2);
  if (century < 0 || yearOfCentury < 0) return -1;
  const year = century * 100 + yearOfCentury;
  if (!isCalendarDay(year, month, day)) return -1;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return -1;
  const date = year * 10_000 + month * 100 + day;
  let i = start + 19;
  if (bytes[i] === 0x2e) {
    i++;
    const from = i;
    while (i < end && bytes[i] >= 0x30 && bytes[i] <= 0x39) i++;
    if (i === from || i - from > FRACTION_DIGITS_MAX) return -1;
  }
  if (bytes[i] === 0x5a) return i + 1 === end ? date : -1;
  if (i + 6 !== end || (bytes[i] !== 0x2b && bytes[i] !== 0x2d) || bytes[i + 3] !== 0x3a) return -1;
  const offsetHours = pair(bytes, i + 1);
  const offsetMinutes = pair(bytes, i + 4);
  const isOffset = offsetHours >= 0 && offsetHours <= 23 && offsetMinutes >= 0 && offsetMinutes <= 59;
  return isOffset ? date : -1;
}

/** The two digits at `i` as a number, or -1. */
function pair(bytes: Uint8Array, i: number): number {
  const tens = bytes[i] - 0x30;
  const ones = bytes[i + 1] - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}
