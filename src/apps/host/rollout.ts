/** How the dynos of one release take over from those of another: the decisions, without processes and clocks. */
import type { ProcfileEntry } from '../processes/config/procfile.ts';
import type { DynoInfo } from '../processes/dyno.ts';

/** As long as a web dyno may take to listen on its port. */
const PREBOOT_TIMEOUT_MS = 60_000;
/** A dyno that crashes is started again at once: only what happens then says that it won't come up. */
const FIRST_CRASH_MS = 1_000;
/** The new dynos may need more than the old ones did. */
const MEMORY_MARGIN = 1.25;

type DynoStatus = Pick<DynoInfo, 'type' | 'state'>;

/** How many dynos of each process type of a release run; of a type without a count, none. */
export function formationCounts(
  entries: readonly Pick<ProcfileEntry, 'type'>[],
  counts: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(entries.map(({ type }) => [type, counts[type] ?? 0]));
}

/**
 * Process types whose old dynos stop as soon as the new ones have started. Two of a worker may be one too many: only
 * those that serve requests wait for their successors.
 */
export function typesStoppedAtOnce(entries: readonly Pick<ProcfileEntry, 'type'>[]): string[] {
  return entries.map(({ type }) => type).filter((type) => type !== 'web');
}

/** Does a web dyno serve requests? */
export function isServing(dynos: readonly DynoStatus[]): boolean {
  return dynos.some(({ type, state }) => type === 'web' && state === 'up');
}

/** What comes next in a rollout; `stuck`: the new web dynos don't come up by themselves. */
export type RolloutStep = 'take over' | 'wait' | 'stuck';

/**
 * Do the new dynos take over from old ones that serve requests? Once all of their web dynos are up, or, after a minute, some.
 * Until then the old ones stay, however long it takes. Dynos that somebody has stopped aren't waited for.
 */
export function rolloutStep(next: readonly DynoStatus[], waitedMs: number): RolloutStep {
  const web = next.filter(({ type, state }) => type === 'web' && state !== 'down');
  if (web.every(({ state }) => state === 'up')) return 'take over';
  if (waitedMs >= PREBOOT_TIMEOUT_MS) return isServing(web) ? 'take over' : 'stuck';
  return waitedMs >= FIRST_CRASH_MS && web.every(({ state }) => state === 'crashed') ? 'stuck' : 'wait';
}

/** Is there memory for the new web dynos beside the old ones? @param usedBytes what the old ones use */
export function hasMemoryForBoth(availableBytes: number, usedBytes: number): boolean {
  return usedBytes * MEMORY_MARGIN <= availableBytes;
}
