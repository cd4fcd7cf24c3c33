/** Processes that have left their group (daemons): they are found by a variable in their environment. */
import { readFile } from 'node:fs/promises';
import { allProcesses } from '../../common/processes/process-identity.ts';

/** For clocks that are read at different moments. */
const MARGIN_TICKS = 100;

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
  // A daemon may fork during a scan; a third scan finds only what forks for ever.
  for (let pass = 0; pass < 3; pass++) {
    const found = await pidsWithVariable(variable, sinceTicks);
    if (found.length === 0) break;
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
    // Somebody else's can't be read.
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (environment.split('\0').includes(variable)) found.push(pid);
  }
  return found;
}
