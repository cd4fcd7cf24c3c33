/** Which process a number in a file means: numbers are used again, and a dead process keeps its own until its parent has noticed. */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemCode } from '../errors.ts';

/** Clock ticks of proc(5), `getconf CLK_TCK`: as many on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;

/** A millisecond, beside much else. */
const PROCESSES_PER_TURN = 20;

/** What `/proc/<pid>/stat` says of a process. */
export interface ProcessStat {
  pid: number;
  groupId: number;
  /** `R`, `S`, `Z` (a zombie) … */
  state: string;
  /** When it started, in clock ticks after boot. Together with the pid it identifies a process. */
  startTicks: string;
  /** Milliseconds of processor time that it has taken since it began, with children that have ended. */
  cpuMs: number;
  threads: number;
}

/** Reads `/proc/<pid>/stat` (proc(5)). Undefined if there is no such process, or no `/proc` at all (macOS). */
export function processStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field is the program's name in brackets, and may itself hold spaces and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // utime, stime, cutime and cstime.
  const cpuTicks = Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
  return {
    pid,
    state: fields[0],
    groupId: Number(fields[2]),
    threads: Number(fields[17]),
    startTicks: fields[19],
    cpuMs: (cpuTicks * 1_000) / TICKS_PER_SECOND,
  };
}

/** One that has ended, and whose parent hasn't noticed yet, doesn't: it holds nothing any more. */
export function isAlive({ state }: ProcessStat): boolean {
  return state !== 'Z' && state !== 'X';
}

/**
 * All processes of the machine, zombies too; none without `/proc`. The kernel waits for nobody for this file, and a thread for each of its
 * four steps costs three times as much: it is read at once, and others have their turn in between.
 */
export async function* allProcesses(): AsyncGenerator<ProcessStat> {
  let count = 0;
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    if (++count % PROCESSES_PER_TURN === 0) await nextTurn();
    const stat = processStat(Number(name));
    if (stat) yield stat;
  }
}

/** The variables that a process was started with, `NAME=value`; none of somebody else's, or one that has ended: these can't be read. */
export async function environmentOf(pid: number): Promise<readonly string[]> {
  return (await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')).split('\0');
}

/** How many threads the machine has, as the kernel counts them: a hundredth of a millisecond. Undefined on systems without `/proc`. */
export function countAllThreads(): number | undefined {
  try {
    return Number(/\/(\d+) /.exec(readFileSync('/proc/loadavg', 'latin1'))?.[1]) || undefined;
  } catch {
    return undefined;
  }
}

/** What processes that start now have as `startTicks`; 0 on systems without `/proc`. */
export function ticksSinceBoot(): number {
  try {
    return Math.floor(Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * TICKS_PER_SECOND) || 0;
  } catch {
    return 0;
  }
}

/** When this process started, in clock ticks after boot; '' on systems without `/proc`. */
export function ownStartTicks(): string {
  return processStat(process.pid)?.startTicks ?? '';
}

/**
 * Does a process still run? A zombie doesn't: it holds nothing, but answers signals until its parent has taken its status.
 * @param startTicks when it started; '' when that isn't known
 */
export function isProcessRunning(pid: number, startTicks = ''): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  const stat = processStat(pid);
  if (stat) return isAlive(stat) && (startTicks === '' || stat.startTicks === startTicks);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
