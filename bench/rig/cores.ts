/** Keeps what is measured and what measures it on different processors. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/**
 * Gives the first processor to the main threads of the processes `alone`, which take turns, and the rest to `others`.
 * @returns false when that isn't possible: a single processor, or no `taskset` (util-linux).
 */
export function pinToSeparateCores(alone: readonly number[], others: readonly number[]): boolean {
  const cores = availableParallelism();
  if (cores < 2) return false;
  const rest = `1-${cores - 1}`;
  return others.every((pid) => pin('-acp', rest, pid)) && alone.every((pid) => pin('-cp', '0', pid));
}

function pin(how: string, cores: string, pid: number): boolean {
  return spawnSync('taskset', [how, cores, String(pid)], { stdio: 'ignore' }).status === 0;
}
