/** One process at a time, of those that share a folder: for builds and installations in a checkout. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** A lock that is older is of one that was killed, whoever has its process id now. */
const LOCK_MS = 30 * 60_000;
/** Removing a lock that was left behind takes no time. */
const REMOVAL_MS = 10_000;
const LOOK_MS = 200;

/**
 * Runs something while no other process holds a lock: waits for that as long as it takes. The lock of a process that has died counts no more.
 * @param lock a file, made and removed here; it has the process id in it
 * @param work gets the lock; what it returns, or rejects with, is returned
 * @param onWait is called once, when another process holds it
 */
export async function runAlone(lock, work, onWait = () => {}) {
  mkdirSync(dirname(lock), { recursive: true });
  for (let hasWaited = false; !create(lock); ) {
    if (isAbandoned(lock, LOCK_MS)) {
      removeAbandoned(lock);
      continue;
    }
    if (!hasWaited) onWait();
    hasWaited = true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function create(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** One removes it, looking once more: another may have removed it, and have made its own, since it was looked at. */
function removeAbandoned(lock) {
  const removal = `${lock}.removal`;
  if (!create(removal)) {
    if (isAbandoned(removal, REMOVAL_MS)) rmSync(removal, { force: true });
    return;
  }
  try {
    if (isAbandoned(lock, LOCK_MS)) rmSync(lock, { force: true });
  } finally {
    rmSync(removal, { force: true });
  }
}

/** Is there a lock, and nobody who holds it? */
function isAbandoned(lock, ageMaxMs) {
  try {
    if (Date.now() - statSync(lock).mtimeMs > ageMaxMs) return true;
    const pid = Number(readFileSync(lock, 'utf8'));
    // Its process id is about to be written.
    if (pid === 0) return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    // EPERM: another user's; ENOENT: there is no lock.
    return error.code === 'ESRCH';
  }
}
