/** Processor time and memory of a process, from Linux. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_S = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Seconds of processor time that all threads of a process have used, in user and kernel mode (proc(5), stat). */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name, the second field, may have spaces and parentheses in it: the fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** The same of the threads that it has now, to the nanosecond rather than to a hundredth of a second (proc(5), schedstat). */
export function threadSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`))
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0]);
  return nanoseconds / 1e9;
}

/** Steal time in seconds, over all processors: the host of the virtual machine ran others (proc(5), stat). */
export function stolenSeconds(): number {
  return Number(readFileSync('/proc/stat', 'latin1').split('\n', 1)[0].split(/ +/)[8]) / TICKS_PER_S;
}

/** The processes that a process has started, and those that these have; none of one that has ended. */
export function descendants(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendants(child)]);
}

function childrenOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
    return [...children.matchAll(/\d+/g)].map(Number);
  } catch (error) {
    // ESRCH: between open and read.
    if (/^(?:ENOENT|ESRCH)$/.test((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/** Bytes of a process that are in memory now. */
export function residentBytes(pid: number): number {
  return statusBytes(pid, 'VmRSS');
}

/** The most bytes of a process that have been in memory at once. */
export function peakResidentBytes(pid: number): number {
  return statusBytes(pid, 'VmHWM');
}

function statusBytes(pid: number, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(
    readFileSync(`/proc/${pid}/status`, 'latin1'),
  );
  return Number(match?.[1]) * 1_024;
}
