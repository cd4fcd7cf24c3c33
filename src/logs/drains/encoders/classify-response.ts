/**
 * What a destination's response means. 2xx: the lines are accepted. 4xx: it will never accept these lines; they count as lost.
 * But 408, 425 and 429 are temporary, and so is everything else. 401, 402 (a plan that is used up), 403, 404, 405, 407, 410, 421, 423, 426 and
 * 451 say nothing of the lines: they are most often a mistake that somebody will fix, so lines wait for that as long as the stream holds them.
 */
export type DrainResponseClass = 'accepted' | 'retry' | 'refused';

const RETRYABLE = new Set([401, 402, 403, 404, 405, 407, 408, 410, 421, 423, 425, 426, 429, 451]);

/** What becomes of the lines of a request that was answered. @param status of HTTP */
export function classifyDrainResponse(status: number): DrainResponseClass {
  if (status >= 200 && status < 300) return 'accepted';
  if (status >= 400 && status < 500 && !RETRYABLE.has(status)) return 'refused';
  return 'retry';
}

/**
 * `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3), in milliseconds from now, an hour at the most; of several the longest.
 * @param date when the response was made, by the clock that a date is of; left out: by this machine's
 */
export function parseRetryAfter(header: string | string[] | undefined, date = ''): number | undefined {
  if (typeof header !== 'string') return undefined;
  const sentAtMs = Date.parse(date);
  const seconds = /^\d+(?:, *\d+)*$/.test(header)
    ? Math.max(...header.split(',').map(Number))
    : (Date.parse(header) - (Number.isNaN(sentAtMs) ? Date.now() : sentAtMs)) / 1_000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 3_600) * 1_000 : undefined;
}
