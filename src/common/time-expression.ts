const UNITS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const DURATION = /^(?:\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h|d|w))+$/;
/** RFC 3339, section 5.6. An unescaped `+` in an address arrives as a space. */
const TIME = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?:([Zz])|([+ -])(\d\d:\d\d))$/;

/**
 * A point in time as people write it: RFC 3339 (`2012-12-10T03:00:48Z`, seconds may be left out), or how long ago
 * (`10m`, `1h30m`, `2d`). Milliseconds since 1970; undefined when it is neither.
 */
export function parseTimeOrAgo(text: string, nowMs: number): number | undefined {
  const ago = parseDuration(text);
  if (ago !== undefined) return nowMs - ago;
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [, date, time, zulu, sign, offset] = match;
  const ms = Date.parse(`${date}T${time}${zulu ? 'Z' : `${sign === ' ' ? '+' : sign}${offset}`}`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Milliseconds of `90s`, `10m`, `1h30m` … (ms, s, m, h, d, w); undefined when it isn't a duration. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)([a-z]+)/g)) ms += Number(count) * UNITS[unit];
  return ms;
}
