/** Processes that have left their group (daemons): they are found by a variable in their environment. */
import { allProcesses, environmentOf } from '../../common/processes/process-identity.ts';

/** For clocks that are read at different moments. */
const MARGIN_TICKS = 100;
/** What forks faster than it is found in these stays. */
const PASSES_MAX = 100;

/**
 * Kills every process with a dyno's id in its environment, when the dyno itself has ended. Without `/proc` none is found.
 * @param sinceTicks when the dyno started, as {@link killByVariable} has it
 * @returns how many there were
 */
export function killDaemonized(dynoId: string, sinceTicks = 0): Promise<number> {
  return killByVariable(`HEROKU_DYNO_ID=${dynoId}`, sinceTicks);
}

/**
 * Kills every process with a variable in its environment. Without `/proc` none is found.
 * @param variable `NAME=value`, which only those have
 * @param sinceTicks `ticksSinceBoot()` of when nothing had it yet: what is older isn't looked at, which is most of a machine. To read an
 *   environment takes an eighth of a millisecond, as it is left to threads: the kernel may have it wait for the process. 0: not known
 * @returns how many there were
 */
export async function killByVariable(variable: string, sinceTicks = 0): Promise<number> {
  // One that is still ending is found again.
  const killed = new Set<number>();
  // What has forked during a scan is found by the next.
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const found = await pidsWithVariable(variable, sinceTicks);
    if (found.every((pid) => killed.has(pid))) break;
    for (const pid of found) {
      try {
        process.kill(pid, 'SIGKILL');
        killed.add(pid);
      } catch {
        // ended meanwhile
      }
    }
  }
  return killed.size;
}

async function pidsWithVariable(variable: string, sinceTicks: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { pid, state, startTicks } of allProcesses()) {
    // Zombies have none.
    if (state === 'Z' || Number(startTicks) < sinceTicks - MARGIN_TICKS) continue;
    if (await hasVariable(pid, variable)) found.push(pid);
  }
  return found;
}

/**
 * How many processes there are with a variable in their environment, or in a group whose first process has it: what they start may have no
 * environment. Zombies don't count; without `/proc` there is none.
 * @param variable as {@link killByVariable} has it, as is `sinceTicks`
 * @param max counts no further than one more
 */
export async function countByVariable(variable: string, sinceTicks: number, max: number): Promise<number> {
  const groups = new Map<number, number[]>();
  for await (const { pid, groupId, state, startTicks } of allProcesses()) {
    if (state === 'Z' || Number(startTicks) < sinceTicks - MARGIN_TICKS) continue;
    const members = groups.get(groupId);
    if (members) members.push(pid);
    else groups.set(groupId, [pid]);
  }
  let count = 0;
  for (const [groupId, members] of groups) {
    if (await hasVariable(groupId, variable)) count += members.length;
    else for (const pid of members) if (await hasVariable(pid, variable)) count += 1;
    if (count > max) break;
  }
  return count;
}

async function hasVariable(pid: number, variable: string): Promise<boolean> {
  return (await environmentOf(pid)).includes(variable);
}
