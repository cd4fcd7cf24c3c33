/** Streams hold what is too old for so much longer at the most, ms; of a short age a tenth. */
const SWEEP_MS_MAX = 60_000;
const SWEEP_MS_MIN = 200;
const SWEEPS_PER_AGE = 10;

/** How often to look for what is too old, ms. @param ageMs how old lines may be (`Retention`) */
export function sweepIntervalMs(ageMs: number): number {
  return Math.min(SWEEP_MS_MAX, Math.max(SWEEP_MS_MIN, Math.floor(ageMs / SWEEPS_PER_AGE)));
}
