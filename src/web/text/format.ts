/** Numbers and times as people read them. */

/** Times are shown in the zone of whoever reads, or in UTC. */
export type TimeZone = 'local' | 'utc';

const DATE: Intl.DateTimeFormatOptions = {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
};
const SHORT_DATE: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short' };
const DATE_FORMATS = formatsOf(DATE);
const SHORT_DATE_FORMATS = formatsOf(SHORT_DATE);

/** `850 ms`, `12 s`, `3 min`, `2 h`, `5 d` */
export function formatDurationMs(ms: number): string {
  if (Number.isNaN(ms)) return '?';
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** `14:05:09`; dashes for a time that nobody can read (NaN) */
export function formatTimeOfDay(ms: number, zone: TimeZone = 'local'): string {
  if (Number.isNaN(ms)) return '--:--:--';
  const date = new Date(ms);
  const parts =
    zone === 'utc'
      ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
      : [date.getHours(), date.getMinutes(), date.getSeconds()];
  return parts.map((part) => pad(part, 2)).join(':');
}

/** `.042` */
export function formatMilliseconds(ms: number): string {
  return Number.isNaN(ms) ? '.---' : `.${pad(((ms % 1_000) + 1_000) % 1_000, 3)}`;
}

/** `Saturday, November 21, 2026` */
export function formatDate(ms: number, zone: TimeZone = 'local'): string {
  return Number.isNaN(ms) ? 'a day that nobody can read' : DATE_FORMATS[zone].format(ms);
}

/** `Nov 21` */
export function shortDate(ms: number, zone: TimeZone): string {
  return SHORT_DATE_FORMATS[zone].format(ms);
}

/** How far a zone's clocks are before UTC at a time, in milliseconds. */
export function zoneOffsetMs(ms: number, zone: TimeZone): number {
  return zone === 'utc' ? 0 : -new Date(ms).getTimezoneOffset() * 60_000;
}

/** The number of a day, to see whether two times are on the same one. */
export function localDayNumber(ms: number, zone: TimeZone = 'local'): number {
  return Math.floor((ms + zoneOffsetMs(ms, zone)) / 86_400_000);
}

/** An address without the secrets that may be in it. */
export function withoutUrlSecrets(text: string): string {
  try {
    const url = new URL(text);
    if (url.password) url.password = '****';
    if (url.username && !url.password) url.username = '****';
    for (const name of url.searchParams.keys())
      if (/key|token|secret|password|auth/i.test(name)) url.searchParams.set(name, '****');
    return url.toString();
  } catch {
    return text.replace(/\/\/[^@/]*@/, '//****@');
  }
}

function formatsOf(options: Intl.DateTimeFormatOptions): Record<TimeZone, Intl.DateTimeFormat> {
  return {
    local: new Intl.DateTimeFormat('en', options),
    utc: new Intl.DateTimeFormat('en', { ...options, timeZone: 'UTC' }),
  };
}

function pad(number: number, digits: number): string {
  return String(Math.floor(number)).padStart(digits, '0');
}
