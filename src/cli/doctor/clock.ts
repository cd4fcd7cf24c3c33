/** This machine's clock, beside the server's. */
import { about, type Finding } from './finding.ts';

/** Times of lines and certificates go wrong visibly from here on. */
const APART_MS = 5_000;
/** Nobody runs this before it was written. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);

/**
 * @param serverMs the server's time, and `askedMs`/`answeredMs` this machine's before and after it was asked for; all in
 * milliseconds since 1970.
 */
export function clock(serverMs?: number, askedMs = 0, answeredMs = 0): Finding {
  const finding = about('clock');
  const now = Date.now();
  if (now < EARLIEST_MS)
    return finding(
      'trouble',
      `It says ${new Date(now).toISOString()}: set it (timedatectl set-ntp true), or certificates are refused and lines have wrong times.`,
    );
  if (serverMs === undefined) return finding('ok', new Date(now).toISOString());
  // The answer's own way counts for the server.
  const apartMs = Math.max(askedMs - serverMs, serverMs - answeredMs, 0);
  if (apartMs <= APART_MS) return finding('ok', `${new Date(now).toISOString()}, the same as the server's`);
  const direction = serverMs > now ? 'behind' : 'ahead of';
  return finding(
    'concern',
    `${Math.round(apartMs / 1_000)} s ${direction} the server's: set both by NTP (timedatectl set-ntp true), or --since and the order of times mislead.`,
  );
}
