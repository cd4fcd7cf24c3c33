/** Processes that have left their group (daemons): they are found by a variable in their environment. */
import { readdir, readFile } from 'node:fs/promises';

/**
 * Kills every process with a dyno's id in its environment, when the dyno itself has ended. Without `/proc` none is found.
 * @returns how many there were
 */
export function killDaemonized(dynoId: string): Promise<number> {
  return killByVariable(`HEROKU_DYNO_ID=${dynoId}`);
}

/**
 * Kills every process with a variable in its environment. Without `/proc` none is found.
 * @param variable `NAME=value`, which only those have
 * @returns how many there were
 */
export async function killByVariable(variable: string): Promise<number> {
  // One that is still ending is found again.
  const killed = new Set<number>();
  // A daemon may fork during a scan; a third scan finds only what forks for ever.
  for (let pass = 0; pass < 3; pass++) {
    const found = await pidsWithVariable(variable);
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

async function pidsWithVariable(variable: string): Promise<number[]> {
  const names = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found: number[] = [];
  for (const name of names) {
    // Somebody else's can't be read. A zombie's is empty.
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
    if (environment.split('\0').includes(variable)) found.push(Number(name));
  }
  return found;
}
