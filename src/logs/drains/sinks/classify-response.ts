/**
 * What a destination's response means. 2xx: the lines are accepted. 4xx: it will never accept these lines; they count as lost.
 * But 408, 425 and 429 are temporary, and so is everything else. 401, 403, 404 and 410 are most often a mistake that somebody
 * will fix, so lines wait for that as long as the stream holds them.
 */
export type DrainResponseClass = 'accepted' | 'retry' | 'refused';

const RETRYABLE = new Set([401, 403, 404, 407, 408, 410, 421, 425, 429]);

export function classifyDrainResponse(status: number): DrainResponseClass {
  if (status >= 200 && status < 300) return 'accepted';
  if (status >= 400 && status < 500 && !RETRYABLE.has(status)) return 'refused';
  return 'retry';
}
