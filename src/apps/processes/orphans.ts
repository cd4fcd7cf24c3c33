import { readFileSync } from 'node:fs';
import { isProcessRunning } from '../../common/processes/process-identity.ts';
import { type PidFileEntry, readPidFile, writePidFile } from './pid-file.ts';
import { groupMembers, signalGroup, signalLeader, waitForGroupExit } from './process-group.ts';

/** Another server, alive, works with the same state folder. */
export class RunnerActiveError extends Error {
  override readonly name = 'RunnerActiveError';
  readonly pid: number;

  constructor(pid: number) {
    super(`Another runner (process ${pid}) is running this app; stop it first.`);
    this.pid = pid;
  }
}

export interface Orphan {
  name: string;
  pid: number;
}

/** Orphans get less time than a dyno that is stopped: nothing they do is of use any more. */
const ORPHAN_GRACE_MS = 5_000;
const KILL_TIMEOUT_MS = 2_000;

/**
 * Ends the dynos that a crashed server has orphaned: SIGTERM, and SIGKILL after the grace period. A process is signaled only
 * if it is certainly one of them: the group's leader has the start time of the PID file, or a member has the dyno's id in its
 * environment. A recycled process number is never killed, and without `/proc` nothing is.
 *
 * @param kept pids of dynos that go on
 * @returns those that were still running
 * @throws {RunnerActiveError} if the server that wrote the PID file is still running
 */
export async function reapOrphans(
  stateFolder: string,
  graceMs = ORPHAN_GRACE_MS,
  kept: ReadonlySet<number> = new Set(),
): Promise<Orphan[]> {
  const pidFile = readPidFile(stateFolder);
  if (pidFile === undefined) return [];
  if (pidFile.runner.pid !== process.pid && isProcessRunning(pidFile.runner.pid, pidFile.runner.startTicks))
    throw new RunnerActiveError(pidFile.runner.pid);
  const orphans = pidFile.dynos.filter((dyno) => !kept.has(dyno.pid) && isOwnDyno(dyno));
  await Promise.all(orphans.map((orphan) => terminate(orphan, graceMs)));
  writePidFile(stateFolder, { runner: pidFile.runner, dynos: [] });
  return orphans.map(({ name, pid }) => ({ name, pid }));
}

async function terminate(orphan: PidFileEntry, graceMs: number): Promise<void> {
  if (orphan.leaderStopSignal) signalLeader(orphan.pid, orphan.leaderStopSignal);
  else signalGroup(orphan.pid, 'SIGTERM');
  if (await waitForGroupExit(orphan.pid, graceMs)) return;
  // Checked again: in the meantime the group may have ended and its id been reused.
  if (isOwnDyno(orphan)) signalGroup(orphan.pid, 'SIGKILL');
  await waitForGroupExit(orphan.pid, KILL_TIMEOUT_MS);
}

function isOwnDyno(entry: PidFileEntry): boolean {
  const members = groupMembers(entry.pid);
  const leader = members.find((member) => member.pid === entry.pid);
  if (leader !== undefined) return leader.startTicks === entry.startTicks;
  return members.some((member) => hasDynoId(member.pid, entry.id));
}

function hasDynoId(pid: number, dynoId: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`HEROKU_DYNO_ID=${dynoId}`);
  } catch {
    return false; // ended meanwhile, or somebody else's
  }
}
