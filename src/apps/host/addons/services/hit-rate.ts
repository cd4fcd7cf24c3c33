/** The part of a cache's look-ups that found something, from 0 to 1; 0 while there were none. */
export function hitRate(hits: string | undefined, misses: string | undefined): number {
  const [found, missed] = [Number(hits ?? 0), Number(misses ?? 0)];
  return found + missed === 0 ? 0 : Number((found / (found + missed)).toFixed(5));
}
