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

/**
 * Does `bytes[start, end)` look like an RFC 3339 timestamp of a clock that was set? Separators and digits are
 * checked, ranges only roughly: it decides between keeping the sender's text and stamping the time of arrival.
 */
export function isTimestamp(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length < 20 || length > 35) return false;
  if (
    bytes[start + 4] !== 0x2d ||
    bytes[start + 7] !== 0x2d ||
    bytes[start + 10] !== 0x54 ||
    bytes[start + 13] !== 0x3a ||
    bytes[start + 16] !== 0x3a
  )
    return false;
  const month = pair(bytes, start + 5);
  const day = pair(bytes, start + 8);
  const hour = pair(bytes, start + 11);
  const minute = pair(bytes, start + 14);
  const second = pair(bytes, start + 17);
  const century = pair(bytes, start);
  const year = pair(bytes, start + 2);
  if (century < 0 || year < 0) return false;
  const date = century * 1_000_000 + year * 10_000 + month * 100 + day;
  if (date < DATE_MIN || date > latestDate()) return false;
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return false;
  let i = start + 19;
  if (bytes[i] === 0x2e) {
    i++;
    const from = i;
    while (i < end && bytes[i] >= 0x30 && bytes[i] <= 0x39) i++;
    if (i === from) return false;
  }
  if (bytes[i] === 0x5a) return i + 1 === end;
  if (bytes[i] !== 0x2b && bytes[i] !== 0x2d) return false;
  return i + 6 === end && pair(bytes, i + 1) >= 0 && bytes[i + 3] === 0x3a && pair(bytes, i + 4) >= 0;
}

/** The two digits at `i` as a number, or -1. */
function pair(bytes: Uint8Array, i: number): number {
  const tens = bytes[i] - 0x30;
  const ones = bytes[i + 1] - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}
