import { seededRandom } from './seeded-random.ts';

/** Of all runs that a property asks for, so many are made: two fifths with `npm test`, fewer while somebody works. */
const PART = Number(process.env.PROPERTY_RUNS ?? 0.025);

/** Where random tests without fast-check begin: another place in each run, which their names say, or the given one. */
export const FIRST_SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));

/**
 * How often a property is tried, or of how many lines, places and the like there are; a run that fails prints its seed.
 * @param atLeast what a test can't do without, also while somebody works
 */
export function propertyRuns(all: number, atLeast = 1): number {
  return Math.max(atLeast, Math.ceil(all * PART));
}

/** As many of them, others in each run, in their order; {@link propertyRuns}. */
export function sampleOf<T>(all: readonly T[], atLeast: number): readonly T[] {
  const random = seededRandom(FIRST_SEED);
  const chosen = new Set<number>();
  const wanted = Math.min(all.length, propertyRuns(all.length, atLeast));
  while (chosen.size < wanted) chosen.add(Math.floor(random() * all.length));
  return all.filter((_one, i) => chosen.has(i));
}
