/** How the dynos of one release take over from those of another: the decisions, without processes and clocks. */
import type { ProcfileEntry } from '../processes/config/procfile.ts';
import type { DynoInfo } from '../processes/dyno.ts';

/** A release whose web dynos aren't up by then takes over anyway: what is wrong with it is in the stream. */
const PREBOOT_TIMEOUT_MS = 60_000;

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

/**
 * May the new dynos take over from old ones that serve requests? Once no web dyno of theirs is starting: waiting
 * doesn't help those that crashed.
 */
export function canTakeOver(next: readonly DynoStatus[], waitedMs: number): boolean {
  if (waitedMs >= PREBOOT_TIMEOUT_MS) return true;
  return !next.some(({ type, state }) => type === 'web' && state === 'starting');
}
