import { timingSafeEqual } from 'node:crypto';

/** Is a secret that somebody shows the right one? Takes as long wherever they differ; only their lengths show. */
export function isSameSecret(given: string, wanted: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(wanted)];
  return one.length === other.length && timingSafeEqual(one, other);
}
