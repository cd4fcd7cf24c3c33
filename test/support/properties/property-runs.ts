/** Of all runs that a property asks for, so many are made: all with `npm test`, a part of them while somebody works. */
const PART = Number(process.env.PROPERTY_RUNS ?? 0.3);

/** How often a property is tried; a run that fails prints its seed. */
export function propertyRuns(all: number): number {
  return Math.max(1, Math.ceil(all * PART));
}
