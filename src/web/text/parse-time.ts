/** Reads a time as people type it. */

const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Milliseconds since 1970 for `10m` (ago), `14:05`, `14:05:30`, `2026-11-21`, `2026-11-21 14:05` (local time) or anything in
 * ISO 8601; undefined when it is no time. A time of day that is still to come was yesterday.
 */
export function parseTimeInput(text: string, nowMs: number): number | undefined {
  const trimmed = text.trim();
  const ago = /^-?(\d{1,6})\s*(s|m|h|d)[a-z]*(?: ago)?$/i.exec(trimmed);
  if (ago) return nowMs - Number(ago[1]) * UNIT_MS[ago[2].toLowerCase()];
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(trimmed);
  if (clock) {
    const [hours, minutes, seconds] = [clock[1], clock[2], clock[3] ?? '0'].map(Number);
    if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
    const date = new Date(nowMs);
    date.setHours(hours, minutes, seconds, 0);
    if (date.getTime() > nowMs) date.setDate(date.getDate() - 1);
    return date.getTime();
  }
  if (!/^\d{4}-\d{2}-\d{2}/.test(trimmed)) return undefined;
  const local = /^\d{4}-\d{2}-\d{2}$/.test(trimmed) ? `${trimmed}T00:00` : trimmed.replace(' ', 'T');
  const ms = Date.parse(local);
  return Number.isNaN(ms) ? undefined : ms;
}
