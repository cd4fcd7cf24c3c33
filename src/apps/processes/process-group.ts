import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

/** What `/proc/<pid>/stat` says of a process. */
export interface ProcessStat {
  pid: number;
  groupId: number;
  /** `R`, `S`, `Z` (a zombie) … */
  state: string;
  /** When it started, in clock ticks after boot. Together with the pid it identifies a process. */
  startTicks: string;
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
  return { pid, state: fields[0], groupId: Number(fields[2]), startTicks: fields[19] };
}

/** The living members of a process group; empty on systems without `/proc`. Zombies don't count. */
export function groupMembers(groupId: number): ProcessStat[] {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return [];
  }
  const members: ProcessStat[] = [];
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    const stat = processStat(Number(name));
    if (stat !== undefined && stat.groupId === groupId && stat.state !== 'Z' && stat.state !== 'X')
      members.push(stat);
  }
  return members;
}

/**
 * Sends a signal to every process of a group.
 *
 * @returns false if there is none left
 */
export function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-groupId, signal);
    return true;
  } catch (error) {
    // EPERM: there are members, but all of them have changed their user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Is no process left? Zombies don't count: in a container without an init they stay for ever. */
function isGroupGone(groupId: number): boolean {
  if (!signalGroup(groupId, 0)) return true;
  return processStat(process.pid) !== undefined && groupMembers(groupId).length === 0;
}

/**
 * Waits until the group is gone. The kernel doesn't notify of the end of grandchildren, so this polls, often at first and
 * then every 100 ms.
 *
 * @param limitMs gives up after this time
 * @returns is it gone?
 */
export async function waitForGroupExit(groupId: number, limitMs: number): Promise<boolean> {
  const until = performance.now() + limitMs;
  for (let pauseMs = 5; ; pauseMs = Math.min(100, pauseMs * 2)) {
    if (isGroupGone(groupId)) return true;
    const leftMs = until - performance.now();
    if (leftMs <= 0) return false;
    await wait(Math.min(pauseMs, leftMs));
  }
}
