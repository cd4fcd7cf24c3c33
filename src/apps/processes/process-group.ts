import { readdirSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { isAlive, type ProcessStat, processStat } from '../../common/processes/process-identity.ts';

/** How long a dyno may take to end, from SIGTERM to SIGKILL. */
export const STOP_GRACE_MS = 30_000;

/**
 * What is left of the time that a process has to end, however the clock was set since it was asked to.
 * @param endsAtMs milliseconds since 1970, as is `nowMs`
 */
export function remainingGraceMs(endsAtMs: number, nowMs: number): number {
  return Math.min(STOP_GRACE_MS, Math.max(0, endsAtMs - nowMs));
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
    if (stat !== undefined && stat.groupId === groupId && isAlive(stat)) members.push(stat);
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

/** Signals the first process of a group alone; nothing happens when it has ended. */
export function signalLeader(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended, or only others of its group are left.
  }
}

/** Is no process left? Zombies don't count: in a container without an init they stay forever. */
function isGroupGone(groupId: number): boolean {
  if (!signalGroup(groupId, 0)) return true;
  // To look for its members takes a look at every process of the machine.
  const leader = processStat(groupId);
  if (leader?.groupId === groupId && isAlive(leader)) return false;
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
