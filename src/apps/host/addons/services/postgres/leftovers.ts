/**
 * What a PostgreSQL that was killed leaves behind: each of its processes is a session of its own, and one that is at work on a query goes on
 * with it, attached to shared memory that no new server may take. They are known by the folder that they are in.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { TailraceError } from '../../../../../common/errors.ts';
import { hostEnvironment } from '../../../../build/slug-files.ts';
import type { ProcessUser } from '../../../../processes/dyno-process.ts';

/** For a shutdown in order. What is killed is gone sooner. */
const SHUTDOWN_MS = 10_000;
const KILL_MS = 5_000;

/**
 * Ends processes of a former start, and removes its lock file: the number in it may be another process's by now, and PostgreSQL would
 * not start. Without `/proc` both are left to PostgreSQL.
 * @param user who runs PostgreSQL; undefined: who runs this server
 * @throws TailraceError when they don't end
 */
export async function stopOrphanedPostgres(folder: string, user: ProcessUser | undefined): Promise<void> {
  if (!existsSync('/proc/self/cwd')) return;
  const data = join(folder, 'data');
  const lockFile = join(data, 'postmaster.pid');
  const first = await postgresProcesses(folder, user);
  if (first.length > 0) {
    const leader = Number((await readFile(lockFile, 'utf8').catch(() => '')).split('\n')[0]);
    if (first.includes(leader)) {
      signal(leader, 'SIGINT');
      await untilGone(folder, user, SHUTDOWN_MS);
    }
    for (const pid of await postgresProcesses(folder, user)) signal(pid, 'SIGKILL');
    const left = await untilGone(folder, user, KILL_MS);
    if (left.length > 0)
      throw new TailraceError(
        'unavailable',
        `Another PostgreSQL works with ${data} (process ${left.join(', ')}) and doesn't end: end it, and restart tailrace.`,
      );
  }
  await rm(lockFile, { force: true });
}

async function untilGone(folder: string, user: ProcessUser | undefined, limitMs: number): Promise<number[]> {
  const until = performance.now() + limitMs;
  for (;;) {
    const left = await postgresProcesses(folder, user);
    if (left.length === 0 || performance.now() > until) return left;
    await wait(100);
  }
}

/** A zombie has no working directory, and a shell in the folder isn't PostgreSQL. */
const FIND_PROCESSES = `for process in /proc/[0-9]*; do
  [ "$process/cwd" -ef data ] && read -r name <"$process/comm" || continue
  case $name in postgres*) echo "\${process#/proc/}" ;; esac
done 2>/dev/null; true`;

/**
 * The PostgreSQL processes that work in an add-on's data. Looked for also as the user that runs them: where others' processes are in is told to
 * no root of a container, which lacks the capability SYS_PTRACE.
 */
async function postgresProcesses(folder: string, user: ProcessUser | undefined): Promise<number[]> {
  const found = await Promise.all(
    (user ? [undefined, user] : [undefined]).map((one) => processesSeenBy(folder, one)),
  );
  return [...new Set(found.flat())];
}

async function processesSeenBy(folder: string, user: ProcessUser | undefined): Promise<number[]> {
  const { stdout } = await promisify(execFile)('sh', ['-c', FIND_PROCESSES], {
    cwd: folder,
    env: { ...hostEnvironment(process.env) },
    uid: user?.uid,
    gid: user?.gid,
  });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has just ended.
  }
}
