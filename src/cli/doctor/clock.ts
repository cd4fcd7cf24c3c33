/** This machine's clock, beside the server's. */
import { type CheckResult, resultsOf } from './check-result.ts';

/** Times of lines and certificates go wrong visibly from here on. */
const CLOCK_SKEW_MAX_MS = 5_000;
/** No correct clock shows a time before this was written. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);

/**
 * @param serverMs the server's time, and `askedMs`/`answeredMs` this machine's before and after it was asked for; all in
 * milliseconds since 1970.
 */
export function checkClock(serverMs?: number, askedMs = 0, answeredMs = 0): CheckResult {
  const result = resultsOf('clock');
  const now = Date.now();
  if (now < EARLIEST_MS)
    return result(
      'trouble',
      `It says ${new Date(now).toISOString()}: set it (timedatectl set-ntp true), or certificates are refused and lines have wrong times.`,
    );
  if (serverMs === undefined) return result('ok', new Date(now).toISOString());
  // The time on the network counts for the server.
  const skewMs = Math.max(askedMs - serverMs, serverMs - answeredMs, 0);
  if (skewMs <= CLOCK_SKEW_MAX_MS)
    return result('ok', `${new Date(now).toISOString()}, the same as the server's`);
  const direction = serverMs > now ? 'behind' : 'ahead of';
  return result(
    'concern',
    `${Math.round(skewMs / 1_000)} s ${direction} the server's: set both by NTP (timedatectl set-ntp true), or --since and the order of times mislead.`,
  );
}
