/**
 * What a PostgreSQL that was killed leaves behind: each of its processes is a session of its own, and one that is at work on a query goes on
 * with it, attached to shared memory that no new server may take. They are known by the folder that they are in.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { TailraceError } from '../../../../../common/errors.ts';

/** For a shutdown in order. What is killed is gone sooner. */
const SHUTDOWN_MS = 10_000;
const KILL_MS = 5_000;

/**
 * Ends processes of a former start, and removes its lock file: the number in it may be another process's by now, and PostgreSQL would
 * not start. Without `/proc` both are left to PostgreSQL.
 * @throws TailraceError when they don't end
 */
export async function endLeftovers(folder: string): Promise<void> {
  if (!existsSync('/proc/self/cwd')) return;
  const data = join(folder, 'data');
  const lockFile = join(data, 'postmaster.pid');
  const first = await postgresProcessesIn(data);
  if (first.length > 0) {
    const leader = Number((await readFile(lockFile, 'utf8').catch(() => '')).split('\n')[0]);
    if (first.includes(leader)) {
      signal(leader, 'SIGINT');
      await untilGone(data, SHUTDOWN_MS);
    }
    for (const pid of await postgresProcessesIn(data)) signal(pid, 'SIGKILL');
    const left = await untilGone(data, KILL_MS);
    if (left.length > 0)
      throw new TailraceError(
        'unavailable',
        `Another PostgreSQL works with ${data} (process ${left.join(', ')}) and doesn't end: end it, and restart tailrace.`,
      );
  }
  await rm(lockFile, { force: true });
}

async function untilGone(data: string, limitMs: number): Promise<number[]> {
  const until = performance.now() + limitMs;
  for (;;) {
    const left = await postgresProcessesIn(data);
    if (left.length === 0 || performance.now() > until) return left;
    await wait(50);
  }
}

/** The PostgreSQL processes that work in a folder. */
async function postgresProcessesIn(data: string): Promise<number[]> {
  const folder = await stat(data).catch(() => undefined);
  if (!folder) return [];
  const found: number[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    // Others' can't be looked at, a zombie has none.
    const cwd = await stat(`/proc/${name}/cwd`).catch(() => undefined);
    if (cwd?.ino !== folder.ino || cwd.dev !== folder.dev) continue;
    const program = await readFile(`/proc/${name}/comm`, 'latin1').catch(() => '');
    if (program.startsWith('postgres')) found.push(Number(name));
  }
  return found;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has just ended.
  }
}
