import { signal } from '@preact/signals';
import { serverNowMs } from '../../stream/server-clock.ts';
import { formatDate, formatDurationMs, formatTimeOfDay, localDayNumber } from '../../text/format.ts';

const TICK_MS = 10_000;
const now = signal(serverNowMs());
setInterval(() => {
  now.value = serverNowMs();
}, TICK_MS);

/** How long ago something was, kept up to date; the time itself when it was on another day, and as its title. */
export function RelativeTime({ ms }: { ms: number }) {
  if (Number.isNaN(ms)) return <span>{relativeTime(ms, now.value)}</span>;
  return (
    <time dateTime={new Date(ms).toISOString()} title={`${formatDate(ms)}, ${formatTimeOfDay(ms)}`}>
      {relativeTime(ms, now.value)}
    </time>
  );
}

const SHORT_DATE = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' });
const SHORT_DATE_AND_YEAR = new Intl.DateTimeFormat('en', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
});
const JUST_NOW_MS = 45_000;
const MINUTES_MS = 3_600_000;
const HOURS_MS = 6 * 3_600_000;

/** `now`, `12 min ago`, `14:05`, `21 Nov`, `21 Nov 2025`; of a time that is still to come, as its clock has it; `?` for NaN. */
export function relativeTime(ms: number, nowMs: number): string {
  const ago = nowMs - ms;
  if (Number.isNaN(ago)) return '?';
  if (Math.abs(ago) < JUST_NOW_MS) return 'now';
  if (ago > 0 && ago < MINUTES_MS) return `${Math.round(ago / 60_000)} min ago`;
  if (ago > 0 && ago < HOURS_MS) return `${formatDurationMs(ago)} ago`;
  if (localDayNumber(ms) === localDayNumber(nowMs)) return formatTimeOfDay(ms).slice(0, 5);
  const isThisYear = new Date(ms).getFullYear() === new Date(nowMs).getFullYear();
  return (isThisYear ? SHORT_DATE : SHORT_DATE_AND_YEAR).format(ms);
}
