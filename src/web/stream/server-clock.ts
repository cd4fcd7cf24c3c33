/**
 * What time it is on the server. What was received "in the last hour" is meant by its clock: a browser's may be wrong by hours, and would ask for
 * an hour in which nothing has come yet, or leave out the last ones.
 */

/** Less than that may be the way of an answer, and the second that `Date` is rounded down to. */
const TOLERANCE_MS = 5_000;
/** An answer that took so long, as after the browser has slept, says nothing of now. */
const ANSWER_MS_MAX = 10_000;

let aheadMs = 0;

/**
 * Takes the time of an answer that has just come.
 * @param date its header `Date` (RFC 9110 section 6.6.1); null: it has none
 * @param sentAtMs when its request was sent, by the browser's clock in milliseconds since 1970
 */
export function noteServerDate(date: string | null, sentAtMs: number, nowMs = Date.now()): void {
  const serverMs = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(serverMs) || nowMs < sentAtMs || nowMs - sentAtMs > ANSWER_MS_MAX) return;
  const ahead = serverMs + 500 - nowMs;
  aheadMs = Math.abs(ahead) < TOLERANCE_MS ? 0 : ahead;
}

/** Milliseconds since 1970 by the server's clock, as far as its answers have said; the browser's own when they agree. */
export function serverNowMs(): number {
  return Date.now() + aheadMs;
}
