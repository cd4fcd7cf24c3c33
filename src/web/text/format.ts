/** Numbers and times as people read them. */

const NUMBER_FORMAT = new Intl.NumberFormat('en');
const DATE_FORMAT = new Intl.DateTimeFormat('en', {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
});

export function formatCount(number: number, noun: string): string {
  return `${NUMBER_FORMAT.format(number)} ${noun}${number === 1 ? '' : 's'}`;
}

export function formatGroupedNumber(number: number): string {
  return NUMBER_FORMAT.format(number);
}

/** `850 ms`, `12 s`, `3 min`, `2 h`, `5 d` */
export function formatDurationMs(ms: number): string {
  if (Number.isNaN(ms)) return '?';
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** `14:05:09`, local time; dashes for a time that nobody can read (NaN) */
export function formatTimeOfDay(ms: number): string {
  if (Number.isNaN(ms)) return '--:--:--';
  const date = new Date(ms);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => pad(part, 2)).join(':');
}

/** `.042` */
export function formatMilliseconds(ms: number): string {
  return Number.isNaN(ms) ? '.---' : `.${pad(((ms % 1_000) + 1_000) % 1_000, 3)}`;
}

/** `Saturday, November 21, 2026` */
export function formatDate(ms: number): string {
  return Number.isNaN(ms) ? 'a day that nobody can read' : DATE_FORMAT.format(ms);
}

/** The number of a day, to see whether two times are on the same one. */
export function localDayNumber(ms: number): number {
  return Math.floor((ms - new Date(ms).getTimezoneOffset() * 60_000) / 86_400_000);
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

function pad(number: number, digits: number): string {
  return String(Math.floor(number)).padStart(digits, '0');
}
