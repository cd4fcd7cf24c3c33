/**
 * What a destination's answer means. 2xx: the lines are accepted. 4xx: it will never take these lines; they are
 * counted as lost. But 408, 425 and 429 say "not now", and so does everything else. 401, 403, 404 and 410 are
 * most often a mistake that somebody will mend, so lines wait for that as long as the stream holds them.
 */
export type DrainResponseClass = 'accepted' | 'retry' | 'refused';

const RETRYABLE = new Set([401, 403, 404, 407, 408, 410, 421, 425, 429]);

export function classifyDrainResponse(status: number): DrainResponseClass {
  if (status >= 200 && status < 300) return 'accepted';
  if (status >= 400 && status < 500 && !RETRYABLE.has(status)) return 'refused';
  return 'retry';
}
