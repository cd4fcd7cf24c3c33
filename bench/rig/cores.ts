/** Keeps what is measured, what measures it, and what else runs on the machine out of each other's way. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Ours come before everything else that runs; among ours it makes no difference. */
const PRIORITY = '10';

/**
 * Gives the first processor to the main threads of the processes `alone`, which take turns, and the rest to `others`.
 * @returns false when that isn't possible: a single processor, or no `taskset` (util-linux).
 */
export function setApart(alone: readonly number[], others: readonly number[]): boolean {
  const cores = availableParallelism();
  if (cores < 2) return false;
  const rest = `1-${cores - 1}`;
  return (
    others.every((pid) => done('taskset', '-acp', rest, String(pid))) &&
    alone.every((pid) => done('taskset', '-cp', '0', String(pid)))
  );
}

/**
 * Has them run before all other programs of the machine.
 * @returns false when we may not, or there is no `chrt` (util-linux).
 */
export function setFirst(alone: readonly number[], others: readonly number[]): boolean {
  return (
    others.every((pid) => done('chrt', '-a', '-f', '-p', PRIORITY, String(pid))) &&
    alone.every((pid) => done('chrt', '-f', '-p', PRIORITY, String(pid)))
  );
}

function done(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}
